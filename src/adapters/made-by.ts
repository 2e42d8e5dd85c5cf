/** The record of training in an adapter's metadata. */
import { z } from "zod";

const record = z.object({ recipe: z.string(), token: z.string().min(1).optional() });

/** Metadata with the training method and anything else to record. */
export const madeBy = (recipe: string, rest: Readonly<Record<string, unknown>>): Record<string, string> => ({
  tiller: JSON.stringify({ recipe, ...rest }),
});

/** The training method of a file that Tiller wrote; undefined for others. */
export const trainingMethodOf = (metadata: Readonly<Record<string, string>>): string | undefined =>
  recordIn(metadata)?.recipe;

/** The subject's token in training, in a file that Tiller wrote. */
export const tokenOf = (metadata: Readonly<Record<string, string>>): string | undefined => recordIn(metadata)?.token;

function recordIn({ tiller = "" }: Readonly<Record<string, string>>): z.output<typeof record> | undefined {
  try {
    return record.safeParse(JSON.parse(tiller)).data;
  } catch {
    return undefined;
  }
}
