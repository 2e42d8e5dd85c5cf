/** A fake environment for the command line: pictures are flat colours, streams are strings. */
import { PassThrough } from "node:stream";
import { expect } from "vitest";
import { run } from "../src/cli/run.ts";
import type { LoadedPipeline, World } from "../src/cli/world.ts";
import { usualDefaults } from "../src/families/stable-diffusion/defaults.ts";
import {
  type FullRequest,
  type GenerateEvent,
  type GivenPicture,
  type LoadOptions,
  type ModelDefaults,
  pictureRequestSchema,
  type Recipe,
  train,
  version,
} from "../src/index.ts";
import { completed } from "../src/internal.ts";
import { defaultsWith } from "../src/pipelines/defaults.ts";

export interface Fake {
  /** Called before every step; may throw or abort. */
  onStep?: (step: number, request: FullRequest) => void | Promise<void>;
  batch?: number;
  warnings?: readonly string[];
  /** The model's defaults. */
  defaults?: Partial<ModelDefaults>;
  loadError?: Error;
  closeError?: Error;
  terminal?: boolean;
  sha256?: string;
  /** Replaces training, which is real by default. */
  train?: World["train"];
  devices?: Readonly<Record<string, { ok: boolean; detail: string }>>;
}

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
  /** Standard output, parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read arbitrary output.
  json: () => any;
  requests: FullRequest[];
  loads: { model: string; options: LoadOptions }[];
  closed: number;
}

/** Runs `tiller` with these arguments. `controller` simulates Ctrl-C. */
export async function tiller(
  argv: readonly string[],
  fake: Fake = {},
  controller = new AbortController(),
): Promise<Outcome> {
  const out = collect();
  const err = collect();
  if (fake.terminal) Object.assign(err.stream, { isTTY: true, columns: 100 });
  const outcome = { code: 0, requests: [] as FullRequest[], loads: [] as Outcome["loads"], closed: 0 };
  const world: World = {
    stdout: out.stream,
    stderr: err.stream,
    signal: controller.signal,
    async loadPipeline(model, options) {
      outcome.loads.push({ model, options });
      options.onProgress?.({ what: "building the networks" });
      if (fake.loadError) throw fake.loadError;
      return fakePipeline(model, options, fake, outcome);
    },
    train: fake.train ?? train,
    async probeDevice(device) {
      return (
        fake.devices?.[device] ?? { ok: device === "cpu", detail: device === "cpu" ? "works" : "not in this build" }
      );
    },
  };
  outcome.code = await run(argv, world);
  const stdout = out.text();
  return { ...outcome, stdout, stderr: err.text(), json: () => JSON.parse(stdout) };
}

/** {@link tiller} for a call that fails; returns the error of `--json`, which also appears on standard error. */
export async function refused(
  argv: readonly string[],
  fake: Fake = {},
): Promise<Outcome & { error: { code?: string; message: string; exitCode: number } }> {
  // Before the first option, so that it is not taken as an option's value.
  const first = argv.findIndex((word) => word.startsWith("-"));
  const at = first < 0 ? argv.length : first;
  const outcome = await tiller([...argv.slice(0, at), "--json", ...argv.slice(at)], fake);
  const { error } = outcome.json();
  expect(outcome.stderr).toContain(`tiller: ${error.message}\n`);
  expect(error.exitCode).toBe(outcome.code);
  return { ...outcome, error };
}

function fakePipeline(
  model: string,
  options: LoadOptions,
  fake: Fake,
  outcome: Pick<Outcome, "requests" | "closed">,
): LoadedPipeline {
  const defaults = defaultsWith(
    { ...usualDefaults, ...fake.defaults, omegas: {}, width: 16, height: 8, sideMultiple: 8 },
    (options.adapters ?? []).map(() => undefined),
    options.base !== undefined,
  );
  return {
    sessionsBuilt: 3,
    device: "cpu",
    precision: "float32",
    defaults,
    async *generate(asked, { signal } = {}): AsyncGenerator<GenerateEvent> {
      const request = completed(pictureRequestSchema.parse(asked), defaults);
      outcome.requests.push(request);
      for (const message of fake.warnings ?? []) yield { type: "warning", message };
      const { width = 16, height = 8, steps, count, seed } = request;
      const flat = (s: number) => ({ width, height, data: new Uint8Array(width * height * 3).fill((s * 40) % 256) });
      for (let first = 0; first < count; first += fake.batch ?? 1) {
        const batch = Math.min(fake.batch ?? 1, count - first);
        for (let step = 1; step <= steps; step++) {
          await fake.onStep?.(step, request);
          signal?.throwIfAborted();
          const preview = async () => Array.from({ length: batch }, (_, i) => flat(seed + first + i));
          yield { type: "step", step, steps, picture: first, batch, rows: 2, preview };
        }
        for (let index = first; index < first + batch; index++) {
          const one = { ...request, seed: seed + index, count: 1 };
          yield {
            type: "picture",
            index,
            seed: one.seed,
            ...flat(one.seed),
            recipe: recipe(model, options, one, fake),
          };
        }
      }
    },
    async close() {
      outcome.closed++;
      if (fake.closeError) throw fake.closeError;
      return options.profile
        ? [
            { graph: "unet", operator: "Conv", milliseconds: 1500, calls: 20 },
            { graph: "unet", operator: "MatMul", milliseconds: 500, calls: 30 },
            { graph: "vae", operator: "Conv", milliseconds: 500, calls: 5 },
          ]
        : [];
    },
  };
}

function recipe(model: string, { adapters, base, variant }: LoadOptions, request: FullRequest, fake: Fake): Recipe {
  return {
    tiller: version,
    model,
    ...(base !== undefined && { base }),
    ...(variant !== undefined && { variant }),
    adapters: (adapters ?? []).map((adapter) => {
      const { file, strength = 1 } = typeof adapter === "string" ? { file: adapter } : adapter;
      return {
        file,
        name: file,
        strength,
        ...(fake.sha256 !== undefined && { sha256: fake.sha256 }),
      };
    }),
    request: { ...request, image: recorded(request.image), mask: recorded(request.mask) },
  };
}

/** The recipe's record of a picture, whose file is not read. */
const recorded = (given: GivenPicture | undefined) =>
  given === undefined ? undefined : { file: typeof given === "string" ? given : "given", sha256: "0".repeat(64) };

function collect() {
  const stream = new PassThrough();
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  return { stream, text: () => Buffer.concat(chunks).toString("utf8") };
}
