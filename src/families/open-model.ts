/** Opens a model by the name a user gives: a folder, a single file, or a hub id. */

import { z } from "zod";
import { basename, exists, extname, join, kindOf, list, resolve } from "#bytes";
import { cachedSnapshot, fetchSnapshot } from "#hub";
import { jsonObject, readJson, readText } from "../bytes/json-file.ts";
import { readTensors } from "../bytes/read-tensors.ts";
import { refuseStoredTypes } from "../bytes/safetensors.ts";
import { TillerError } from "../errors/index.ts";
import { guidanceNames } from "../guidance/index.ts";
import { fetchFile } from "../hub/file.ts";
import { type HubName, parseHubName } from "../hub/id.ts";
import type { HubOptions } from "../hub/options.ts";
import { samplerNames } from "../samplers/index.ts";
import { pairsOf } from "../weights/blend.ts";
import { listFolder, openCheckpoint } from "../weights/checkpoint.ts";
import { chooseWeightFiles, hasVariant } from "../weights/weight-files.ts";
import { embeddedFolder, embeddedModel } from "./embedded.ts";
import { families } from "./families.ts";
import type { Component, Family, Model, ModelFiles, Part, SplitComponent } from "./family.ts";

/** How a model is opened and downloaded. */
export interface OpenModelOptions extends HubOptions {
  /** Variant of the weights, such as "fp16"; components that lack it use their plain weights. */
  readonly variant?: string | undefined;
  /** For a single file: a Diffusers folder or hub id that gives the tokenizer and any configs, which override derived ones. */
  readonly config?: string | undefined;
  /** For a folder or repository of single networks: the model they were fine-tuned from, which gives everything else. */
  readonly base?: string | undefined;
  /** What the network predicts, whatever its files say. */
  readonly prediction?: "epsilon" | "v_prediction" | undefined;
}

/**
 * Opens a model: a Diffusers folder, a single checkpoint file (`.safetensors`, `.ckpt`), the embedded model by its name, or a hub id: `owner/name`,
 * `owner/name@revision`, or one file of a repository, `owner/name:file`; tried in this order. Hub models are downloaded first, into the cache that other tools share. No weights are read.
 *
 * @throws TillerError if none of these fits, or a part is missing, damaged or of a kind Tiller does not run; or if
 *   `config` is given for a model that is not a single file.
 */
export async function openModel(model: string, options: OpenModelOptions = {}): Promise<Model> {
  const { family, files } = await openModelFiles(model, options);
  const { prediction } = options;
  if (prediction === undefined) return family.model(files);
  return family.model({ ...files, scheduler: { ...files.scheduler, prediction_type: prediction } });
}

/**
 * As {@link openModel}, without downloading: a hub model is looked for in the cache only.
 *
 * @returns Undefined if it would have to be downloaded.
 */
export async function openModelHere(model: string, options: OpenModelOptions = {}): Promise<Model | undefined> {
  const hub = (await kindOf(model)) || model === embeddedModel ? undefined : parseHubName(model);
  const place = hub ? await cachedSnapshot(hub, options) : model;
  return place === undefined ? undefined : openModel(hub?.file === undefined ? place : join(place, hub.file), options);
}

/** A model's files and the family that makes a model of them. */
export interface FoundModel {
  readonly family: Family;
  readonly files: ModelFiles;
}

/** Finds what {@link openModel} opens, without interpreting its configs. */
export async function openModelFiles(model: string, options: OpenModelOptions = {}): Promise<FoundModel> {
  const kind = await kindOf(model);
  if (kind === "file") return openSingleFile(model, options);
  const hub = kind === undefined ? parseHubName(model) : undefined;
  if (hub?.file !== undefined) return openSingleFile(await fetchFile(hub, hub.file, options), options);
  if (options.config !== undefined) {
    throw new TillerError(
      "config-idle",
      `--config is for single-file models; ${model} has its own configs: leave --config out.`,
      {
        paths: [model],
      },
    );
  }
  if (kind === "folder") return openFolder(model, options);
  if (model === embeddedModel) return openFolder(embeddedFolder, options);
  if (hub) {
    // The index says which files are needed; it is too small to report progress on.
    const indexOnly = await fetchSnapshot(hub, (names) => modelIndexOf(model, names), {
      ...options,
      onProgress: undefined,
    });
    const index = join(indexOnly, "model_index.json");
    if (!(await exists(index))) return openParts(indexOnly, options, { name: model, kind: "hub" }, hub);
    const family = familyOf(await readJson(index, modelIndex), model);
    const snapshot = await fetchSnapshot(hub, (names) => modelFiles(model, family, names, options.variant), options);
    return openFolder(snapshot, options, { name: model, kind: "hub" });
  }
  throw new TillerError(
    "model-not-found",
    `There is no model ${model}: it is neither a folder with a model_index.json, nor a .safetensors or .ckpt file, ` +
      `nor a hub id of the form owner/name, nor ${embeddedModel}, the embedded model.`,
    { paths: [model] },
  );
}

/** A name from a file, for messages. */
function oneLine(name: string): string {
  return name.replaceAll(/[\p{C}\s]+/gu, " ");
}

/** The class name, or the module and class of a pipeline with its own code. */
const modelIndex = z.looseObject({
  _class_name: z.union([
    z.string().transform(oneLine),
    z
      .tuple([z.string().nullable(), z.string()])
      .transform(([, name]) => `${oneLine(name)} (a pipeline with its own code)`),
  ]),
});

/** The family of an index's pipeline class. `name` is the user's name for the model. */
function familyOf({ _class_name }: z.infer<typeof modelIndex>, name: string): Family {
  const family = families.find(({ classes }) => classes.includes(_class_name));
  if (family) return family;
  const runs = families.map((one) => one.runs).join(", ");
  throw new TillerError(
    "model-unsupported",
    `${name} is a ${_class_name}, which Tiller does not run; it runs ${runs}.`,
    { paths: [name] },
  );
}

async function openFolder(
  folder: string,
  options: OpenModelOptions,
  as: Pick<ModelFiles, "name" | "kind"> = { name: basename(resolve(folder)), kind: "folder" },
): Promise<FoundModel> {
  const indexFile = join(folder, "model_index.json");
  if (!(await exists(indexFile))) {
    if ((await partsIn(folder)).length > 0) return openParts(folder, options, as);
    throw await noIndex(folder);
  }
  const index = await readJson(indexFile, modelIndex);
  const family = familyOf(index, folder);
  const parts = Object.entries(family.parts);
  family.check?.(index, folder);
  for (const [part, { classes }] of parts) {
    const name = z.tuple([z.unknown(), z.string()]).safeParse(index[part]).data?.[1];
    if (name === undefined || !classes.includes(name)) {
      throw new TillerError(
        "model-unsupported",
        `${indexFile} gives ${name === undefined ? "no class" : oneLine(name)} as ${part}; Tiller runs ${classes.join(" or ")}.`,
        { paths: [indexFile] },
      );
    }
  }
  const { variant } = options;
  if (variant !== undefined) {
    refuseUnknownVariant(folder, await Promise.all(parts.map(([part]) => listFolder(join(folder, part)))), variant);
  }
  const components = new Map<string, Component>();
  for (const [name, part] of parts) components.set(name, await openPart(folder, name, part, variant));
  const files = {
    ...as,
    components,
    index,
    scheduler: await readJson(join(folder, "scheduler", "scheduler_config.json"), jsonObject),
    ...(await tokenizersOf(folder, family)),
    defaults: await ownDefaults(folder),
  };
  return { family, files };
}

async function openPart(folder: string, name: string, { keys, check }: Part, variant?: string): Promise<Component> {
  const config = await readJson(join(folder, name, "config.json"), jsonObject);
  const weights = await openCheckpoint(join(folder, name), variant);
  refuseUnmerged(join(folder, name), weights.keys());
  const component = { config, weights: keys ? keys(weights) : weights };
  check?.(component, folder);
  return component;
}

/** The sub-folders of a folder that are a part of some family's models. */
async function partsIn(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of allParts()) if (await exists(join(folder, name, "config.json"))) found.push(name);
  return found;
}

const allParts = (): string[] => [...new Set(families.flatMap(({ parts }) => Object.keys(parts)))];

/**
 * Opens a folder that holds only some networks of a model, such as a fine-tuned U-Net; the rest is the base's.
 *
 * @param hub The repository, if the folder has only its configs so far.
 */
async function openParts(
  folder: string,
  options: OpenModelOptions,
  as: Pick<ModelFiles, "name" | "kind">,
  hub?: HubName,
): Promise<FoundModel> {
  const { base, variant } = options;
  const found = await partsIn(folder);
  if (base === undefined) {
    throw new TillerError(
      "model-incomplete",
      `${as.kind === "hub" ? as.name : folder} holds only ${found.map((name) => `${name}/`).join(" and ")}: give the model it was fine-tuned from with --base.`,
      { paths: [folder] },
    );
  }
  const { family, files } = await openModelFiles(base, { ...options, base: undefined });
  const parts = Object.entries(family.parts).filter(([name]) => found.includes(name));
  if (parts.length === 0) {
    throw new TillerError(
      "models-differ",
      `${as.name} has ${found.join(" and ")}, which the base ${base}, a ${family.name} model, has not: give the model it was fine-tuned from.`,
      { paths: [folder, base] },
    );
  }
  const place = hub
    ? await fetchSnapshot(hub, (names) => parts.flatMap(([name]) => partFiles(as.name, name, names, variant)), options)
    : folder;
  const components = new Map(files.components);
  const defaults = (await ownDefaults(place)) ?? files.defaults;
  for (const [name, part] of parts) {
    const component = await openPart(place, name, part, variant);
    refuseOtherForm(component, files.components.get(name)!, join(place, name), part);
    components.set(name, component);
  }
  return { family, files: { ...files, ...as, components, warnings: [], defaults } };
}

/** Config keys that may differ between a network and the one it was fine-tuned from. */
const free = new Set(["sample_size", "dropout", "attention_dropout", "torch_dtype", "dtype", "transformers_version"]);

/** A value of a config; a list of one and the same number stands for the number. */
const written = (value: unknown): string =>
  JSON.stringify(Array.isArray(value) && new Set(value).size === 1 ? value[0] : value);

/** Refuses a network that another base belongs to. */
function refuseOtherForm(own: Component, base: Component, where: string, { widened }: Part): void {
  for (const [key, value] of Object.entries(own.config)) {
    const other = base.config[key];
    if (key.startsWith("_") || free.has(key) || (key === "in_channels" && widened !== undefined)) continue;
    if (value === null || other === undefined || other === null) continue;
    if (written(value) === written(other)) continue;
    throw new TillerError(
      "models-differ",
      `${where} does not fit the base: its config.json has ${key} ${JSON.stringify(value)} and the base's ${JSON.stringify(other)}; give the model it was fine-tuned from.`,
      { paths: [where] },
    );
  }
  pairsOf(own.weights, base.weights, widened);
}

/** Refuses a network saved with an adapter's layers in it: without them it would not be what its author trained. */
function refuseUnmerged(folder: string, keys: Iterable<string>): void {
  for (const key of keys) {
    if (!/\.(lora_[AB]|lora_down|lora_up|base_layer)\.|_lora\.(down|up)\./.test(key)) continue;
    throw new TillerError(
      "model-unsupported",
      `${folder} contains ${key}, a layer of an adapter that was saved inside the network: merge it (fuse_lora in Diffusers), or save it separately.`,
      { paths: [folder] },
    );
  }
}

const own = z.strictObject({
  defaults: z
    .strictObject({
      sampler: z.enum(samplerNames as [(typeof samplerNames)[number], ...typeof samplerNames]),
      steps: z.number().int().min(1).max(1000),
      scale: z.number(),
      width: z.number().int().positive(),
      height: z.number().int().positive(),
      guidance: z.enum(guidanceNames),
      omega: z.number(),
    })
    .partial(),
});

/** A folder may set its model's defaults in tiller.json. */
async function ownDefaults(folder: string): Promise<ModelFiles["defaults"]> {
  const file = join(folder, "tiller.json");
  return (await exists(file)) ? ((await readJson(file, own)).defaults as ModelFiles["defaults"]) : undefined;
}

/** A component without the variant uses its plain weights; a variant that no component has is misspelled. */
function refuseUnknownVariant(model: string, files: readonly (readonly string[])[], variant: string): void {
  if (files.some((names) => hasVariant(names, variant))) return;
  throw new TillerError(
    "variant-missing",
    `${model} has no weights of the variant ${variant}: leave out --variant, or name one it has.`,
    { paths: [model] },
  );
}

async function openSingleFile(file: string, options: OpenModelOptions): Promise<FoundModel> {
  const stored = await readTensors(file);
  const having = families.filter(({ singleFile }) => singleFile !== undefined);
  // The first family also refuses, by name, what no family recognises.
  const family = having.find(({ singleFile }) => singleFile!.recognises(stored.tensors)) ?? having[0]!;
  const { components, scheduler, tokenizers, predictionTold, warnings } = await family.singleFile!.split(
    stored,
    file,
    await yamlBeside(file),
  );
  const folder =
    options.config === undefined
      ? await defaultTokenizer(tokenizers, family, file, options)
      : await configFolder(options.config, family, options);
  // Without --config only the folder's tokenizer is used: its configs may be another model's.
  const given = async (...path: string[]): Promise<Record<string, unknown>> => {
    const json = join(folder, ...path);
    return options.config !== undefined && (await exists(json)) ? readJson(json, jsonObject) : {};
  };
  const agreed = new Map<string, Component>();
  for (const [name, part] of components) {
    refuseStoredTypes(part.weights);
    agreed.set(name, agreeing(part, await given(name, "config.json"), name, file));
  }
  const givenScheduler = await given("scheduler", "scheduler_config.json");
  const told = predictionTold || options.prediction !== undefined || givenScheduler.prediction_type !== undefined;
  const files = {
    name: basename(file),
    kind: "single-file",
    components: agreed,
    scheduler: { ...scheduler, ...givenScheduler },
    warnings: [...warnings, ...(told ? [] : [predictionUnknown(file, scheduler.prediction_type)])],
    ...(await tokenizersOf(folder, family)),
  } as const;
  return { family, files };
}

/** The text of the .yaml of the same name beside a file, where other programs look for it. */
export async function yamlBeside(file: string): Promise<string | undefined> {
  for (const extension of [".yaml", ".yml"]) {
    const beside = file.slice(0, file.length - extname(file).length) + extension;
    if (await exists(beside)) return readText(beside, 1 << 20);
  }
  return undefined;
}

const predictionUnknown = (file: string, usual: unknown): string =>
  `${file} does not say what its network predicts, and no .yaml beside it does: ${usual} is assumed, which is usual for such files; ` +
  `if pictures come out as noise, give --prediction ${usual === "epsilon" ? "v_prediction" : "epsilon"}`;

/** The given config over the derived one, after a check that it fits the weights' shapes. */
function agreeing(part: SplitComponent, given: Record<string, unknown>, name: string, file: string): Component {
  for (const [key, value] of Object.entries(part.derived)) {
    const other = given[key];
    const comparable = other !== undefined && Array.isArray(other) === Array.isArray(value);
    if (comparable && JSON.stringify(other) !== JSON.stringify(value)) {
      throw new TillerError(
        "config-mismatch",
        `--config says ${key} ${JSON.stringify(other)} for the ${name}, but ${file} has ${JSON.stringify(value)}: ` +
          `give the folder of the model this file was made from.`,
        { paths: [file] },
      );
    }
  }
  return { weights: part.weights, config: { ...part.config, ...given } };
}

async function defaultTokenizer(
  ids: readonly string[],
  family: Family,
  file: string,
  options: OpenModelOptions,
): Promise<string> {
  const complete = async (snapshot: string): Promise<boolean> => {
    for (const name of tokenizersIn(family)) if (!(await hasTokenizer(join(snapshot, name)))) return false;
    return true;
  };
  for (const id of ids) {
    const snapshot = await cachedSnapshot({ id }, options);
    if (snapshot && (await complete(snapshot))) return snapshot;
  }
  const id = ids[0]!;
  try {
    return await fetchSnapshot({ id }, (names) => tokenizerFiles(family, names), options);
  } catch (error) {
    if (!(error instanceof TillerError)) throw error;
    throw new TillerError(
      "tokenizer-missing",
      `${file} holds no tokenizer, and the usual one could not be fetched from ${id}: ` +
        `pass --config FOLDER with a Diffusers folder that has a tokenizer. (${error.message})`,
      { paths: [file], cause: error },
    );
  }
}

async function configFolder(config: string, family: Family, options: OpenModelOptions): Promise<string> {
  const kind = await kindOf(config);
  if (kind === "folder") return config;
  const hub = kind === undefined ? parseHubName(config) : undefined;
  if (hub && hub.file === undefined) return fetchSnapshot(hub, (names) => configFiles(family, names), options);
  throw new TillerError(
    "config-missing",
    `--config ${config} is neither a Diffusers folder nor a hub id of the form owner/name.`,
    { paths: [config] },
  );
}

/** @throws TillerError if the repository is not a Diffusers pipeline. */
function modelIndexOf(id: string, names: readonly string[]): string[] {
  if (names.includes("model_index.json")) return ["model_index.json"];
  const parts = allParts()
    .map((part) => `${part}/config.json`)
    .filter((name) => names.includes(name));
  const single = names.filter((name) => /^[^/]+\.(safetensors|ckpt)$/.test(name));
  if (parts.length > 0 && single.length === 0) return parts;
  throw new TillerError(
    "model-not-found",
    single.length > 0
      ? `${id} is not a Diffusers repository: name one of its files, as ${id}:${single[0]}${single.length > 1 ? ` (or ${single.slice(1, 5).join(", ")})` : ""}.`
      : `${id} is not a Diffusers repository: it has no model_index.json.`,
    { paths: [id] },
  );
}

/** The files of a repository that a family's model needs: configs, tokenizer, one set of weights per component. */
function modelFiles(id: string, family: Family, names: readonly string[], variant: string | undefined): string[] {
  const parts = Object.keys(family.parts);
  const filesOf = (part: string) =>
    names.filter((name) => name.startsWith(`${part}/`)).map((name) => name.slice(part.length + 1));
  if (variant !== undefined) refuseUnknownVariant(id, parts.map(filesOf), variant);
  return [...configFiles(family, names), ...parts.flatMap((part) => weightFiles(id, part, filesOf(part), variant))];
}

function weightFiles(id: string, part: string, files: readonly string[], variant: string | undefined): string[] {
  const chosen = chooseWeightFiles(files, variant);
  if (chosen) return chosen.names.map((name) => `${part}/${name}`);
  throw new TillerError("weights-missing", `${id} has no PyTorch or safetensors weights in ${part}/.`, { paths: [id] });
}

/** The files of one part of a repository. */
function partFiles(id: string, part: string, names: readonly string[], variant: string | undefined): string[] {
  const files = names.filter((name) => name.startsWith(`${part}/`)).map((name) => name.slice(part.length + 1));
  return [`${part}/config.json`, ...weightFiles(id, part, files, variant)];
}

function configFiles(family: Family, names: readonly string[]): string[] {
  const configs = new Set([
    "model_index.json",
    "scheduler/scheduler_config.json",
    ...Object.keys(family.parts).map((part) => `${part}/config.json`),
  ]);
  return [...names.filter((name) => configs.has(name)), ...tokenizerFiles(family, names)];
}

const tokenizersIn = ({ tokenizers }: Family): readonly string[] => tokenizers ?? ["tokenizer"];

function tokenizerFiles(family: Family, names: readonly string[]): string[] {
  return names.filter((name) => {
    const [, folder] = /^(\w+)\/[\w.-]+\.(json|txt)$/.exec(name) ?? [];
    return folder !== undefined && tokenizersIn(family).includes(folder);
  });
}

/** Tokenizers without a limit say 1e30. */
const tokenizerConfig = z.looseObject({ model_max_length: z.number().nullish() });

type Tokenizers = Pick<ModelFiles, "tokenizerFolder" | "secondTokenizerFolder" | "promptTokens">;

async function tokenizersOf(folder: string, family: Family): Promise<Tokenizers> {
  const [first, second] = await Promise.all(tokenizersIn(family).map((name) => tokenizerIn(folder, name)));
  const limits = await Promise.all([first, second].map((one) => (one === undefined ? undefined : limitOf(one))));
  const promptTokens = Math.min(...limits.map((limit) => limit ?? Number.POSITIVE_INFINITY));
  return {
    tokenizerFolder: first!,
    ...(second !== undefined && { secondTokenizerFolder: second }),
    ...(Number.isFinite(promptTokens) && { promptTokens }),
  };
}

/** The most tokens of a prompt that a tokenizer's config states. */
async function limitOf(tokenizerFolder: string): Promise<number | undefined> {
  const config = join(tokenizerFolder, "tokenizer_config.json");
  const { model_max_length: most } = (await exists(config)) ? await readJson(config, tokenizerConfig) : {};
  return Number.isInteger(most) && most! > 2 && most! < 1e6 ? most! : undefined;
}

async function tokenizerIn(folder: string, name: string): Promise<string> {
  const tokenizer = join(folder, name);
  if (await hasTokenizer(tokenizer)) return tokenizer;
  throw new TillerError(
    "tokenizer-missing",
    `${tokenizer} holds no tokenizer: tokenizer.json, or vocab.json and merges.txt, is needed.`,
    { paths: [tokenizer] },
  );
}

async function hasTokenizer(folder: string): Promise<boolean> {
  const names = await list(folder).catch(() => [] as string[]);
  return names.includes("tokenizer.json") || (names.includes("vocab.json") && names.includes("merges.txt"));
}

async function noIndex(folder: string): Promise<TillerError> {
  const names = await list(folder).catch(() => [] as string[]);
  const single = names.filter((name) => /\.(safetensors|ckpt)$/.test(name));
  const hint = names.includes("config.json")
    ? "it looks like one component of a model: pass the folder above it"
    : single.length > 0
      ? `pass one of its files instead: ${single.slice(0, 5).join(", ")}`
      : "a Diffusers folder has one beside unet/, vae/ and text_encoder/";
  return new TillerError("model-not-found", `${folder} has no model_index.json: ${hint}.`, { paths: [folder] });
}
