/** Reads adapters of every format and stacks them for the engine. */
export {
  type Adapter,
  type AdapterFormat,
  boundOf,
  type Factor,
  type LowRank,
  learnedTokens,
  sites,
  tokenNames,
} from "./adapter.ts";
export { madeBy, trainingMethodOf } from "./made-by.ts";
export { readAdapter, readMetadata } from "./read.ts";
export { type Host, type StackedSite, type StackedVectors, stackSite, stackVectors, strengthRow } from "./stack.ts";
export { writeCustomDiffusion, writeEmbeddings, writeLora } from "./write.ts";
