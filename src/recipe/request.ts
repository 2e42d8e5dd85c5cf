/** What a picture is asked for with: one schema for the command line, the library and the recipe inside a PNG. */
import { z } from "zod";
import { guidanceNames } from "../guidance/methods.ts";
import { samplerNames } from "../samplers/index.ts";

export { type GuidanceName, guidanceNames } from "../guidance/methods.ts";
export { type SamplerName, samplerNames } from "../samplers/index.ts";

/** The largest seed PyTorch's generator takes as given; larger ones lose bits in a JavaScript number. */
const seed = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const side = z.number().int().min(8).max(8192).multipleOf(8, "must be divisible by 8");

export const requestSchema = z.strictObject({
  prompt: z.string(),
  /** Stands in the place of the null prompt. */
  negative: z.string().default(""),
  guidance: z.enum(guidanceNames).default("cfg"),
  /** Guidance scale s; for cfg++ and pg++ it is lambda in [0, 1]. Default: 7.5, or 0.4 for cfg++ and pg++. */
  scale: z.number().finite().optional(),
  /** Adapter strength of the weak model, as a share of the strong one's; usual range 0 to 1. */
  omega: z.number().finite().default(0.6),
  /** The scale of ag, and the second scale of cfg+ag and autolora. */
  agScale: z.number().finite().default(2),
  sampler: z.enum(samplerNames).default("ddim"),
  /** DPM++ and Euler: Karras's spacing of sigmas. */
  karras: z.boolean().default(false),
  steps: z.number().int().min(1).max(1000).default(50),
  /** Picture i of `count` starts from the noise of seed + i. */
  seed: seed.default(0),
  count: z.number().int().min(1).max(10_000).default(1),
  /** Pixels; the model's own size when absent. */
  width: side.optional(),
  height: side.optional(),
  /** Text encoder layers to leave out at the end: 1 takes the penultimate layer's state. */
  clipSkip: z.number().int().min(0).max(12).default(0),
});

/** A request as a caller writes it: defaults may be left out. */
export type Request = z.input<typeof requestSchema>;
/** A request with every default filled in, as recipes record it. */
export type FullRequest = z.output<typeof requestSchema>;
