/**
 * DreamSim's networks, read from its released files: per branch a ViT-B with low-rank changes of its `qkv` layers.
 *
 * The features of all branches are joined, less their mean, and divided by their length. Weights stay in their files, and the
 * low-rank changes are computed beside them. Files are those of the `dreamsim` package's cache folder (checkpoints v0.2.0):
 * a LoRA's folder, `clip_vitb16_pretrain.pth.tar` and so on, and DINO's own weights in `checkpoints/`.
 */

import { basename, dirname, exists, join } from "#bytes";
import { peftAlphas } from "../adapters/peft-config.ts";
import { jsonObject, readJson } from "../bytes/json-file.ts";
import { readTensors } from "../bytes/read-tensors.ts";
import { refuseStoredTypes } from "../bytes/safetensors.ts";
import type { TensorRef } from "../bytes/tensor-ref.ts";
import { TillerError } from "../errors/index.ts";
import { moduleOf } from "../models/module.ts";
import { type TimmViTConfig, timmViT } from "../models/timm-vit.ts";
import type { Engine } from "../runtime/index.ts";
import type { Encoder } from "./encoder.ts";
import { rowsOf } from "./encoders.ts";
import { centred } from "./features.ts";
import { preprocess, squarePreprocessing } from "./preprocess.ts";

interface BranchKind {
  /** The file of its weights, relative to the folder. One converted to safetensors under the same name comes first. */
  readonly file: string;
  readonly norm: "clip" | "imagenet";
  readonly network: Pick<TimmViTConfig, "activation" | "epsilon" | "feature">;
}

const clip = (name: string): BranchKind => ({
  file: `${name}_pretrain.pth.tar`,
  norm: "clip",
  network: { activation: "quick_gelu", epsilon: 1e-5, feature: "projected" },
});
const openClip = (name: string): BranchKind => ({
  file: `${name}_pretrain.pth.tar`,
  norm: "clip",
  network: { activation: "gelu", epsilon: 1e-5, feature: "projected" },
});
/** The package's `dino_vitb16_pretrain.pth` has only a head, which DreamSim does not use; torch.hub has the network. */
const dino: BranchKind = {
  file: "checkpoints/dino_vitbase16_pretrain.pth",
  norm: "imagenet",
  network: { activation: "gelu", epsilon: 1e-6, feature: "state" },
};

/** The branches of each LoRA, in the order of their features. */
const loras: Readonly<Record<string, readonly BranchKind[]>> = {
  ensemble_lora: [dino, clip("clip_vitb16"), openClip("open_clip_vitb16")],
  dino_vitb16_single_lora: [dino],
  clip_vitb32_single_lora: [clip("clip_vitb32")],
  open_clip_vitb32_single_lora: [openClip("open_clip_vitb32")],
};

/** Width of an attention head in every ViT-B. */
const headWidth = 64;

/**
 * Opens DreamSim.
 *
 * @param folder The released files' folder, of which the ensemble is used, else the only LoRA there; or a LoRA's folder in it.
 * @throws TillerError `metric-files-missing` naming a missing file, and `metric-files-unsupported` for other versions' LoRAs.
 */
export async function openDreamSim(engine: Engine, folder: string): Promise<Encoder> {
  const lora = await loraIn(folder);
  const root = dirname(lora);
  const config = join(lora, "adapter_config.json");
  const alphas = peftAlphas(config, await readJson(config, jsonObject));
  const adapter = await tensorsOf(join(lora, "adapter_model.bin"));
  const branches: ((pictures: Parameters<Encoder["pictures"]>[0]) => Promise<Float32Array[]>)[] = [];
  for (const [i, kind] of loras[basename(lora)]!.entries()) {
    const weights = await tensorsOf(join(root, kind.file));
    const prefix = `extractor_list.${i}.model.`;
    const own = withoutPrefix(adapter, prefix);
    if (own.size === 0)
      throw new TillerError(
        "metric-files-unsupported",
        `${lora} has no tensors ${prefix}…: Tiller reads the LoRAs of DreamSim's checkpoints v0.2.0.`,
        { paths: [lora] },
      );
    const scale = (path: string) => scaleOf(alphas(path), own, path, weights.get(`${path}.weight`)!, config);
    const network = { ...sizesOf(weights, kind.file), ...kind.network };
    const recorded = timmViT(moduleOf(weights), network, { module: moduleOf(own), scale });
    const session = await engine.compile(`DreamSim's branch ${i + 1}`, recorded);
    const preprocessing = squarePreprocessing(network.imageSize, kind.norm);
    branches.push(async (pictures) => {
      const { features } = await session.run({ picture: preprocess(pictures, preprocessing) });
      return rowsOf(features!);
    });
  }
  return {
    async pictures(pictures) {
      const features: Float32Array[][] = [];
      for (const branch of branches) features.push(await branch(pictures));
      return pictures.map((_, i) => centred(Float32Array.from(features.flatMap((rows) => [...rows[i]!]))));
    },
  };
}

/** What PEFT multiplies a low-rank change by. */
function scaleOf(
  { alpha, rank, rootRank, decomposed }: ReturnType<ReturnType<typeof peftAlphas>>,
  factors: ReadonlyMap<string, TensorRef>,
  path: string,
  { shape: [out, width] }: TensorRef,
  config: string,
): number {
  const fits = (half: string, shape: readonly unknown[]) =>
    factors.get(`${path}.lora_${half}.weight`)?.shape.join() === shape.join();
  if (alpha !== undefined && rank !== undefined && fits("A", [rank, width]) && fits("B", [out, rank]) && !decomposed)
    return alpha / (rootRank ? Math.sqrt(rank) : rank);
  throw new TillerError(
    "metric-files-unsupported",
    `${config} does not fit the LoRA beside it, or is of another kind: Tiller reads the LoRAs of DreamSim's checkpoints v0.2.0.`,
    { paths: [config] },
  );
}

/** The LoRA's folder. */
async function loraIn(folder: string): Promise<string> {
  if (await exists(join(folder, "adapter_config.json"))) {
    if (basename(folder) in loras) return folder;
    throw new TillerError(
      "metric-files-unsupported",
      `${folder} is none of DreamSim's LoRAs that Tiller reads: ${Object.keys(loras).join(", ")}.`,
      { paths: [folder] },
    );
  }
  const found: string[] = [];
  for (const name of Object.keys(loras)) if (await exists(join(folder, name, "adapter_config.json"))) found.push(name);
  const [only] = found;
  if (only !== undefined && (found.length === 1 || only === "ensemble_lora")) return join(folder, only);
  const message =
    only === undefined
      ? `${folder} has no ensemble_lora/adapter_config.json: unpack DreamSim's checkpoint (v0.2.0) there.`
      : `${folder} has ${found.join(" and ")}: name the folder of one of them.`;
  throw new TillerError("metric-files-missing", message, { paths: [folder] });
}

/** The tensors of a `torch.save` file, or of its copy in safetensors. */
async function tensorsOf(file: string): Promise<ReadonlyMap<string, TensorRef>> {
  for (const name of [file.replace(/\.(pth\.tar|pth|bin)$/, ".safetensors"), file]) {
    if (!(await exists(name))) continue;
    const { tensors } = await readTensors(name);
    refuseStoredTypes(tensors);
    return tensors;
  }
  throw new TillerError("metric-files-missing", `${file} is missing: unpack DreamSim's checkpoint (v0.2.0) there.`, {
    paths: [file],
  });
}

/** Those under PEFT's prefix, which is there once for every time the network was wrapped. */
function withoutPrefix(tensors: ReadonlyMap<string, TensorRef>, prefix: string): ReadonlyMap<string, TensorRef> {
  const own = new Map<string, TensorRef>();
  for (const [name, ref] of tensors) {
    const key = name.replace(/^(base_model\.model\.)+/, "");
    if (key !== name && key.startsWith(prefix)) own.set(key.slice(prefix.length), ref);
  }
  return own;
}

/** A ViT's sizes from its tensors. */
function sizesOf(weights: ReadonlyMap<string, TensorRef>, file: string) {
  const shape = (name: string) => {
    const ref = weights.get(name);
    if (ref) return ref.shape;
    throw new TillerError("tensor-missing", `${file} has no ${name}: is it DreamSim's?`, { paths: [file] });
  };
  const [, positions = 0, width = 0] = shape("pos_embed");
  const [, , patchSize = 0] = shape("patch_embed.proj.weight");
  let layers = 0;
  while (weights.has(`blocks.${layers}.norm1.weight`)) layers++;
  return { layers, heads: width / headWidth, patchSize, imageSize: Math.round(Math.sqrt(positions - 1)) * patchSize };
}
