/** Does the units of one experiment, one after the other, with the networks that the last one left open. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { exists } from "#bytes";
import { TillerError } from "../errors/index.ts";
import type { Handler } from "../jobs/index.ts";
import type { Encoders } from "../metrics/open-encoders.ts";
import { parseAdapter } from "../pipelines/adapter-spec.ts";
import { Pipeline } from "../pipelines/pipeline.ts";
import type { Compute, Engine } from "../runtime/index.ts";
import type { TrainOptions } from "../training/run/train.ts";
import type { Experiment } from "./experiment.ts";
import { measuringEngine, openEncoders, type RunOptions } from "./networks.ts";
import { pathsIn } from "./paths.ts";
import { type AdapterUnit, adaptersOf, type Cell, type PictureUnit } from "./plan.ts";
import { readDone } from "./store.ts";
import type { UnitJob } from "./unit-jobs.ts";
import {
  adapterRecordSchema,
  doAdapter,
  doPictures,
  drawClass,
  featuresOfUnit,
  type OnStep,
  pictureRecordSchema,
} from "./units.ts";
import { checkpointFile, type Workplace } from "./workplace.ts";

export interface UnitWorkerOptions extends Pick<RunOptions, "device" | "threads"> {
  /** With the paths of this machine. */
  readonly experiment: Experiment;
  /** With the names that recipes have, the same on every machine. */
  readonly named: Experiment;
  readonly compute: Compute;
  readonly workplace: Workplace;
}

export interface UnitWorker {
  /** Does one of `jobs`. */
  handler(jobs: ReadonlyMap<string, UnitJob>): Handler;
  close(): Promise<void>;
}

/** Milliseconds between copies of a checkpoint into the store. */
const checkpointEvery = 60_000;

export function openUnitWorker({
  experiment,
  named,
  compute,
  workplace,
  device,
  threads,
}: UnitWorkerOptions): UnitWorker {
  let pipeline: Pipeline | undefined;
  let engine: Engine | undefined;
  let encoders: Encoders | undefined;
  const closePipeline = async () => {
    const old = pipeline;
    pipeline = undefined;
    await old?.close();
  };

  async function train(adapter: AdapterUnit, { concept }: Cell, options: TrainOptions, onStep: OnStep): Promise<void> {
    const brought = await workplace.bringCheckpoint(adapter);
    let given = performance.now();
    // Training goes on if the store is away.
    const keep = () => workplace.giveCheckpoint(adapter).catch(() => {});
    const learn = () =>
      doAdapter(adapter, concept, options, async (done, doing, detail) => {
        onStep(done, doing, detail);
        if (performance.now() - given < checkpointEvery || !(await exists(checkpointFile(adapter)))) return;
        given = performance.now();
        await keep();
      });
    try {
      await learn();
    } catch (error) {
      if (options.signal?.aborted) {
        if (await exists(checkpointFile(adapter))) await keep();
        throw error;
      }
      const foreign =
        error instanceof TillerError && (error.code === "resume-mismatch" || error.code === "checkpoint-invalid");
      if (!brought || !foreign) throw error;
      // It was made under another name of the model: begin anew.
      await rm(adapter.folder, { recursive: true, force: true });
      await learn();
    }
  }

  /** Returns how many pictures were not in the store yet. */
  async function draw(unit: PictureUnit, cell: Cell, signal: AbortSignal, onStep: OnStep): Promise<number> {
    const { adapter, concept, personalisation } = cell;
    const work = { kind: "pictures", unit } as const;
    const brought = await workplace.bring(work);
    if (!brought) {
      if (adapter && !(await workplace.bring({ kind: "adapter", adapter }))) {
        throw new TillerError("result-missing", `the adapter of ${concept.name} is gone: run the experiment again.`);
      }
      const trained = adapter ? (await readDone(adapter.folder, adapterRecordSchema))!.adapters : [];
      const given = adaptersOf(personalisation, concept);
      const files = [...trained.map((file) => join(adapter!.folder, file)), ...given];
      pipeline ??= await Pipeline.load(experiment.model, {
        ...{ ...compute, threads, signal, adapters: files },
        base: experiment.base,
      });
      await pipeline.setAdapters(files);
      const names = trained.map((file) => `adapters/${adapter!.key}/${file}`);
      await doPictures(unit, concept, experiment, pipeline, signal, onStep, {
        ...{ model: named.model, base: named.base },
        adapters: [...names, ...given.map((spec) => parseAdapter(nameOf(spec)).file)],
      });
      await workplace.give(work);
    }
    engine ??= await measuringEngine({ device, threads });
    encoders ??= await openEncoders(engine, experiment);
    const record = await readDone(unit.folder, pictureRecordSchema);
    await featuresOfUnit(unit, record!, concept, experiment, encoders);
    await workplace.giveFeatures(unit);
    return brought ? 0 : record!.seeds.length;
  }

  /** What recipes call a file of the experiment: its adapters come with their strengths. */
  const [here, there] = [pathsIn(experiment), pathsIn(named)];
  const names = new Map(here.map((path, i) => [path, there[i]!]));
  const nameOf = (path: string) => names.get(path) ?? path;

  return {
    handler: (jobs) => async (spec, at) => {
      const one = jobs.get(spec.id);
      if (!one) throw new TillerError("job-invalid", `the experiment has no unit ${spec.id}.`);
      const { work, cell } = one;
      if (await one.isDone()) return { next: one.next };
      const onStep: OnStep = (done, doing, detail) => at.progress({ done, total: 0, what: doing, detail });
      const { signal } = at;
      let pictures = 0;
      try {
        if (work.kind === "pictures") pictures = await draw(work.unit, cell, signal, onStep);
        else {
          // Free the memory for training.
          await closePipeline();
          const { adapter } = work;
          // int8 is only for drawing.
          const precision = compute.precision === "int8" ? "float32" : compute.precision;
          const options = { ...compute, precision, threads, signal };
          if (!(await workplace.bring(work))) {
            if (work.kind === "class") {
              await drawClass(adapter, cell.concept, experiment.model, options, onStep);
              pictures = adapter.classPictures;
            } else {
              if (adapter.classPictures > 0) await workplace.bring({ kind: "class", adapter });
              await train(adapter, cell, options, onStep);
            }
            await workplace.give(work);
          }
        }
      } catch (error) {
        // After a failure the next unit starts with a fresh pipeline.
        await closePipeline().catch(() => {});
        throw error;
      }
      return { next: one.next, pictures };
    },
    async close() {
      await closePipeline();
      await engine?.close();
      engine = undefined;
      encoders = undefined;
    },
  };
}
