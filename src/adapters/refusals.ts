/** Adapters that Tiller recognises but does not run. */
import { called, foreignModel, kindsIn, refusedKinds } from "./naming.ts";

/** Names an adapter that Tiller does not apply: "an OFT adapter", "a LoRA for Flux". */
export function nameUnread(keys: Iterable<string>): string | undefined {
  const all = [...keys];
  const kinds = kindsIn(all);
  const model = foreignModel(all);
  if (model !== undefined && kinds.length > 0) return `${called(kinds[0]!)} for ${model}`;
  const kind = kinds.find((one) => refusedKinds.has(one));
  return kind && called(kind);
}
