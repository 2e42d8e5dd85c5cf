/** What a folder holds: a model as Diffusers saves it, or one component of a model. */

import { readdir, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { jsonObject, openCheckpoint, readJson, TillerError } from "../index.ts";
import { type Amount, amountOf, familyByWidth } from "./inspect-tensors.ts";

export interface ComponentReport {
  readonly component: string;
  readonly class: string;
  /** Absent where a component has no weights, as tokenizers and schedulers. */
  readonly weights?: Amount;
  /** Other spellings of the weights that lie there, such as fp16. */
  readonly variants?: readonly string[];
  /** Why its weights cannot be opened. */
  readonly problem?: string;
}

export interface FolderReport {
  readonly kind: "model" | "component";
  readonly folder: string;
  readonly name: string;
  readonly class: string;
  readonly family: string;
  readonly parameters: number;
  readonly bytes: number;
  readonly components: readonly ComponentReport[];
}

/** @throws TillerError if the folder is neither a model nor a component of one. */
export async function describeFolder(folder: string): Promise<FolderReport> {
  const name = basename(resolve(folder));
  const names = await readdir(folder).catch((cause) => {
    throw new TillerError("file-unreadable", `${folder} cannot be read: check its permissions.`, {
      paths: [folder],
      cause,
    });
  });
  if (names.includes("model_index.json")) {
    const index = await readJson(join(folder, "model_index.json"), jsonObject);
    const components: ComponentReport[] = [];
    for (const [component, value] of Object.entries(index)) {
      const [library, className] = Array.isArray(value) ? value : [];
      if (typeof library !== "string" || typeof className !== "string") continue;
      components.push(await describeComponent(folder, component, className));
    }
    return {
      ...totals(components),
      kind: "model",
      folder,
      name,
      class: text(index._class_name),
      family: await family(folder),
      components,
    };
  }
  if (names.includes("config.json")) {
    const config = await readJson(join(folder, "config.json"), jsonObject);
    const architectures = Array.isArray(config.architectures) ? config.architectures[0] : undefined;
    const className = text(config._class_name ?? architectures);
    const component = { component: name, class: className, ...(await weightsIn(folder)) };
    return {
      ...totals([component]),
      kind: "component",
      folder,
      name,
      class: className,
      family: "one component of a model",
      components: [component],
    };
  }
  const files = names.filter((file) => file.endsWith(".safetensors"));
  throw new TillerError(
    "model-not-found",
    files.length > 0
      ? `${folder} is no model folder; inspect one of its files: ${files.slice(0, 5).join(", ")}.`
      : `${folder} holds no model: there is no model_index.json, config.json or .safetensors file in it.`,
    { paths: [folder] },
  );
}

async function describeComponent(folder: string, component: string, className: string): Promise<ComponentReport> {
  const path = join(folder, component);
  const found = await stat(path).catch(() => undefined);
  if (!found?.isDirectory()) return { component, class: className, problem: "its folder is missing" };
  const names = await readdir(path);
  const weighty = names.some((name) => /\.(safetensors|bin|ckpt|pt|msgpack)$/.test(name));
  const expected = /Model|Autoencoder|Checker/.test(className);
  return { component, class: className, ...(weighty || expected ? await weightsIn(path) : {}) };
}

async function weightsIn(folder: string): Promise<Pick<ComponentReport, "weights" | "variants" | "problem">> {
  try {
    const weights = amountOf(await openCheckpoint(folder));
    const variants = new Set<string>();
    for (const name of await readdir(folder)) {
      const variant = /^(?:diffusion_pytorch_model|model)\.([a-zA-Z]\w*)(?:-\d+-of-\d+)?\.safetensors$/.exec(name)?.[1];
      if (variant !== undefined) variants.add(variant);
    }
    return { weights, ...(variants.size > 0 && { variants: [...variants] }) };
  } catch (error) {
    if (error instanceof TillerError) return { problem: error.message };
    throw error;
  }
}

function totals(components: readonly ComponentReport[]): { parameters: number; bytes: number } {
  const sum = (what: "parameters" | "bytes") =>
    components.reduce((all, { weights }) => all + (weights?.[what] ?? 0), 0);
  return { parameters: sum("parameters"), bytes: sum("bytes") };
}

/** Told by the width of the text features, and by what the network predicts. */
async function family(folder: string): Promise<string> {
  const unet = await readJson(join(folder, "unet", "config.json"), jsonObject).catch(
    () => ({}) as Record<string, unknown>,
  );
  const scheduler = await readJson(join(folder, "scheduler", "scheduler_config.json"), jsonObject).catch(
    () => ({}) as Record<string, unknown>,
  );
  const width = unet.cross_attention_dim;
  const known = familyByWidth(typeof width === "number" ? width : undefined);
  const form = known ?? (width === undefined ? "unknown" : `of the Stable Diffusion form, text width ${width}`);
  return scheduler.prediction_type === "v_prediction" ? `${form}, predicts velocity` : form;
}

const text = (value: unknown): string => (typeof value === "string" ? value : "unknown");
