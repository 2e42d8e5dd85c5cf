import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refused, tiller } from "../../test/fake-world.ts";
import { refusal } from "../../test/refusal.ts";
import { encodePng } from "../recipe/png.ts";
import { withTexts } from "../recipe/png-text.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-inspect-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Writes a safetensors file of zeros; a number in place of a shape is a scalar of that value. */
async function tensors(
  name: string,
  shapes: Readonly<Record<string, readonly number[] | number>>,
  metadata?: Record<string, string>,
): Promise<string> {
  let end = 0;
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {};
  const data: Buffer[] = [];
  for (const [key, shape] of Object.entries(shapes)) {
    const values =
      typeof shape === "number" ? Float32Array.of(shape) : new Float32Array(shape.reduce((a, b) => a * b, 1));
    const dims = typeof shape === "number" ? [] : shape;
    header[key] = { dtype: "F32", shape: dims, data_offsets: [end, end + values.byteLength] };
    end += values.byteLength;
    data.push(Buffer.from(values.buffer));
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = join(folder, name);
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, Buffer.concat([length, json, ...data]));
  return file;
}

async function report(file: string) {
  const { code, json, stderr } = await tiller(["inspect", file, "--json"]);
  expect([code, stderr]).toEqual([0, ""]);
  return json();
}

describe("tiller inspect of a LoRA", () => {
  test("in PEFT format: rank, modules by group, the matching base model", async () => {
    const block = "unet.down_blocks.0.attentions.0.transformer_blocks.0";
    const file = await tensors("peft.safetensors", {
      [`${block}.attn1.to_q.lora_A.weight`]: [4, 320],
      [`${block}.attn1.to_q.lora_B.weight`]: [320, 4],
      [`${block}.attn2.to_k.lora_A.weight`]: [8, 768],
      [`${block}.attn2.to_k.lora_B.weight`]: [320, 8],
      "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_A.weight": [4, 768],
      "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_B.weight": [768, 4],
    });
    const { kind, format, family, modules, ranks, groups, parameters, dtypes } = await report(file);
    expect({ kind, format, family, modules, ranks }).toEqual({
      kind: "lora",
      format: "PEFT",
      family: "Stable Diffusion 1.x",
      modules: 3,
      ranks: [4, 8],
    });
    expect(groups).toEqual([
      { part: "U-Net", group: "self-attention", modules: 1, ranks: [4], alphas: [], parameters: 2560 },
      { part: "U-Net", group: "cross-attention", modules: 1, ranks: [8], alphas: [], parameters: 8704 },
      { part: "text encoder", group: "self-attention", modules: 1, ranks: [4], alphas: [], parameters: 6144 },
    ]);
    expect([parameters, dtypes]).toEqual([17408, { float32: 17408 }]);
  });

  test("with an alpha in PEFT's metadata", async () => {
    const module = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q";
    const file = await tensors(
      "alpha.safetensors",
      { [`${module}.lora_A.weight`]: [4, 320], [`${module}.lora_B.weight`]: [320, 4] },
      { lora_adapter_metadata: JSON.stringify({ "unet.r": 4, "unet.lora_alpha": 8 }) },
    );
    expect((await report(file)).groups[0].alphas).toEqual([8]);
  });

  test("with an alpha for the text encoder in PEFT's metadata", async () => {
    const module = "text_encoder.text_model.encoder.layers.0.self_attn.q_proj";
    const file = await tensors(
      "text-alpha.safetensors",
      { [`${module}.lora_A.weight`]: [4, 768], [`${module}.lora_B.weight`]: [768, 4] },
      { lora_adapter_metadata: JSON.stringify({ "text_encoder.r": 4, "text_encoder.lora_alpha": 16 }) },
    );
    expect((await report(file)).groups).toMatchObject([{ part: "text encoder", alphas: [16] }]);
  });

  test("for SDXL: its parts", async () => {
    const file = await tensors("sdxl.safetensors", {
      "lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": [4, 1280],
      "lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": [5120, 4],
    });
    const { family, groups, obstacles } = await report(file);
    expect(groups).toMatchObject([{ part: "text encoder 2", group: "feed-forward", modules: 1 }]);
    expect([family, obstacles]).toEqual(["Stable Diffusion XL", []]);
  });

  test("for a model Tiller does not run: that it is unsupported", async () => {
    const file = await tensors("flux.safetensors", {
      "lora_unet_double_blocks_0_img_attn_proj.lora_down.weight": [4, 3072],
      "lora_unet_double_blocks_0_img_attn_proj.lora_up.weight": [3072, 4],
    });
    expect((await report(file)).obstacles).toEqual([expect.stringContaining("Flux")]);
  });

  test("PEFT's reference fixture: alpha 8 at rank 4", async () => {
    const file = fileURLToPath(new URL("../../parity/fixtures/adapters/lora-peft.safetensors", import.meta.url));
    const { groups } = await report(file);
    expect(groups.map(({ ranks, alphas }: Record<string, unknown>) => [ranks, alphas])).toEqual([
      [[4], [8]],
      [[4], [8]],
    ]);
  });

  test.each([
    ["of DoRA", '{"unet.r": 4, "unet.use_dora": true}', /DoRA/],
    ["that is not JSON", "{", /lora_adapter_metadata that is not JSON/],
    ["with an alpha that is not a number", '{"unet.lora_alpha": "8"}', /PEFT configuration/],
  ])("with metadata %s: still described, with why Tiller cannot run it", async (_, text, obstacle) => {
    const module = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q";
    const file = await tensors(
      "metadata.safetensors",
      { [`${module}.lora_A.weight`]: [4, 320], [`${module}.lora_B.weight`]: [320, 4] },
      { lora_adapter_metadata: text },
    );
    const { modules, groups, obstacles } = await report(file);
    expect([modules, groups[0].alphas]).toEqual([1, []]);
    expect(obstacles).toEqual([expect.stringMatching(obstacle)]);
  });

  test("in kohya format: alphas, convolutions, the trainer's metadata", async () => {
    const file = await tensors(
      "kohya.safetensors",
      {
        "lora_unet_down_blocks_0_resnets_0_conv1.lora_down.weight": [4, 32, 3, 3],
        "lora_unet_down_blocks_0_resnets_0_conv1.lora_up.weight": [32, 4, 1, 1],
        "lora_unet_down_blocks_0_resnets_0_conv1.alpha": 2,
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_v.lora_down.weight": [4, 1024],
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_v.lora_up.weight": [32, 4],
        "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": [4, 1024],
        "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": [32, 4],
      },
      { ss_network_dim: "4", ss_tag: "evil \u001b[31m escape" },
    );
    const { format, family, groups, metadata } = await report(file);
    expect([format, family, metadata.ss_network_dim]).toEqual(["kohya", "Stable Diffusion 2.x", "4"]);
    expect(groups.map(({ part, group, alphas }: Record<string, unknown>) => [part, group, alphas])).toEqual([
      ["U-Net", "convolutions", [2]],
      ["U-Net", "cross-attention", []],
      ["text encoder", "feed-forward", []],
    ]);
    const { stdout } = await tiller(["inspect", file]);
    expect(stdout).toMatch(/U-Net +convolutions +1 +4 +2 /);
    expect(stdout).toContain("evil \\u001b[31m escape");
    expect(stdout).not.toContain("\u001b");
  });

  test.each([
    [
      "unet.mid_block.attentions.0.transformer_blocks.0.attn2.processor.to_k_lora",
      "down",
      "up",
      "Diffusers, older attention processors",
    ],
    ["unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.lora", "down", "up", "Diffusers"],
    ["text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer", "down", "up", "Diffusers"],
  ])("%s.%s", async (stem, down, up, form) => {
    const file = await tensors("old.safetensors", {
      [`${stem}.${down}.weight`]: [4, 768],
      [`${stem}.${up}.weight`]: [32, 4],
    });
    const { kind, format, ranks, modules } = await report(file);
    expect({ kind, format, ranks, modules }).toEqual({ kind: "lora", format: form, ranks: [4], modules: 1 });
  });

  test("with unsupported parts lists them", async () => {
    const file = await tensors("dora.safetensors", {
      "unet.a.attn1.to_q.lora_A.weight": [4, 8],
      "unet.a.attn1.to_q.lora_B.weight": [8, 4],
      "unet.a.attn1.to_q.lora_magnitude_vector": [8],
    });
    expect((await tiller(["inspect", file])).stdout).toContain("LoRA, DoRA, PEFT form");
  });
});

describe("tiller inspect of other files", () => {
  test.each([
    ["<cat>.safetensors", { "<cat>": [2, 768] }, "<cat>", 2, "Stable Diffusion 1.x"],
    ["one.safetensors", { "<new1>": [1024] }, "<new1>", 1, "Stable Diffusion 2.x"],
    ["my-cat.safetensors", { emb_params: [3, 768] }, "my-cat", 3, "Stable Diffusion 1.x"],
    ["cat_emb.safetensors", { clip_l: [2, 768] }, "<s0>", 1, "Stable Diffusion 1.x"],
  ])("textual inversion %s", async (name, shapes, token, vectors, base) => {
    const { kind, tokens, family } = await report(await tensors(name, shapes));
    expect([kind, tokens[0].token, tokens[0].vectors, family]).toEqual(["textual-inversion", token, vectors, base]);
  });

  test("Custom Diffusion", async () => {
    const stem = "unet.mid_block.attentions.0.transformer_blocks.0.attn2.processor";
    const file = await tensors("cd.safetensors", {
      [`${stem}.to_k_custom_diffusion.weight`]: [32, 768],
      [`${stem}.to_v_custom_diffusion.weight`]: [32, 768],
    });
    const { kind, matrices, parts, family } = await report(file);
    expect({ kind, matrices, parts, family }).toEqual({
      kind: "custom-diffusion",
      matrices: 2,
      parts: ["to_k", "to_v"],
      family: "Stable Diffusion 1.x",
    });
  });

  test("a single-file model, part by part", async () => {
    const file = await tensors("sd.safetensors", {
      "model.diffusion_model.input_blocks.0.0.weight": [8, 4, 3, 3],
      "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": [8, 768],
      "first_stage_model.decoder.conv_in.weight": [8, 4, 3, 3],
      "cond_stage_model.transformer.text_model.final_layer_norm.weight": [768],
      betas: [1000],
    });
    const { kind, family, parts } = await report(file);
    expect([kind, family]).toEqual(["single-file model", "Stable Diffusion 1.x"]);
    expect(parts.map(({ part, parameters }: Record<string, unknown>) => [part, parameters])).toEqual([
      ["U-Net", 288 + 6144],
      ["autoencoder", 288],
      ["text encoder", 768],
      ["other tensors", 1000],
    ]);
  });

  test("unknown tensors are listed", async () => {
    const { kind, first } = await report(await tensors("odd.safetensors", { "a.b": [2, 3], "c.d": [4] }));
    expect([kind, first[0]]).toEqual(["tensors", { key: "a.b", shape: [2, 3], dtype: "float32" }]);
  });

  test("a model's folder: components, parameters, sizes, what is missing", async () => {
    const index = {
      _class_name: "StableDiffusionPipeline",
      unet: ["diffusers", "UNet2DConditionModel"],
      vae: ["diffusers", "AutoencoderKL"],
      scheduler: ["diffusers", "DDIMScheduler"],
      safety_checker: [null, null],
    };
    await tensors("model/unet/diffusion_pytorch_model.safetensors", { a: [10, 10] });
    await tensors("model/unet/diffusion_pytorch_model.fp16.safetensors", { a: [10, 10] });
    await mkdir(join(folder, "model", "scheduler"));
    await writeFile(join(folder, "model", "model_index.json"), JSON.stringify(index));
    await writeFile(join(folder, "model", "unet", "config.json"), JSON.stringify({ cross_attention_dim: 1024 }));
    await writeFile(
      join(folder, "model", "scheduler", "scheduler_config.json"),
      JSON.stringify({ prediction_type: "v_prediction" }),
    );
    const { kind, family, parameters, components } = await report(join(folder, "model"));
    expect({ kind, family, parameters }).toEqual({
      kind: "model",
      family: "Stable Diffusion 2.x, predicts velocity",
      parameters: 100,
    });
    expect(components).toMatchObject([
      { component: "unet", weights: { parameters: 100, bytes: 400 }, variants: ["fp16"] },
      { component: "vae", problem: "its folder is missing" },
      { component: "scheduler", class: "DDIMScheduler" },
    ]);
    expect((await tiller(["inspect", join(folder, "model")])).stdout).toMatch(
      /unet +UNet2DConditionModel +100 +float32 +400 B +also as fp16/,
    );
  });

  test("a picture: its recipe, and the command that repeats it", async () => {
    await tiller([
      "generate",
      "--model",
      "owner/sd",
      "--prompt",
      "a cat",
      "--steps",
      "2",
      "--guidance",
      "pg",
      "--out",
      join(folder, "my cats"),
    ]);
    const file = join(folder, "my cats", "tiller-0-pg-w0.6.png");
    const { kind, recipe, width, repeat } = await report(file);
    expect([kind, recipe.request.prompt, width]).toEqual(["picture", "a cat", 16]);
    expect(repeat).toBe(`tiller generate --from "${file}"`);
    expect((await tiller(["inspect", file])).stdout).toMatch(/prompt +a cat/);
  });

  test("a picture by another tool: its parameters", async () => {
    const png = await encodePng({ width: 1, height: 1, data: new Uint8Array(3) });
    const file = join(folder, "other.png");
    await writeFile(file, withTexts(png, { parameters: "a dog\nSteps: 20, Seed: 1" }));
    expect((await tiller(["inspect", file])).stdout).toContain("a dog\nSteps: 20, Seed: 1");
  });

  test.each([
    ["missing.safetensors", undefined, "file-missing"],
    ["text.safetensors", "hello, this is text", "not-weights"],
    ["model.ckpt", "\x80\x02cposix\nsystem\n.", "pickle-refused"],
    ["lfs.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", "lfs-pointer"],
    ["photo.jpg", "\xff\xd8\xff", "recipe-missing"],
    ["broken.png", "\x89PNG\r\n\x1a\n", "picture-unreadable"],
  ] as const)("%s is refused in one line with exit code 1", async (name, content, kind) => {
    const file = join(folder, name);
    if (content !== undefined) await writeFile(file, content, "latin1");
    const { code, error, stderr } = await refused(["inspect", file]);
    expect([code, error]).toEqual([1, refusal(kind, file)]);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  test("several files: each is described, --json gives a list, and a failure is the result", async () => {
    const one = await tensors("several/one.safetensors", { "a.b.c": [2, 3] });
    const two = await tensors("several/two.safetensors", { "<cat>": [768] });
    expect((await tiller(["inspect", one, two, "--json"])).json()).toMatchObject([
      { kind: "tensors", file: one },
      { kind: "textual-inversion", file: two },
    ]);
    const { stdout } = await tiller(["inspect", one, two]);
    expect([stdout.indexOf(one), stdout.indexOf(two)].every((at) => at >= 0)).toBe(true);
    const gone = join(folder, "gone.safetensors");
    const { code, json } = await tiller(["inspect", one, gone, "--json"]);
    expect([code, json().error]).toEqual([1, refusal("file-missing", gone)]);
  });

  test("a folder of pictures is described as training uses it", async () => {
    const pictures = join(folder, "pictures");
    await mkdir(pictures);
    await writeFile(join(pictures, "a.jfif"), "\xff\xd8\xff");
    await writeFile(join(pictures, "a.txt"), "a sks cat");
    await writeFile(join(pictures, "b.png"), "\x89PNG\r\n\x1a\n");
    await writeFile(join(pictures, "c.heic"), "\0\0\0\x18ftypheic\0\0\0\0mif1heic");
    const { stdout } = await tiller(["inspect", pictures]);
    expect(stdout).toMatch(/pictures: 2 pictures, 1 with a caption\n.*c\.heic.*HEIC.*JPEG/);
    const { json } = await tiller(["inspect", pictures, "--json"]);
    expect(json()).toMatchObject({ kind: "pictures", pictures: 2, captions: 1, warnings: [expect.any(String)] });
    await writeFile(join(pictures, "a.txt"), Buffer.from("a café", "latin1"));
    const { error } = await refused(["inspect", pictures]);
    expect(error).toEqual(refusal("text-encoding", join(pictures, "a.txt")));
  });

  test("a folder without a model: the files worth inspecting", async () => {
    await tensors("loras/cat.safetensors", { a: [1] });
    const { error } = await refused(["inspect", join(folder, "loras")]);
    expect(error).toEqual(refusal("model-not-found", join(folder, "loras"), "cat.safetensors"));
  });
});
