/**
 * Tiller Studio's server: the web page, its own API, and those of OpenAI and AUTOMATIC1111's web UI.
 *
 * @module tillerjs/server
 */

import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type DeviceName, type PrecisionName, precisionNames, TillerError } from "../index.ts";
import { exists, hold, precisionsOn } from "../internal.ts";
import { appOf } from "./app.ts";
import { type DataFolder, openDataFolder } from "./data-folder.ts";
import { deliverHere } from "./deliver-here.ts";
import type { StudioFleet } from "./deliver-to-workers.ts";
import { openJobList } from "./job-list.ts";
import { leftoversIn, removeLeftovers } from "./leftovers.ts";
import { listen, refuseNoPort } from "./listen.ts";
import { modelsOf } from "./models.ts";
import { keepPipelines } from "./pipelines.ts";
import { isLoopback } from "./protection.ts";
import type { Services } from "./routes.ts";
import { runJobIn } from "./run-job.ts";
import { scoringIn } from "./scoring.ts";
import { studiesIn } from "./studies.ts";
import { usualMostWork } from "./work.ts";

export { type StudyServer, type StudyServerOptions, startStudy } from "./study-server.ts";

/** Options of a server. */
export interface StudioOptions {
  /** The folder of pictures, adapters, uploads and jobs. */
  readonly data: string;
  /** Folders, files or hub ids; the embedded model by default. */
  readonly models?: readonly string[] | undefined;
  /** The folder of the CLIP for scores; the embedded model's by default. */
  readonly clip?: string | undefined;
  /** The folder of the ViT for scores; the embedded model's by default. */
  readonly dino?: string | undefined;
  /** Loopback by default; any other host requires a token. */
  readonly host?: string | undefined;
  /** 0 for any free port. */
  readonly port: number;
  /** The device to run on: `auto` by default, which takes a GPU if one works. */
  readonly device?: DeviceName | undefined;
  /** Number type of matrix products for jobs that do not name one: float32 by default. */
  readonly precision?: PrecisionName | undefined;
  /** Threads per operator; by default one per core. */
  readonly threads?: number | undefined;
  /** The queue and the store of workers that do the jobs; by default the server does them itself. */
  readonly fleet?: StudioFleet | undefined;
  /** The most jobs that may wait: 500 by default. */
  readonly bound?: number | undefined;
  /** The most megapixel-steps (pictures x steps x megapixels) of one request: 20,000 by default. */
  readonly mostWork?: number | undefined;
}

export type { StudioFleet };

/** A running server. */
export interface Studio {
  /** The page's URL, with the token if there is one. */
  readonly url: string;
  /** The token that clients need; undefined on loopback. */
  readonly token: string | undefined;
  /** Stops the server; a job that it was doing itself comes first after a restart. */
  close(): Promise<void>;
}

/** The folder's token, made on first use; it is kept, so that open pages stay signed in across restarts. */
async function tokenOf({ token: file }: DataFolder): Promise<string> {
  if (!(await exists(file))) await writeFile(file, randomBytes(24).toString("base64url"), { mode: 0o600 });
  return readFile(file, "utf8");
}

const page = fileURLToPath(new URL("../../dist/studio", import.meta.url));

/**
 * Starts the server.
 *
 * @throws TillerError if the port or host is unavailable, another server uses the folder, or the folder cannot be made.
 */
export async function startStudio(options: StudioOptions): Promise<Studio> {
  const { host = "127.0.0.1", port, device, precision, threads, bound = 500, mostWork = usualMostWork } = options;
  refuseNoPort(port);
  const data = await openDataFolder(options.data);
  const leftovers = await leftoversIn(data);
  const models = modelsOf(options.models ?? []);
  const pipelines = keepPipelines({ device, threads });
  const workshop = { data, models, pipelines, mostWork, device, precision, threads };
  const delivery = options.fleet
    ? await (await import("./deliver-to-workers.ts")).openFleet(options.fleet, { data, models, precision })
    : await deliverHere(runJobIn(workshop));
  const jobs = await openJobList(data, delivery, { bound });
  // Determined once, on first use. Workers' devices are not known here: they refuse what they cannot compute.
  let precisions: ReturnType<Services["precisions"]> | undefined;
  const ofWorkers = async () => precisionNames.map((name) => ({ name, on: "worker" }));
  const precisionsHere = () => (precisions ??= options.fleet ? ofWorkers() : precisionsOn(device));
  const scoring = scoringIn(data, models, { clip: options.clip, dino: options.dino, device, threads });
  const token = isLoopback(host) ? undefined : await tokenOf(data);
  const studies = studiesIn(data);
  const services = { data, models, jobs, scoring, studies, mostWork, precisions: precisionsHere, precision };
  const app = appOf(services, { token, page });
  const { url, end } = await listen(app.fetch, host, port).catch(async (error: unknown) => {
    await delivery.jobs.close();
    throw error;
  });
  const release = await hold(data.lock);
  if (!release) {
    await end();
    await delivery.jobs.close();
    throw new TillerError(
      "folder-in-use",
      `another server uses ${options.data}: stop it, or choose another folder with --data; if there is none, remove ${data.lock}.`,
      { paths: [options.data, data.lock] },
    );
  }
  await removeLeftovers(leftovers);
  jobs.begin();
  return {
    url: `${url}${token ? `?token=${token}` : ""}`,
    token,
    async close() {
      await end();
      await jobs.close();
      await pipelines.close();
      await scoring.close();
      await release();
    },
  };
}
