/**
 * A sampler's description, as data and one function, read by requests, the command line, experiments, the server and
 * Studio. `samplers.ts` lists them all.
 */
import type { z } from "zod";
import type { NoiseForm } from "./config.ts";
import type { Sampler } from "./sampler.ts";

/** The scheduler config keys that every sampler reads. */
export interface ScheduleConfig {
  readonly num_train_timesteps: number;
  /** Whether the config asks for Karras sigmas; read by the samplers that have them. */
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
  /** Its web UI name with Karras sigmas, if the web UI lists that as a separate sampler. */
  readonly karrasLabel?: string;
  /** Whether it has Karras sigmas. */
  readonly karras: boolean;
  /** The forms of noise that it supports; models with another are refused. */
  readonly forms: readonly NoiseForm[];
  /** The keys of a scheduler_config.json that its class in Diffusers knows, with that class's defaults. */
  readonly schema: S;
  /**
   * @param steps number of steps, 1 to the config's num_train_timesteps.
   * @throws TillerError for a number of steps that its schedule does not allow.
   * @throws TillerError if the config asks for something it does not support.
   */
  create(config: z.output<S>, steps: number, options: { readonly karras: boolean }): Sampler;
}

/** A sampler's kind, with its types inferred. */
export const samplerKind = <const N extends string, S extends z.ZodType<ScheduleConfig>>(
  one: SamplerKind<N, S>,
): SamplerKind<N, S> => one;
