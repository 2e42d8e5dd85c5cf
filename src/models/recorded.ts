/** Recording a network whose config and weights may not be of one network. */
import { TillerError } from "../errors/index.ts";
import { ShapeError } from "../graph/index.ts";

/**
 * What `record` gives.
 *
 * @param network For messages: "U-Net".
 * @throws TillerError if the config's numbers and the weights' shapes contradict each other.
 */
export function recorded<T>(network: string, record: () => T): T {
  try {
    return record();
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new TillerError(
      "config-unsupported",
      `the ${network}'s config.json does not fit its weights (${error.message}): use the config of the model that the weights are from.`,
      { cause: error },
    );
  }
}
