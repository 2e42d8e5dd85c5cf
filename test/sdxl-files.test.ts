/** Every form in which SDXL is stored gives the pictures of the folder in parity/fixtures/sdxl-pipeline, bit for bit. */
import { readFileSync } from "node:fs";
import { cp, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FloatDType, fromFloat32, toFloat32 } from "../src/bytes/elements.ts";
import type { TensorData as StoredTensor } from "../src/bytes/safetensors.ts";
import { readBytes, readFloat32, readSafetensors, writeSafetensors } from "../src/bytes/safetensors.ts";
import { openModel } from "../src/families/open-model.ts";
import { inspect, type LoadOptions, type PictureRequest, Pipeline } from "../src/index.ts";
import { fixture } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

const original = fixture("sdxl-pipeline/model");
const parts = ["unet", "vae", "text_encoder", "text_encoder_2"] as const;
type Part = (typeof parts)[number];
const fileOf = (part: Part) => `${part}/${part.startsWith("text") ? "model" : "diffusion_pytorch_model"}.safetensors`;

interface TensorData extends StoredTensor {
  readonly data: Uint8Array;
}

let folder: string;
let expected: Uint8Array;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-sdxl-files-"));
  expected = await drawn(original);
});
afterAll(() => rm(folder, { recursive: true }));

async function drawn(model: string, options: LoadOptions = {}): Promise<Uint8Array> {
  const pipeline = await Pipeline.load(model, { device: "cpu", ...options });
  const request: PictureRequest = {
    prompt: "a red cat in the snow",
    negative: "a dog",
    steps: 3,
    seed: 2,
    guidance: "cfg",
  };
  try {
    for await (const event of pipeline.generate({ ...request, width: 32, height: 32 }))
      if (event.type === "picture") return event.data;
    throw new Error("no picture came");
  } finally {
    await pipeline.close();
  }
}

async function copied(): Promise<string> {
  const model = await mkdtemp(join(folder, "model-"));
  await cp(original, model, { recursive: true });
  return model;
}

async function changed(model: string, file: string, changes: object): Promise<void> {
  const json = JSON.parse(await readFile(join(model, file), "utf8"));
  await writeFile(join(model, file), JSON.stringify({ ...json, ...changes }));
}

const tensorsOf = async (part: Part, model = original) =>
  Promise.all(
    [...(await readSafetensors(join(model, fileOf(part)))).tensors].map(
      async ([name, ref]): Promise<TensorData> => ({
        name,
        dtype: ref.dtype,
        shape: ref.shape,
        data: await readBytes(ref),
      }),
    ),
  );

const inType = (tensors: readonly TensorData[], dtype: FloatDType): TensorData[] =>
  tensors.map((one) => ({ ...one, dtype, data: fromFloat32(toFloat32(one.data, one.dtype as FloatDType), dtype) }));

const writeAll = async (model: string, change: (tensors: TensorData[], part: Part) => readonly TensorData[]) => {
  for (const part of parts) await writeSafetensors(join(model, fileOf(part)), change(await tensorsOf(part), part));
};

describe("a Diffusers folder", () => {
  test("in float32 of the same numbers", async () => {
    const model = await copied();
    await writeAll(model, (tensors) => inType(tensors, "float32"));
    expect(await drawn(model)).toEqual(expected);
  });

  test("in bfloat16, which is widened without loss", async () => {
    const [model, widened] = [await copied(), await copied()];
    await writeAll(model, (tensors) => inType(tensors, "bfloat16"));
    await writeAll(widened, (tensors) => inType(inType(tensors, "bfloat16"), "float32"));
    expect(await drawn(model)).toEqual(await drawn(widened));
  });

  test("with fp16 variants", async () => {
    const model = await copied();
    for (const part of parts) {
      await rename(join(model, fileOf(part)), join(model, fileOf(part).replace(".safetensors", ".fp16.safetensors")));
    }
    expect(await drawn(model, { variant: "fp16" })).toEqual(expected);
    expect(await drawn(model)).toEqual(expected);
  });

  test("with a U-Net in shards", async () => {
    const model = await copied();
    const tensors = await tensorsOf("unet");
    const weight_map: Record<string, string> = {};
    await rm(join(model, fileOf("unet")));
    for (const [i, from] of [0, tensors.length / 2].entries()) {
      const name = `diffusion_pytorch_model-0000${i + 1}-of-00002.safetensors`;
      const shard = tensors.slice(from, from + tensors.length / 2);
      for (const tensor of shard) weight_map[tensor.name] = name;
      await writeSafetensors(join(model, "unet", name), shard);
    }
    const index = join(model, "unet", "diffusion_pytorch_model.safetensors.index.json");
    await writeFile(index, JSON.stringify({ metadata: {}, weight_map }));
    expect(Object.keys(weight_map)).toHaveLength(tensors.length);
    expect(await drawn(model)).toEqual(expected);
  });

  test("with the text encoder's keys of Transformers 4 and 5", async () => {
    const model = await copied();
    const before = await tensorsOf("text_encoder");
    expect(before.some(({ name }) => name.startsWith("text_model."))).toBe(false);
    const ids: TensorData = {
      ...{ name: "text_model.embeddings.position_ids", dtype: "int64", shape: [1, 2], data: new Uint8Array(16) },
    };
    await writeAll(model, (tensors, part) =>
      part === "text_encoder" ? [...tensors.map((one) => ({ ...one, name: `text_model.${one.name}` })), ids] : tensors,
    );
    expect(await drawn(model)).toEqual(expected);
  });

  test("is described by inspect as what it is", async () => {
    const inpainting = await copied();
    await changed(inpainting, "unet/config.json", { in_channels: 9 });
    expect(await inspect(inpainting)).toMatchObject({ family: "Stable Diffusion XL: an inpainting model" });
    const refiner = await copied();
    await changed(refiner, "unet/config.json", { cross_attention_dim: 1280 });
    expect(await inspect(refiner)).toMatchObject({ family: "Stable Diffusion XL refiner" });
    expect(await inspect(original)).toMatchObject({ kind: "model", family: "Stable Diffusion XL" });
    const velocity = await copied();
    await changed(velocity, "scheduler/scheduler_config.json", { prediction_type: "v_prediction" });
    expect(await inspect(velocity)).toMatchObject({ family: "Stable Diffusion XL, predicts velocity" });
  });

  const refused: [what: string, file: string, changes: object, code: string, words: string[]][] = [
    ["the refiner", "model_index.json", { requires_aesthetics_score: true }, "model-unsupported", ["refiner"]],
    ["an editing model", "unet/config.json", { in_channels: 8 }, "model-unsupported", ["editing"]],
    [
      "a ControlNet pipeline",
      "model_index.json",
      { _class_name: "StableDiffusionXLControlNetPipeline" },
      "model-unsupported",
      ["StableDiffusionXLControlNetPipeline"],
    ],
    [
      "an editing pipeline",
      "model_index.json",
      { _class_name: "StableDiffusionXLInstructPix2PixPipeline" },
      "model-unsupported",
      ["StableDiffusionXLInstructPix2PixPipeline"],
    ],
    [
      "Stable Diffusion 3",
      "model_index.json",
      { _class_name: "StableDiffusion3Pipeline" },
      "model-unsupported",
      ["StableDiffusion3Pipeline"],
    ],
    [
      "an autoencoder with means",
      "vae/config.json",
      { latents_mean: [0, 0, 0, 0] },
      "config-unsupported",
      ["latents_mean"],
    ],
    [
      "a U-Net without conditions",
      "unet/config.json",
      { addition_embed_type: null },
      "config-unsupported",
      ["text_time"],
    ],
    [
      "SDXL called Stable Diffusion",
      "model_index.json",
      { _class_name: "StableDiffusionPipeline" },
      "config-unsupported",
      ["SDXL"],
    ],
    [
      "Playground's scheduler",
      "scheduler/scheduler_config.json",
      { _class_name: "EDMDPMSolverMultistepScheduler" },
      "scheduler-unsupported",
      ["EDMDPMSolverMultistepScheduler"],
    ],
  ];
  test.each(refused)("is refused if it is %s", async (_, file, changes, code, words) => {
    const model = await copied();
    await changed(model, file, changes);
    await expect(openModel(model)).rejects.toThrow(refusal(code as "model-unsupported", ...words));
  });

  test("is refused without its second tokenizer", async () => {
    const model = await copied();
    await rm(join(model, "tokenizer_2"), { recursive: true });
    await expect(openModel(model)).rejects.toThrow(refusal("tokenizer-missing", "tokenizer_2"));
  });
});

describe("a single file", () => {
  const { expected: table, ldm } = JSON.parse(
    readFileSync(new URL("../src/families/stable-diffusion-xl/fixtures/ldm-names.json", import.meta.url), "utf8"),
  ) as {
    readonly ldm: Record<string, number[]>;
    readonly expected: Record<Part, { readonly origin: Record<string, [key: string, row: number]> }>;
  };

  /** The folder's tensors under the names of the original code, by the table that Diffusers' conversion gave. */
  async function inOneFile(name: string, dtype: FloatDType, marks: readonly string[] = []): Promise<string> {
    const rows = new Map<string, { row: number; tensor: TensorData }[]>();
    for (const part of parts) {
      for (const tensor of inType(await tensorsOf(part), dtype)) {
        const key = part === "text_encoder" ? `text_model.${tensor.name}` : tensor.name;
        const [from, row] = table[part].origin[key]!;
        rows.set(from, [...(rows.get(from) ?? []), { row, tensor }]);
      }
    }
    const tensors = [...rows].map(([name, stored]): TensorData => {
      const [first, ...more] = stored.sort((a, b) => a.row - b.row).map(({ tensor }) => tensor);
      if (name.endsWith("text_projection")) return { ...transposed(first!), name };
      const units = (ldm[name]!.length > first!.shape.length ? [1, 1] : []) as number[];
      const shape = [first!.shape[0]! * (1 + more.length), ...first!.shape.slice(1), ...units];
      return { name, dtype, shape, data: Buffer.concat([first!, ...more].map(({ data }) => data)) };
    });
    const file = join(folder, name);
    const empty = marks.map((name): TensorData => ({ name, dtype, shape: [0], data: new Uint8Array(0) }));
    await writeSafetensors(file, [...tensors, ...empty]);
    return file;
  }

  function transposed(tensor: TensorData): TensorData {
    const [rows, columns] = tensor.shape as [number, number];
    const values = toFloat32(tensor.data, tensor.dtype as FloatDType);
    const turned = values.map((_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!);
    return { ...tensor, shape: [columns, rows], data: fromFloat32(turned, tensor.dtype as FloatDType) };
  }

  test.each(["float16", "float32"] as const)("in %s", async (dtype) => {
    const file = await inOneFile(`${dtype}.safetensors`, dtype);
    const { tensors } = await readSafetensors(file);
    expect(tensors.size).toBe(new Set(tensors.keys()).size);
    expect(await drawn(file, { config: original })).toEqual(expected);
    expect(await inspect(file)).toMatchObject({ kind: "single-file model", family: "Stable Diffusion XL" });
  });

  test("that predicts velocity with zero terminal SNR draws what its folder draws under that schedule", async () => {
    const file = await inOneFile("velocity.safetensors", "float16", ["v_pred", "ztsnr"]);
    const schedule = {
      ...{ prediction_type: "v_prediction", rescale_betas_zero_snr: true, timestep_spacing: "trailing" },
    };
    const configs = await copied();
    await rm(join(configs, "scheduler"), { recursive: true });
    const model = await copied();
    await changed(model, "scheduler/scheduler_config.json", schedule);
    const own = await drawn(model);
    expect(own).not.toEqual(expected);
    expect(await drawn(file, { config: configs })).toEqual(own);
    expect(await inspect(file)).toMatchObject({ family: "Stable Diffusion XL", predicts: "v_prediction" });
  });

  test("holds the numbers of the folder's second text projection", async () => {
    const file = await inOneFile("projection.safetensors", "float16");
    const key = "text_projection.weight";
    const [one, other] = [await openModel(file, { config: original }), await openModel(original)];
    const [found, stored] = [one, other].map(({ components }) => components.get("text_encoder_2")!.weights.get(key)!);
    expect(await readFloat32(found!)).toEqual(await readFloat32(stored!));
  });
});
