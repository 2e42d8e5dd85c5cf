/** What pictures of Stable Diffusion are usually made with, as its own pipelines do, and omega as the paper has it. */
import type { ModelDefaults } from "../family.ts";

export const usualDefaults = {
  sampler: "ddim",
  steps: 50,
  scale: 7.5,
  guidance: "cfg",
  omega: 0.6,
} as const satisfies Partial<ModelDefaults>;
