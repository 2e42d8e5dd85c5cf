/** Writes what a run has trained: an adapter or a network. */
import type { Model } from "../../families/family.ts";
import type { Tensor } from "../../runtime/index.ts";
import type { Trained } from "../objective/trained.ts";
import { type SavedAdapter, saveAdapter } from "./save-adapter.ts";
import { saveNetwork } from "./save-network.ts";

/** What a run wrote. */
export interface Saved extends SavedAdapter {
  /** The folder of a network that was trained whole, in place of adapters: a model whose base is the one it was trained from. */
  readonly network?: string | undefined;
}

/** @throws TillerError before anything is written, if it is unusable; or if the disk is full or not writable. */
export async function saveTrained(
  out: string,
  { components, text }: Pick<Model, "components" | "text">,
  { network, trained, token }: { readonly network: boolean; readonly trained: Trained; readonly token: string },
  values: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>>,
): Promise<Saved> {
  if (!network) return saveAdapter(out, trained, text.embeddings, values, token, metadata);
  await saveNetwork(out, components, trained, values, metadata);
  return { adapters: [], copies: [], network: out };
}
