/** `tiller worker`: does jobs of a queue, until it is stopped. */
import type { Command } from "commander";
import { untilAborted } from "../aborted.ts";
import { embeddedModel, TillerError } from "../index.ts";
import type { Handler, JobKind } from "../jobs/index.ts";
import { addCommonOptions, type CommonOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { addQueueOptions, type QueueOptions, requiredFleet } from "./queue-options.ts";
import { parseChoice, parseWhole } from "./values.ts";
import type { World } from "./world.ts";

interface WorkerOptions extends CommonOptions, QueueOptions {
  kinds?: readonly JobKind[];
  allowModel?: string[];
  maxWork?: number;
  metrics?: string;
}

/** Studio's pictures, for which people wait, then an experiment's units, then Studio's training. */
const usualKinds = ["pictures", "draw", "train", "training"] as const satisfies readonly JobKind[];

export function addWorker(program: Command, act: (options: WorkerOptions) => Promise<void>): void {
  const command = program
    .command("worker")
    .description("do the jobs of experiments and of Studio on other machines, until it is stopped")
    .option(
      "--kinds <list>",
      `what to do, of ${usualKinds.join(",")}: the first and the last are Studio's; earlier kinds come first; default: all`,
      (text) => text.split(",").map((one) => parseChoice("--kinds", one.trim(), usualKinds)),
    )
    .option(
      "--allow-model <model>",
      "a model or an encoder that jobs may use: a folder, a file or dinghy; repeatable; default: dinghy, which comes with Tiller",
      (text, before: string[] = []) => [...before, text],
    )
    .option(
      "--max-work <n>",
      "limit on one of Studio's requests in megapixel-steps (pictures x steps x megapixels); default: 20000",
      (text) => parseWhole("--max-work", text, 1),
    )
    .option(
      "--metrics <address>",
      "serve /metrics for Prometheus at a port of this machine alone, as in 9464, or at host:port",
    );
  addQueueOptions(command);
  addCommonOptions(command)
    .addHelpText(
      "after",
      `
Example:
  TILLER_QUEUE=rediss://user:password@queue:6379 tiller worker --store s3://bucket/paper --allow-model ./sd15`,
    )
    .action(act);
}

export async function worker(options: WorkerOptions, { signal }: World, output: Output): Promise<void> {
  const { queue, store: place, insecure = false } = requiredFleet(options);
  const {
    kinds = usualKinds,
    allowModel = [embeddedModel],
    maxWork,
    metrics: address,
    device,
    precision,
    threads,
  } = options;
  if (precision !== undefined)
    throw new TillerError(
      "option-invalid",
      "--precision is the experiment's or Studio's: name it where that is started.",
    );
  // Loaded here: no other command needs them.
  const [
    { masked, openJobs, openStore, queuesOf },
    { allowedModels, openExperimentWorker },
    { openStudioWorker, openWorkerMetrics },
  ] = await Promise.all([import("../jobs/index.ts"), import("../experiments/fleet.ts"), import("../server/fleet.ts")]);
  const allowed = await allowedModels(allowModel);
  const store = await openStore(place, { insecure });
  const metrics = address === undefined ? undefined : await openWorkerMetrics(address, kinds);
  const jobs = await openJobs(queue, { insecure, onWarning: (warning) => output.warn(warning) });
  const opening = {
    experiments: () => openExperimentWorker({ store, allowed, device, threads }),
    studio: () => openStudioWorker({ store, allowed, device, threads, mostWork: maxWork }),
  };
  // One of them has its networks in memory at a time.
  let open: { readonly of: keyof typeof opening; readonly worker: ReturnType<typeof opening.studio> } | undefined;
  const workerFor = async (kind: JobKind) => {
    const of = kind === "pictures" || kind === "training" ? "studio" : "experiments";
    if (open?.of === of) return open.worker;
    await open?.worker.close();
    open = { of, worker: opening[of]() };
    return open.worker;
  };
  let done = 0;
  const handler: Handler = async (job, at) => {
    const began = performance.now();
    const ends = metrics?.begins(job.kind);
    const tell: typeof at.progress = (progress) => {
      output.progress.doing(progress.detail === "" ? progress.what : `${progress.what}, ${progress.detail}`);
      at.progress(progress);
    };
    try {
      const { handler } = await workerFor(job.kind);
      const ended = await handler(job, { signal: at.signal, progress: tell });
      done++;
      ends?.("done", ended.pictures ?? 0);
      output.progress.note(`${job.id}: done in ${((performance.now() - began) / 1000).toFixed(1)} s`);
      return ended;
    } catch (error) {
      ends?.(at.signal.aborted ? "stopped" : "failed", 0);
      const why = error instanceof Error ? error.message : String(error);
      output.progress.note(`${job.id}: ${at.signal.aborted ? "stopped" : "failed"}: ${why}`);
      throw error;
    }
  };
  const working = jobs.work(queuesOf(kinds, [...allowed.keys()]), handler);
  output.say(`working on ${masked(queue)} for ${store.name}; Ctrl-C stops after the step`);
  if (metrics) output.say(`metrics: ${metrics.url}`);
  await untilAborted(signal);
  await working.close();
  await open?.worker.close();
  await jobs.close();
  await metrics?.close();
  output.result.done = done;
  output.say(`${done} jobs done`);
}
