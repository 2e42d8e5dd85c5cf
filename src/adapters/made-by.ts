/** What an adapter's file says of the training that made it. */
import { z } from "zod";

const record = z.object({ recipe: z.string() });

/** Metadata that names the training method, beside whatever else is to be told. */
export const madeBy = (recipe: string, rest: Readonly<Record<string, unknown>>): Record<string, string> => ({
  tiller: JSON.stringify({ recipe, ...rest }),
});

/** The training method of a file that Tiller wrote; undefined of others' files. */
export function trainingMethodOf({ tiller = "" }: Readonly<Record<string, string>>): string | undefined {
  try {
    return record.safeParse(JSON.parse(tiller)).data?.recipe;
  } catch {
    return undefined;
  }
}
