/** The defaults of Stable Diffusion's own pipelines, and guidance defaults from the Steering Guidance paper. */
import type { UNetConfig } from "../../models/unet.ts";
import type { FamilyDefaults } from "../family.ts";

export const usualDefaults = {
  sampler: "ddim",
  steps: 50,
  scale: 7.5,
  negative: "",
  guidance: "cfg",
  personalised: "pg",
  omega: 0.6,
} as const satisfies Partial<FamilyDefaults>;

/** StableDiffusionInstructPix2PixPipeline's defaults and its published scheduler, and omega by Steering Guidance, supplement B. */
export const editingDefaults = {
  sampler: "euler-a",
  steps: 100,
  guidance: "cfg-edit",
  personalised: "pg-edit",
  omega: 0,
  omegas: {},
  strength: 1,
} as const satisfies Partial<FamilyDefaults>;

/** Text width of Stable Diffusion 2.x. */
const secondGeneration = 1024;

/**
 * The best omegas in Steering Guidance, tables 1 and 2, where they are not 0.6: ClassDiffusion's and, on SD 1.5, those of
 * methods that learn tokens.
 */
export const publishedOmegas = ({ cross_attention_dim: width }: UNetConfig): Record<string, number> => ({
  "class-diffusion": 0,
  ...(width !== secondGeneration && { "dreambooth-ti": 0.7, "textual-inversion": 0.7 }),
});
