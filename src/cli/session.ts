/** A pipeline for as long as a command needs it: loaded with progress, closed however the command ends. */
import { embeddedModel, type OperatorTime, TillerError } from "../index.ts";
import { photographsModel } from "../internal.ts";
import { orInterrupted } from "./interruption.ts";
import type { ModelChoice, PictureOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { table } from "./printable.ts";
import type { LoadedPipeline, World } from "./world.ts";

/** Runs `use` with the model loaded. With `--profile`, what the operators took is told afterwards. */
export async function withPipeline(
  { model, load, unnamed }: ModelChoice,
  { device, precision, threads, profile }: PictureOptions,
  world: World,
  output: Output,
  use: (pipeline: LoadedPipeline) => Promise<void>,
): Promise<void> {
  const began = performance.now();
  output.progress.doing("loading");
  const loading = world.loadPipeline(model, {
    ...load,
    device,
    ...(precision !== undefined && { precision }),
    ...(threads !== undefined && { threads }),
    ...(profile && { profile }),
    signal: world.signal,
    onProgress: ({ what, loaded, total }) =>
      loaded !== undefined && total !== undefined
        ? output.progress.downloading(what, loaded, total)
        : output.progress.doing(what),
  });
  const pipeline = await orInterrupted(loading, world.signal, (late) => late.close()).catch((error: unknown) => {
    throw unnamed ? withModelNamed(error) : error;
  });
  output.result.loadSeconds = (performance.now() - began) / 1000;
  try {
    if (precision === "auto") output.progress.note(`computing in ${pipeline.precision} on ${pipeline.device}`);
    await use(pipeline);
    output.result.sessionsBuilt = pipeline.sessionsBuilt;
    output.result.device = pipeline.device;
    output.result.precision = pipeline.precision;
  } finally {
    output.progress.end();
    const times = await pipeline.close();
    if (profile && times) tellProfile(times, output);
  }
}

/** Of an adapter that does not fit the embedded model, where nobody named that: what model it is, and how to name another. */
export function withModelNamed(error: unknown): unknown {
  if (!(error instanceof TillerError) || error.code !== "adapter-other-model") return error;
  const [file] = error.paths;
  return new TillerError(
    error.code,
    `${file} is not for ${embeddedModel}, the model where no --model is given: name the one it was trained on, ` +
      `such as --model ${photographsModel}; tiller inspect shows what it was made for.`,
    { paths: error.paths, cause: error },
  );
}

/** Operators together over all graphs, the costliest first. */
function tellProfile(times: readonly OperatorTime[], output: Output): void {
  const byOperator = new Map<string, { milliseconds: number; calls: number }>();
  for (const { operator, milliseconds, calls } of times) {
    const sum = byOperator.get(operator) ?? { milliseconds: 0, calls: 0 };
    byOperator.set(operator, { milliseconds: sum.milliseconds + milliseconds, calls: sum.calls + calls });
  }
  const sorted = [...byOperator].sort(([, a], [, b]) => b.milliseconds - a.milliseconds);
  const all = sorted.reduce((sum, [, { milliseconds }]) => sum + milliseconds, 0) || 1;
  output.result.profile = times;
  const rows = sorted.map(([operator, { milliseconds, calls }]) => [
    operator,
    `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`,
    `${((100 * milliseconds) / all).toFixed(1)} %`,
    `${calls} calls`,
  ]);
  output.say(`\n${table([["operator", "time", "share", ""], ...rows])}`);
}
