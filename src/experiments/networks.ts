/** The networks of an experiment on this machine: their hashes, their device, and those that measure. */
import { embeddedFolder, embeddedModel } from "../families/embedded.ts";
import { openModel } from "../families/open-model.ts";
import { type Encoders, encoderFolders, openEncoders as openIn } from "../metrics/open-encoders.ts";
import { drawingCompute } from "../pipelines/drawing-compute.ts";
import {
  type Compute,
  type DeviceName,
  type Engine,
  type PrecisionName,
  resolveCompute,
  startEngine,
} from "../runtime/index.ts";
import type { Experiment } from "./experiment.ts";
import { modelIdentity } from "./identity.ts";
import type { Identities } from "./plan.ts";

/** A queue and a store that workers of several machines share. */
export interface Fleet {
  /** `redis://`, `rediss://` or `postgres://`. */
  readonly queue: string;
  /** A folder that all of them have, or `s3://bucket/prefix`; by default the experiment's folder. */
  readonly store?: string | undefined;
  /** Allows a connection to another machine that is not encrypted. */
  readonly insecure?: boolean | undefined;
  /** Leaves the work to the workers, and returns as soon as they have it. */
  readonly detach?: boolean | undefined;
}

/** What an experiment still needs. */
export interface Forecast {
  /** Adapters to train. */
  readonly adapters: number;
  /** Class images to draw for them. */
  readonly classPictures: number;
  /** Pictures to draw. */
  readonly pictures: number;
  /** In one process on this machine, from steps measured now; scoring is not counted. */
  readonly seconds: number;
  /** Of the pictures, class images included, on disk. */
  readonly bytes: number;
}

/** Where and how an experiment is run. */
export interface RunOptions {
  /** Where units are kept; finished ones are not done again. */
  readonly folder: string;
  /** Processes of this machine that share the work; by default this one does it, and with a fleet the workers of others. */
  readonly workers?: number | undefined;
  /** Where workers of other machines get their jobs: a queue and a store that they can reach. */
  readonly fleet?: Fleet | undefined;
  /** The device to run on: `auto` by default, which takes a GPU if one works. */
  readonly device?: DeviceName | undefined;
  /** Number type of matrix products; by default the experiment's, else float32. */
  readonly precision?: PrecisionName | undefined;
  /** Called once with the device and number type, when they are known. */
  readonly onCompute?: ((compute: Compute) => void) | undefined;
  /**
   * Called once, before anything is done, with what is missing. Measuring it draws a few steps; and every folder and file that is
   * not here is refused at once.
   */
  readonly onForecast?: ((forecast: Forecast) => void) | undefined;
  /** Threads per operator; by default one per core. */
  readonly threads?: number | undefined;
  /** Aborts within a step, throwing the signal's reason; finished units stay. */
  readonly signal?: AbortSignal | undefined;
}

/** Hashes an experiment's networks. */
export async function identitiesOf(
  experiment: Pick<Experiment, "model" | "base" | "metrics" | "encoders" | "protocol">,
): Promise<Identities> {
  const folders = await encoderFolders(experiment.metrics, experiment.encoders ?? {});
  const encoders: string[] = [];
  for (const folder of folders.values()) encoders.push(await modelIdentity(folder));
  const named = (model: string) => (model === embeddedModel ? embeddedFolder : model);
  const { model, base } = experiment;
  return {
    // The embedded model's folder also holds encoders, which do not affect its pictures. Its tiller.json counts: class images
    // are drawn with its defaults.
    model: await modelIdentity(named(model), ["clip", "vit"]),
    ...(base !== undefined && { base: await modelIdentity(named(base), ["clip", "vit"]) }),
    encoders: [...encoders, experiment.protocol],
  };
}

/** The device and number type for an experiment's pictures on this machine. */
export async function computeOf(
  { model, base, precision }: Pick<Experiment, "model" | "base" | "precision">,
  { device, signal }: Pick<RunOptions, "device" | "signal">,
): Promise<Compute> {
  return precision === "auto"
    ? drawingCompute(await openModel(model, { base, signal }), { device, precision })
    : resolveCompute({ device, precision });
}

/** The engine for scores: always float32, so that scores are comparable. */
export const measuringEngine = async ({ device, threads }: Pick<RunOptions, "device" | "threads">): Promise<Engine> =>
  startEngine({ ...(await resolveCompute({ device })), threads });

/** Opens an experiment's encoders. */
export async function openEncoders(engine: Engine, { metrics, encoders, protocol }: Experiment): Promise<Encoders> {
  return openIn(engine, metrics, await encoderFolders(metrics, encoders ?? {}), protocol);
}
