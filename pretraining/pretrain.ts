/** Pretraining in stages: resumable, each with a log, a loss curve and its network in Diffusers' format. */
import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { TillerError } from "../src/errors/index.ts";
import { type Engine, startEngine, type Tensor } from "../src/runtime/index.ts";
import { gradientOf, withGradients } from "../src/training/objective/losses.ts";
import type { Evaluated } from "../src/training/objective/terms.ts";
import { newAdamWState } from "../src/training/optimise/adamw.ts";
import { type OptimiserSettings, optimise, type StepDone } from "../src/training/optimise/optimise.ts";
import { accumulate, dataOf, type TensorValues } from "../src/training/optimise/tensor-values.ts";
import { type Parts, readCheckpoint, writeCheckpoint } from "../src/training/run/checkpoint.ts";
import { openLossLog } from "../src/training/run/loss-log.ts";
import { keepNetwork } from "./kept-network.ts";
import { compileMuon } from "./muon.ts";
import { type Feeds, generation, type Stage, type Workshop } from "./stage.ts";
import { writeNetwork, writeText } from "./write-network.ts";

export interface PretrainOptions {
  /** The folder of logs and checkpoints. */
  readonly workFolder: string;
  /** The folder of the model. */
  readonly modelFolder: string;
  /**
   * Without a checkpoint, start from the model's network, on unseen pictures; by default from scratch.
   */
  readonly goOn?: boolean | undefined;
  /** By default one per core. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const checkpointEvery = 100;

/** Trains a stage from its last checkpoint to the end, yielding every step and writing its networks at every checkpoint. */
export async function* pretrain(
  build: (workshop: Workshop) => Stage | Promise<Stage>,
  { workFolder, modelFolder, goOn = false, threads = availableParallelism(), signal }: PretrainOptions,
): AsyncGenerator<
  StepDone & { readonly stage: string; readonly steps: number; readonly seconds: number },
  void,
  undefined
> {
  const engine = await startEngine({ threads });
  const engines = [engine];
  try {
    const stage = await build({ engine, modelFolder, workFolder });
    const settings = goOn && stage.round !== undefined ? { ...stage.settings, steps: stage.round } : stage.settings;
    // Small operators gain little from a second thread; splitting the batch gains nearly a factor of two.
    if (stage.separable) {
      engines.push(...(await Promise.all(Array.from({ length: threads }, () => startEngine({ threads: 1 })))));
    }
    const name = stage.name ?? stage.folder;
    const folder = join(workFolder, name);
    await mkdir(folder, { recursive: true });
    const checkpoint = join(folder, "checkpoint.safetensors");
    const begun = goOn ? await begunFrom(stage, modelFolder, folder) : { values: stage.start(), firstDraw: 0 };
    const { values } = begun;
    const flat = dataOf(values);
    const state = newAdamWState(flat);
    const averages: TensorValues | undefined =
      stage.averaging === undefined ? undefined : new Map([...flat].map(([name, data]) => [name, data.slice()]));
    const others: Parts = averages ? { average: averages } : {};
    const identity = {
      stage: name,
      config: stage.config,
      settings: identifying(settings),
      firstDraw: begun.firstDraw || undefined,
    };
    await readCheckpoint(checkpoint, values, state, identity, others);
    const log = await openLossLog(join(folder, "log.jsonl"), state.steps);
    const save = async () => {
      await writeCheckpoint(checkpoint, values, state, identity, others);
      await log.draw(join(folder, "loss.svg"));
      await writeModelParts(modelFolder, stage, averages ? withData(values, averages) : values);
    };

    const objective = await compileObjective(stage.separable ? engines.slice(1) : engines, stage, values);
    const update = stage.muon && (await compileMuon(engine, values, stage.muon));
    let began = performance.now();
    const onDraw = (draw: number) => objective(begun.firstDraw + draw);
    for await (const done of optimise(values, state, onDraw, settings, update)) {
      if (averages) blendIn(averages, flat, Math.min(stage.averaging!, done.step / (done.step + 10)));
      const seconds = (performance.now() - began) / 1000;
      began = performance.now();
      await log.add({ ...done, seconds: Number(seconds.toFixed(3)) });
      yield { ...done, stage: name, steps: settings.steps, seconds };
      if (done.step % checkpointEvery === 0 || signal?.aborted) await save();
      signal?.throwIfAborted();
    }
    await save();
  } finally {
    await Promise.all(engines.map((one) => one.close()));
  }
}

/**
 * A stage's tensors from the model, auxiliary ones initialised as usual, and the first draw that the network has not seen.
 */
async function begunFrom(
  stage: Stage,
  modelFolder: string,
  folder: string,
): Promise<{ values: Map<string, Tensor>; firstDraw: number }> {
  const kept = join(folder, "begun");
  const { tensors } = await keepNetwork(join(modelFolder, stage.folder), kept);
  const values = stage.start();
  for (const [name, { shape }] of values) {
    const tensor = tensors.get(name);
    if (tensor && String(tensor.shape) === String(shape)) values.set(name, tensor);
    else if (!stage.helps?.(name))
      throw new TillerError("tensor-missing", `${kept} has no ${name} of the shape [${shape}] to continue from.`, {
        paths: [kept],
      });
  }
  const hash = createHash("sha256");
  for (const { data } of values.values()) hash.update(data);
  return { values, firstDraw: generation * (1 + (hash.digest().readUInt32LE() % 50)) };
}

/** A constant learning rate does not depend on the run's length, so the run may be extended. */
const identifying = (settings: OptimiserSettings) =>
  settings.schedule === "constant" ? { ...settings, steps: undefined } : settings;

/** The loss and its gradients at a draw with the current `values`; several engines share the batch. */
export async function compileObjective(
  engines: readonly Engine[],
  stage: Stage,
  values: ReadonlyMap<string, Tensor>,
): Promise<(draw: number) => Promise<Evaluated>> {
  const names = [...values.keys()];
  const outputs = withGradients(stage.loss(values), names);
  const sessions = await Promise.all(engines.map((engine) => engine.compile(stage.folder, outputs)));
  return async (draw) => {
    const parts = partsOf(await stage.feeds(draw), sessions.length);
    const results = await Promise.all(
      parts.map(({ feeds }, i) => sessions[i]!.run({ ...Object.fromEntries(values), ...feeds })),
    );
    let loss = 0;
    const gradients: TensorValues = new Map();
    for (const [i, result] of results.entries()) {
      const { share } = parts[i]!;
      loss += share * result.loss!.data[0]!;
      const own: TensorValues = new Map(names.map((name) => [name, result[gradientOf(name)]!.data as Float32Array]));
      if (share === 1) return { loss, gradients: own };
      accumulate(gradients, own, share);
    }
    return { loss, gradients };
  };
}

/** Splits the rows of all feeds into at most `count` parts, each with its share of the rows. */
function partsOf(feeds: Feeds, count: number): { readonly share: number; readonly feeds: Feeds }[] {
  if (count === 1) return [{ share: 1, feeds }];
  const rows = Object.values(feeds)[0]!.shape[0]!;
  return Array.from({ length: count }, (_, i) => {
    const [from, to] = [Math.floor((i * rows) / count), Math.floor(((i + 1) * rows) / count)];
    const part = Object.entries(feeds).map(([name, { shape, data }]): [string, Tensor] => {
      const size = data.length / rows;
      return [name, { shape: [to - from, ...shape.slice(1)], data: data.slice(from * size, to * size) }];
    });
    return { share: (to - from) / rows, feeds: Object.fromEntries(part) };
  }).filter(({ share }) => share > 0);
}

/** averages = decay * averages + (1 - decay) * values. */
function blendIn(averages: TensorValues, values: TensorValues, decay: number): void {
  for (const [name, average] of averages) {
    const value = values.get(name)!;
    for (let i = 0; i < average.length; i++) average[i] = decay * average[i]! + (1 - decay) * value[i]!;
  }
}

const withData = (tensors: ReadonlyMap<string, Tensor>, data: TensorValues): ReadonlyMap<string, Tensor> =>
  new Map([...tensors].map(([name, { shape }]) => [name, { shape, data: data.get(name)! }]));

async function writeModelParts(modelFolder: string, stage: Stage, values: ReadonlyMap<string, Tensor>): Promise<void> {
  const tensors = new Map([...values].filter(([name]) => !stage.helps?.(name)));
  await writeNetwork(join(modelFolder, stage.folder), { config: stage.config, tensors }, stage.file);
  for (const [folder, network] of Object.entries(stage.parts?.(values) ?? {})) {
    await writeNetwork(join(modelFolder, folder), network, stage.file);
  }
  for (const [path, text] of Object.entries(stage.files ?? {})) await writeText(join(modelFolder, path), text);
}
