/** Recording a network whose config may not fit its weights. */
import { TillerError } from "../errors/index.ts";
import { ShapeError } from "../graph/index.ts";

/**
 * Returns the result of `record`.
 *
 * @param network For messages: "U-Net".
 * @throws TillerError if the config contradicts the shapes of the weights.
 */
export function recorded<T>(network: string, record: () => T): T {
  try {
    return record();
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new TillerError(
      "config-unsupported",
      `the ${network}'s config.json does not fit its weights (${error.message}): use the config that belongs to the weights.`,
      { cause: error },
    );
  }
}
