/** Pretraining, stage by stage: resumable, each with a log, a curve and its network in Diffusers' format. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { writeAll, writeAtomically } from "../../files/atomic-file.ts";
import { type Engine, startEngine, type Tensor } from "../../runtime/index.ts";
import { newAdamWState } from "../../training/adamw.ts";
import { readCheckpoint, writeCheckpoint } from "../../training/checkpoint.ts";
import { openLossLog } from "../../training/loss-log.ts";
import { gradientOf, withGradients } from "../../training/losses.ts";
import { optimise, type StepDone } from "../../training/optimise.ts";
import { fromFloat32 } from "../../weights/elements.ts";
import { writeSafetensors } from "../../weights/safetensors.ts";
import type { Stage } from "./stage.ts";

export interface PretrainOptions {
  /** Logs and checkpoints. */
  readonly workFolder: string;
  /** The model that the network becomes part of. */
  readonly modelFolder: string;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const checkpointEvery = 100;

/** Trains a stage from its last checkpoint to its end, yielding every step, and writes the network at every checkpoint. */
export async function* pretrain(
  stage: Stage,
  { workFolder, modelFolder, threads, signal }: PretrainOptions,
): AsyncGenerator<StepDone & { readonly steps: number; readonly seconds: number }, void, undefined> {
  const folder = join(workFolder, stage.folder);
  await mkdir(folder, { recursive: true });
  await mkdir(join(modelFolder, stage.folder), { recursive: true });
  const checkpoint = join(folder, "checkpoint.safetensors");
  const values = stage.start();
  const state = newAdamWState(new Map([...values].map(([name, { data }]) => [name, data as Float32Array])));
  const identity = { stage: stage.folder, config: stage.config, settings: stage.settings };
  await readCheckpoint(checkpoint, values, state, identity);
  const log = await openLossLog(join(folder, "log.jsonl"), state.steps);
  const save = async () => {
    await writeCheckpoint(checkpoint, values, state, identity);
    await log.draw(join(folder, "loss.svg"));
    await writeNetwork(join(modelFolder, stage.folder), stage.config, values);
  };

  const engine = await startEngine({ threads });
  try {
    const objective = await compileObjective(engine, stage, values);
    let began = performance.now();
    for await (const done of optimise(values, state, objective, stage.settings)) {
      const seconds = (performance.now() - began) / 1000;
      began = performance.now();
      await log.add({ ...done, seconds: Number(seconds.toFixed(3)) });
      yield { ...done, steps: stage.settings.steps, seconds };
      if (done.step % checkpointEvery === 0 || signal?.aborted) await save();
      signal?.throwIfAborted();
    }
    await save();
  } finally {
    await engine.close();
  }
}

/** The loss and its gradients at a draw, with `values` as they are then. */
export async function compileObjective(engine: Engine, stage: Stage, values: ReadonlyMap<string, Tensor>) {
  const names = [...values.keys()];
  const session = await engine.compile(stage.folder, withGradients(stage.loss(values), names));
  return async (draw: number) => {
    const results = await session.run({ ...Object.fromEntries(values), ...stage.feeds(draw) });
    const gradients = new Map(names.map((name) => [name, results[gradientOf(name)]!.data as Float32Array]));
    return { loss: results.loss!.data[0]!, gradients };
  };
}

/** config.json and the weights in half precision, as Diffusers lays them out. */
export async function writeNetwork(
  folder: string,
  config: Readonly<Record<string, unknown>>,
  values: ReadonlyMap<string, Tensor>,
  name = "diffusion_pytorch_model.safetensors",
): Promise<void> {
  const json = new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`);
  await writeAtomically(join(folder, "config.json"), (handle) => writeAll(handle, json));
  const tensors = [...values].map(([key, { shape, data }]) => ({
    name: key,
    dtype: "float16" as const,
    shape,
    data: fromFloat32(data as Float32Array, "float16"),
  }));
  await writeSafetensors(join(folder, name), tensors, { format: "pt" });
}
