/**
 * What there is to know of a sampler by its name, as data and one function. Requests, the command line, experiments, the
 * server and Studio read it; `samplers.ts` lists those there are.
 */
import type { z } from "zod";
import type { NoiseForm } from "./config.ts";
import type { Sampler } from "./sampler.ts";

/** What every sampler reads of a scheduler config. */
export interface ScheduleConfig {
  readonly num_train_timesteps: number;
  /** Where there is Karras spacing: whether the config asks for it. */
  readonly use_karras_sigmas?: boolean | null | undefined;
}

export interface SamplerKind<
  N extends string = string,
  S extends z.ZodType<ScheduleConfig> = z.ZodType<ScheduleConfig>,
> {
  /** As users type it. */
  readonly name: N;
  /** What AUTOMATIC1111's web UI calls it, in requests and in the `parameters` text of pictures. */
  readonly label: string;
  /** What the web UI calls it on Karras's sigmas, where it lists that as one more sampler. */
  readonly karrasLabel?: string;
  /** Whether it can space the sigmas as Karras et al. do. */
  readonly karras: boolean;
  /** The forms of noise it is written for: a model of another is refused. */
  readonly forms: readonly NoiseForm[];
  /** The keys of a scheduler_config.json that its class in Diffusers knows, with that class's defaults. */
  readonly schema: S;
  /**
   * @param steps how many, from 1 to the config's num_train_timesteps.
   * @throws TillerError for a number of steps that its schedule cannot give.
   * @throws TillerError if the config asks for something it cannot do.
   */
  create(config: z.output<S>, steps: number, options: { readonly karras: boolean }): Sampler;
}

/** A sampler's kind, its types taken from what is written. */
export const samplerKind = <const N extends string, S extends z.ZodType<ScheduleConfig>>(
  one: SamplerKind<N, S>,
): SamplerKind<N, S> => one;
