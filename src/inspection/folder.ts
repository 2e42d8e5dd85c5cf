/** Describes a folder: a Diffusers model, or one component of a model. */
import { basename, join, kindOf, list, resolve } from "#bytes";
import { familyByWidth } from "../adapters/naming.ts";
import { jsonObject, readJson } from "../bytes/json-file.ts";
import { TillerError } from "../errors/index.ts";
import { families } from "../families/families.ts";
import { openCheckpoint } from "../weights/checkpoint.ts";
import { type Amount, amountOf } from "./tensors.ts";

/** One component of a model's folder. */
export interface ComponentInspection {
  /** Its folder's name: "unet". */
  readonly component: string;
  /** Its class in Diffusers or Transformers. */
  readonly class: string;
  /** Absent for components without weights, such as tokenizers and schedulers. */
  readonly weights?: Amount;
  /** Other variants of the weights in the folder, such as "fp16". */
  readonly variants?: readonly string[];
  /** Why its weights cannot be opened. */
  readonly problem?: string;
}

/** A model's folder, or one component of it. */
export interface FolderInspection {
  /** Which kind of folder it is. */
  readonly kind: "model" | "component";
  /** The path as given. */
  readonly folder: string;
  /** The folder's own name. */
  readonly name: string;
  /** The pipeline's or the component's class: "StableDiffusionPipeline". */
  readonly class: string;
  /** The model family by its configs: "Stable Diffusion 1.x". */
  readonly family: string;
  /** Elements of all weights. */
  readonly parameters: number;
  /** Their size on disk. */
  readonly bytes: number;
  /** Its parts, in the order of its index. */
  readonly components: readonly ComponentInspection[];
}

/** Whether the folder has a model's files or weights: then any pictures in it are examples. */
export async function isModelFolder(folder: string): Promise<boolean> {
  const names = await list(folder).catch(() => undefined);
  // A folder that cannot be listed is refused later, when looking for models.
  return (
    names === undefined || names.some((name) => /^(model_index|config)\.json$|\.(safetensors|ckpt|bin|pt)$/.test(name))
  );
}

/** @throws TillerError if the folder is neither a model nor a component of one. */
export async function inspectFolder(folder: string): Promise<FolderInspection> {
  const name = basename(resolve(folder));
  const names = await list(folder).catch((cause) => {
    throw new TillerError("file-unreadable", `${folder} cannot be read: check its permissions.`, {
      paths: [folder],
      cause,
    });
  });
  if (names.includes("model_index.json")) {
    const index = await readJson(join(folder, "model_index.json"), jsonObject);
    const components: ComponentInspection[] = [];
    for (const [component, value] of Object.entries(index)) {
      const [library, className] = Array.isArray(value) ? value : [];
      if (typeof library !== "string" || typeof className !== "string") continue;
      components.push(await inspectComponent(folder, component, className));
    }
    return {
      ...totals(components),
      kind: "model",
      folder,
      name,
      class: text(index._class_name),
      family: await family(folder, text(index._class_name)),
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
      ? `${folder} is not a model folder; inspect one of its files: ${files.slice(0, 5).join(", ")}.`
      : `${folder} contains no model: it has no model_index.json, config.json or .safetensors file.`,
    { paths: [folder] },
  );
}

async function inspectComponent(folder: string, component: string, className: string): Promise<ComponentInspection> {
  const path = join(folder, component);
  if ((await kindOf(path)) !== "folder") return { component, class: className, problem: "its folder is missing" };
  const names = await list(path);
  const weighty = names.some((name) => /\.(safetensors|bin|ckpt|pt|msgpack)$/.test(name));
  const expected = /Model|Autoencoder|Checker/.test(className);
  return { component, class: className, ...(weighty || expected ? await weightsIn(path) : {}) };
}

async function weightsIn(folder: string): Promise<Pick<ComponentInspection, "weights" | "variants" | "problem">> {
  try {
    const weights = amountOf(await openCheckpoint(folder));
    const variants = new Set<string>();
    for (const name of await list(folder)) {
      const variant =
        /^(?:diffusion_pytorch_model|(?:pytorch_)?model)\.([a-zA-Z]\w*)(?:-\d+-of-\d+)?\.(?:safetensors|bin)$/.exec(
          name,
        )?.[1];
      if (variant !== undefined) variants.add(variant);
    }
    return { weights, ...(variants.size > 0 && { variants: [...variants] }) };
  } catch (error) {
    if (error instanceof TillerError) return { problem: error.message };
    throw error;
  }
}

function totals(components: readonly ComponentInspection[]): { parameters: number; bytes: number } {
  const sum = (what: "parameters" | "bytes") =>
    components.reduce((all, { weights }) => all + (weights?.[what] ?? 0), 0);
  return { parameters: sum("parameters"), bytes: sum("bytes") };
}

/** By pipeline class; Stable Diffusion also by the width of its text features and its prediction type. */
async function family(folder: string, className: string): Promise<string> {
  if ((await kindOf(join(folder, "unet"))) !== "folder") {
    return families.find(({ classes }) => classes.includes(className))?.name ?? "unknown";
  }
  const unet = await readJson(join(folder, "unet", "config.json"), jsonObject).catch(
    () => ({}) as Record<string, unknown>,
  );
  const scheduler = await readJson(join(folder, "scheduler", "scheduler_config.json"), jsonObject).catch(
    () => ({}) as Record<string, unknown>,
  );
  const width = unet.cross_attention_dim;
  const known = xl(unet) ?? familyByWidth(typeof width === "number" ? width : undefined);
  const form = known ?? (width === undefined ? "unknown" : `of the Stable Diffusion form, text width ${width}`);
  return scheduler.prediction_type === "v_prediction" ? `${form}, predicts velocity` : form;
}

/** By SDXL's further conditions, and what its relatives differ in. */
function xl(unet: Readonly<Record<string, unknown>>): string | undefined {
  if (unet.addition_embed_type !== "text_time") return undefined;
  const tasks: Readonly<Record<number, string>> = { 8: ": an editing model", 9: ": an inpainting model" };
  const name = unet.cross_attention_dim === 1280 ? "Stable Diffusion XL refiner" : "Stable Diffusion XL";
  return `${name}${tasks[Number(unet.in_channels)] ?? ""}`;
}

const text = (value: unknown): string => (typeof value === "string" ? value : "unknown");
