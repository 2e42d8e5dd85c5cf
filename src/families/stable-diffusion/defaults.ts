/** What pictures of Stable Diffusion are usually made with, as its own pipelines do, and guidance as the paper has it. */
import type { UNetConfig } from "../../models/unet.ts";
import type { FamilyDefaults } from "../family.ts";

export const usualDefaults = {
  sampler: "ddim",
  steps: 50,
  scale: 7.5,
  guidance: "cfg",
  personalised: "pg",
  omega: 0.6,
} as const satisfies Partial<FamilyDefaults>;

/** The width of the text that Stable Diffusion 2.x listens to. */
const secondGeneration = 1024;

/**
 * The best omegas of Steering Guidance, tables 1 and 2, where they are not 0.6: ClassDiffusion's, and on SD 1.5 those of what
 * learns tokens.
 */
export const publishedOmegas = ({ cross_attention_dim: width }: UNetConfig): Record<string, number> => ({
  "class-diffusion": 0,
  ...(width !== secondGeneration && { "dreambooth-ti": 0.7, "textual-inversion": 0.7 }),
});
