/** The record of training in an adapter's metadata. */
import { z } from "zod";

const record = z.object({ recipe: z.string() });

/** Metadata with the training method and anything else to record. */
export const madeBy = (recipe: string, rest: Readonly<Record<string, unknown>>): Record<string, string> => ({
  tiller: JSON.stringify({ recipe, ...rest }),
});

/** The training method of a file that Tiller wrote; undefined for others. */
export function trainingMethodOf({ tiller = "" }: Readonly<Record<string, string>>): string | undefined {
  try {
    return record.safeParse(JSON.parse(tiller)).data?.recipe;
  } catch {
    return undefined;
  }
}
