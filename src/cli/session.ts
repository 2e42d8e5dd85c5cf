/** Loads a pipeline with progress and closes it however the command ends. */
import { embeddedModel, type LoadOptions, type OperatorTime, TillerError } from "../index.ts";
import { memoryText, photographsModel } from "../internal.ts";
import { orInterrupted } from "./interruption.ts";
import type { ModelChoice, PictureOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { table } from "./printable.ts";
import type { LoadedPipeline, World } from "./world.ts";

/** Runs `use` with the model loaded. With `--profile`, prints the operators' times afterwards. */
export async function withPipeline(
  { model, load, unnamed }: ModelChoice,
  { device, precision: asked, threads, memory, profile, from }: PictureOptions,
  world: World,
  output: Output,
  drawing: LoadOptions["drawing"],
  use: (pipeline: LoadedPipeline) => Promise<void>,
): Promise<void> {
  const began = performance.now();
  // Repeating a picture needs the reference's number type; new pictures use the fastest safe one.
  const precision = asked ?? (from === undefined ? "auto" : "float32");
  output.progress.doing("loading");
  const loading = world.loadPipeline(model, {
    ...load,
    device,
    precision,
    ...(threads !== undefined && { threads }),
    ...(profile && { profile }),
    ...(memory !== undefined && { memory: memory * 2 ** 30 }),
    drawing: drawing ?? {},
    onPlan(plan) {
      output.result.memory = plan;
      output.progress.note(memoryText(plan));
    },
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
    if (asked === "auto" || (precision === "auto" && pipeline.precision !== "float32"))
      output.progress.note(`computing in ${pipeline.precision} on ${pipeline.device}`);
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

/** If an adapter does not fit the embedded model that was used by default, makes the error say so and how to choose another. */
export function withModelNamed(error: unknown): unknown {
  if (!(error instanceof TillerError) || error.code !== "adapter-other-model") return error;
  const [file] = error.paths;
  return new TillerError(
    error.code,
    `${file} is not for ${embeddedModel}, the default model: name the model it was trained on, ` +
      `such as --model ${photographsModel}; tiller inspect shows which it is.`,
    { paths: error.paths, cause: error },
  );
}

/** Prints the operators of all graphs together, slowest first. */
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
