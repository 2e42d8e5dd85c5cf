import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { writeSafetensors } from "../bytes/safetensors.ts";
import type { ModelFiles } from "./family.ts";
import { openModelFiles } from "./open-model.ts";

const openModel = async (...args: Parameters<typeof openModelFiles>) => (await openModelFiles(...args)).files;

let root: string;
let made = 0;
beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "model-source-")));
});
afterAll(() => rm(root, { recursive: true }));

const json = (file: string, value: unknown) => writeFile(file, JSON.stringify(value));
const zeros = (shapes: Record<string, number[]>) =>
  Object.entries(shapes).map(([name, shape]) => ({
    name,
    dtype: "float16" as const,
    shape,
    data: new Uint8Array(2 * shape.reduce((a, b) => a * b, 1)),
  }));

const classes = {
  _class_name: "StableDiffusionPipeline",
  unet: ["diffusers", "UNet2DConditionModel"],
  vae: ["diffusers", "AutoencoderKL"],
  text_encoder: ["transformers", "CLIPTextModel"],
};

/** A Diffusers folder whose components have a few tensors each: enough to open, not to compute. */
async function modelFolder(index: object = classes): Promise<string> {
  const folder = join(root, `model${made++}`);
  for (const part of ["unet", "vae", "text_encoder", "scheduler", "tokenizer"]) {
    await mkdir(join(folder, part), { recursive: true });
  }
  await json(join(folder, "model_index.json"), index);
  await json(join(folder, "unet", "config.json"), { in_channels: 4, out_channels: 4, attention_head_dim: 8 });
  await json(join(folder, "vae", "config.json"), { scaling_factor: 0.5 });
  await json(join(folder, "text_encoder", "config.json"), { hidden_act: "quick_gelu" });
  await json(join(folder, "scheduler", "scheduler_config.json"), { prediction_type: "v_prediction" });
  await json(join(folder, "tokenizer", "vocab.json"), {});
  await writeFile(join(folder, "tokenizer", "merges.txt"), "");
  const attention = "decoder.mid_block.attentions.0";
  await writeSafetensors(
    join(folder, "unet/diffusion_pytorch_model.safetensors"),
    zeros({ "conv_in.weight": [4, 4, 3, 3] }),
  );
  await writeSafetensors(
    join(folder, "vae/diffusion_pytorch_model.safetensors"),
    zeros({
      [`${attention}.query.weight`]: [8, 8, 1, 1],
      [`${attention}.key.weight`]: [8, 8],
      [`${attention}.value.bias`]: [8],
      [`${attention}.proj_attn.weight`]: [8, 8, 1, 1],
      [`${attention}.group_norm.weight`]: [8],
      "encoder.conv_in.weight": [8, 3, 1, 1],
    }),
  );
  await writeSafetensors(
    join(folder, "text_encoder/model.safetensors"),
    zeros({
      "embeddings.position_ids": [1, 77],
      "embeddings.token_embedding.weight": [60, 8],
      "encoder.layers.0.mlp.fc1.weight": [16, 8],
      "final_layer_norm.weight": [8],
    }),
  );
  return folder;
}

/** Configs by component. */
const configsOf = ({ components }: ModelFiles) =>
  Object.fromEntries([...components].map(([name, { config }]) => [name, config]));

describe("a Diffusers folder", () => {
  test("opens with its configs, scheduler and tokenizer", async () => {
    const folder = await modelFolder();
    const model = await openModel(`${folder}/`);
    expect(model).toMatchObject({
      kind: "folder",
      name: folder.split("/").at(-1),
      scheduler: { prediction_type: "v_prediction" },
      tokenizerFolder: join(folder, "tokenizer"),
    });
    expect(configsOf(model)).toMatchObject({
      unet: { attention_head_dim: 8 },
      vae: { scaling_factor: 0.5 },
      text_encoder: { hidden_act: "quick_gelu" },
    });
  });

  test("without any weights of the variant asked for is refused", async () => {
    const folder = await modelFolder();
    await expect(openModel(folder, { variant: "fp61" })).rejects.toThrow(refusal("variant-missing", folder, "fp61"));
  });

  test("from an older version gives its weights under current names and shapes", async () => {
    const { components } = await openModel(await modelFolder());
    const [vae, textEncoder] = [components.get("vae")!, components.get("text_encoder")!];
    const shapes = (weights: ReadonlyMap<string, { shape: readonly number[] }>) =>
      Object.fromEntries([...weights].map(([key, { shape }]) => [key, shape]));
    const attention = "decoder.mid_block.attentions.0";
    expect(shapes(vae.weights)).toEqual({
      [`${attention}.to_q.weight`]: [8, 8],
      [`${attention}.to_k.weight`]: [8, 8],
      [`${attention}.to_v.bias`]: [8],
      [`${attention}.to_out.0.weight`]: [8, 8],
      [`${attention}.group_norm.weight`]: [8],
      "encoder.conv_in.weight": [8, 3, 1, 1],
    });
    expect(shapes(textEncoder.weights)).toEqual({
      "text_model.embeddings.token_embedding.weight": [60, 8],
      "text_model.encoder.layers.0.mlp.fc1.weight": [16, 8],
      "text_model.final_layer_norm.weight": [8],
    });
  });

  test.each(["StableDiffusionUpscalePipeline", "FluxPipeline"])(
    "of the class %s is refused, naming the class",
    async (name) => {
      const folder = await modelFolder({ ...classes, _class_name: name });
      await expect(openModel(folder)).rejects.toThrow(refusal("model-unsupported", folder, name));
    },
  );

  test("with an unknown network is refused, naming the network's class", async () => {
    const folder = await modelFolder({ ...classes, vae: ["diffusers", "AutoencoderTiny"] });
    await expect(openModel(folder)).rejects.toThrow(
      refusal("model-unsupported", "vae", "AutoencoderTiny", "AutoencoderKL"),
    );
    const without = await modelFolder({ ...classes, unet: null });
    await expect(openModel(without)).rejects.toThrow(refusal("model-unsupported", "unet"));
  });

  test("for upscaling is refused because of its channels", async () => {
    const folder = await modelFolder();
    await json(join(folder, "unet", "config.json"), { in_channels: 5, out_channels: 4 });
    await expect(openModel(folder)).rejects.toThrow(refusal("model-unsupported", folder, "5", "4"));
  });

  test.each([
    ["unet/config.json", "file-missing", "unet/config.json"],
    ["vae/diffusion_pytorch_model.safetensors", "weights-missing", "vae"],
    ["scheduler/scheduler_config.json", "file-missing", "scheduler/scheduler_config.json"],
    ["tokenizer/merges.txt", "tokenizer-missing", "merges.txt"],
  ] as const)("without %s says what is missing", async (file, code, named) => {
    const folder = await modelFolder();
    await rm(join(folder, file));
    await expect(openModel(folder)).rejects.toThrow(refusal(code, folder, named));
  });

  test.each([
    ["[]", "json-unexpected"],
    ["{", "json-invalid"],
    ['"text"', "json-unexpected"],
    ['{"_class_name":3}', "json-unexpected"],
    ["", "json-invalid"],
  ] as const)("with the model_index.json %j is refused", async (text, code) => {
    const folder = await modelFolder();
    await writeFile(join(folder, "model_index.json"), text);
    await expect(openModel(folder)).rejects.toThrow(refusal(code, join(folder, "model_index.json")));
  });

  test("whose scheduler config holds an infinity, as Python writes it, opens", async () => {
    const folder = await modelFolder();
    await writeFile(
      join(folder, "scheduler", "scheduler_config.json"),
      '{"lambda_min_clipped": -Infinity, "order": [NaN, 2]}',
    );
    expect((await openModel(folder)).scheduler).toEqual({ lambda_min_clipped: "-Infinity", order: ["NaN", 2] });
  });

  test("refuses --config", async () => {
    await expect(openModel(await modelFolder(), { config: "x" })).rejects.toThrow(refusal("config-idle", "--config"));
  });
});

test("an unknown name is refused, saying what was looked for", async () => {
  await expect(openModel("./no/such/thing")).rejects.toThrow(
    refusal("model-not-found", "./no/such/thing", "model_index.json", ".safetensors", "owner/name", "dinghy"),
  );
});

test("a folder that is not a model says what to pass instead", async () => {
  const folder = await modelFolder();
  for (const part of ["unet", "tokenizer"]) {
    const path = join(folder, part);
    await expect(openModel(path)).rejects.toThrow(refusal("model-not-found", path, "model_index.json"));
  }
  const files = await mkdtemp(join(root, "files-"));
  await writeFile(join(files, "dreamy.safetensors"), "");
  await expect(openModel(files)).rejects.toThrow(refusal("model-not-found", files, "dreamy.safetensors"));
});

describe("a single file", () => {
  // The same tiny names and shapes as in ldm.test.ts, made by fixtures/make_ldm_names.py; the values are zeros.
  async function singleFile(form: "sd1" | "sd2", more: Parameters<typeof writeSafetensors>[1] = []): Promise<string> {
    const file = join(root, `${form}-${made++}.safetensors`);
    const fixtures = JSON.parse(
      await readFile(new URL("stable-diffusion/fixtures/ldm-names.json", import.meta.url), "utf8"),
    );
    await writeSafetensors(file, [...zeros(fixtures[form].ldm), ...more]);
    return file;
  }
  /** A folder with only a tokenizer and the given configs. */
  async function tokenizerFolder(configs: Record<string, object> = {}): Promise<string> {
    const folder = join(root, `config${made++}`);
    await mkdir(join(folder, "tokenizer"), { recursive: true });
    await json(join(folder, "tokenizer", "tokenizer.json"), {});
    for (const [file, config] of Object.entries(configs)) {
      await mkdir(join(folder, file, ".."), { recursive: true });
      await json(join(folder, file), config);
    }
    return folder;
  }

  test("opens with the tokenizer of --config and the configs its shapes imply", async () => {
    const config = await tokenizerFolder();
    const file = await singleFile("sd1");
    const model = await openModel(file, { config });
    expect(model).toMatchObject({
      kind: "single-file",
      name: file.split("/").at(-1),
      tokenizerFolder: join(config, "tokenizer"),
      scheduler: { beta_schedule: "scaled_linear", steps_offset: 1, prediction_type: "epsilon" },
    });
    expect(model.components.get("unet")!.config).toMatchObject({
      block_out_channels: [32, 64, 64],
      attention_head_dim: 8,
    });
    expect(model.components.get("text_encoder")!.config).toMatchObject({ hidden_act: "quick_gelu" });
    expect(model.components.get("unet")!.weights.get("conv_in.weight")!.source.path).toBe(file);
  });

  test("prefers the configs of --config to derived ones", async () => {
    const config = await tokenizerFolder({
      "unet/config.json": { attention_head_dim: [2, 4, 4], block_out_channels: [32, 64, 64], upcast_attention: true },
      "scheduler/scheduler_config.json": { prediction_type: "epsilon", beta_end: 0.02 },
    });
    const { components, scheduler } = await openModel(await singleFile("sd2"), { config });
    const unet = components.get("unet")!;
    expect(unet.config).toMatchObject({
      attention_head_dim: [2, 4, 4],
      upcast_attention: true,
      cross_attention_dim: 64,
    });
    expect(scheduler).toMatchObject({ prediction_type: "epsilon", beta_end: 0.02, beta_start: 0.00085 });
  });

  test("refuses configs of another model, naming the first value that differs", async () => {
    const config = await tokenizerFolder({ "unet/config.json": { cross_attention_dim: 1024 } });
    const file = await singleFile("sd1");
    await expect(openModel(file, { config })).rejects.toThrow(
      refusal("config-mismatch", file, "unet", "cross_attention_dim", "1024", "64"),
    );
  });

  test("of SD 2 saved at step 875,000 predicts noise, at another step velocity", async () => {
    const config = await tokenizerFolder();
    const step = (n: bigint) => [
      { name: "global_step", dtype: "int64" as const, shape: [], data: new Uint8Array(BigInt64Array.of(n).buffer) },
    ];
    const base = await openModel(await singleFile("sd2", step(875_000n)), { config });
    expect(base.scheduler).toMatchObject({ prediction_type: "epsilon" });
    expect(configsOf(base)).toMatchObject({ unet: { sample_size: 128 } });
    const later = await openModel(await singleFile("sd2", step(140_000n)), { config });
    expect(later.scheduler).toMatchObject({ prediction_type: "v_prediction" });
    expect(configsOf(later)).toMatchObject({ unet: { sample_size: 192 } });
  });

  test("without --config takes the tokenizer from the hub's cache, or says what to pass", async () => {
    const file = await singleFile("sd1");
    const cacheFolder = await mkdtemp(join(root, "cache-"));
    // A port that nothing listens on, as if there were no network.
    const options = { cacheFolder, endpoint: "http://127.0.0.1:9" };
    await expect(openModel(file, options)).rejects.toThrow(refusal("tokenizer-missing", file, "--config"));

    const repository = join(cacheFolder, "models--runwayml--stable-diffusion-v1-5");
    const snapshot = join(repository, "snapshots", "a".repeat(40));
    await mkdir(join(snapshot, "tokenizer"), { recursive: true });
    await mkdir(join(repository, "refs"));
    await writeFile(join(repository, "refs", "main"), "a".repeat(40));
    await json(join(snapshot, "tokenizer", "vocab.json"), {});
    await writeFile(join(snapshot, "tokenizer", "merges.txt"), "");
    await mkdir(join(snapshot, "unet"));
    await json(join(snapshot, "unet", "config.json"), { cross_attention_dim: 768 });
    const model = await openModel(file, options);
    expect(model.tokenizerFolder).toBe(join(snapshot, "tokenizer"));
    expect(model.components.get("unet")!.config).toMatchObject({ cross_attention_dim: 64 });
  });

  test("with a --config that does not exist, or has no tokenizer, says so", async () => {
    const file = await singleFile("sd1");
    await expect(openModel(file, { config: "./nowhere" })).rejects.toThrow(refusal("config-missing", "./nowhere"));
    const empty = await mkdtemp(join(root, "empty-"));
    await expect(openModel(file, { config: empty })).rejects.toThrow(refusal("tokenizer-missing", empty));
  });

  test("that is an incomplete .ckpt says so", async () => {
    const file = join(root, "old.ckpt");
    await writeFile(file, Buffer.from("504b030414000000", "hex"));
    await expect(openModel(file)).rejects.toThrow(refusal("download-incomplete", file));
  });
});
