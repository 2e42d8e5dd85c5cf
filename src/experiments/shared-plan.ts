/**
 * An experiment as workers on other machines read it: its settings, and the keys of what it needs in the store. No path in it is
 * opened: models are found by their hashes among those that a worker may open, pictures and adapters come from the store.
 */
import { cp, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join, relative } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { kindOf, makeFolder } from "#bytes";
import { readText } from "../bytes/json-file.ts";
import { TillerError } from "../errors/index.ts";
import { embeddedModel } from "../families/embedded.ts";
import { pictureFolder } from "../images/folder.ts";
import { digestOf, inFolder, keyPattern, type Store } from "../jobs/index.ts";
import { encodersOf } from "../metrics/fidelity.ts";
import { parseAdapter } from "../pipelines/adapter-spec.ts";
import { targets } from "../runtime/index.ts";
import { picturesIdentity } from "../training/data/pictures-identity.ts";
import { type Experiment, experimentSchema } from "./experiment.ts";
import { modelIdentity } from "./identity.ts";
import { identitiesOf } from "./networks.ts";
import { openPlan } from "./open-plan.ts";
import { pathsIn, withPaths } from "./paths.ts";
import type { Cell, Identities } from "./plan.ts";
import { refuseExcess, refuseExcessFiles } from "./worker-limits.ts";

/** Names of files that are safe on every system. */
const plainName = /^[\w-][\w. -]{0,99}$/;

const sharedSchema = z.strictObject({
  /** Where its files are in the store. */
  key: z.string().regex(keyPattern),
  /** Of a single file, its name there. */
  file: z.string().regex(plainName).optional(),
});

const planSchema = z.strictObject({
  form: z.literal(1),
  experiment: experimentSchema.required({ steps: true, sampler: true, computed: true }),
  identities: z.strictObject({ model: z.string(), base: z.string().optional(), encoders: z.array(z.string()) }),
  /** Pictures, adapters and prompts by what the experiment calls them. */
  files: z.record(z.string(), sharedSchema),
});

type Shared = z.output<typeof sharedSchema>;

const fileName = "plan.json";

/** The most bytes of a plan. */
const largestPlan = 8 << 20;

export interface SharedParts {
  readonly experiment: Experiment;
  readonly named: Experiment;
  readonly identities: Identities;
}

/** Puts an experiment and what it needs into a store, and returns its key. */
export async function sharePlan({ experiment, named, identities }: SharedParts, store: Store): Promise<string> {
  const files: Record<string, Shared> = {};
  const names = pathsIn(named);
  const kinds = kindsIn(named);
  for (const [i, path] of pathsIn(experiment).entries()) {
    const [kind, name] = [kinds.get(names[i]!), names[i]!];
    if (kind === undefined) continue;
    const place = kind === "given" ? parseAdapter(path).file : path;
    files[name] = await shareFile(kind, place, store);
  }
  const plan: z.input<typeof planSchema> = {
    form: 1,
    experiment: named,
    identities: { ...identities, encoders: [...identities.encoders] },
    files,
  };
  const text = JSON.stringify(plan);
  const key = `plan-${digestOf(text)}`;
  await sharing(store, key, (folder) => writeFile(join(folder, fileName), text));
  return key;
}

/** What is shared: folders of pictures, given adapters, and files of prompts. */
type SharedKind = "images" | "given" | "texts";

/** What an experiment calls each, without models and encoders, which workers have themselves. */
function kindsIn({ personalisation, concepts, edits, prompts }: Experiment): ReadonlyMap<string, SharedKind> {
  const kinds = new Map<string, SharedKind>();
  const add = (name: string, kind: SharedKind) => {
    if ((kinds.get(name) ?? kind) !== kind)
      throw new TillerError("experiment-invalid", `the experiment names ${name} as two kinds of files.`);
    kinds.set(name, kind);
  };
  const own = typeof concepts === "string" ? [] : concepts.filter((one) => typeof one === "object");
  for (const one of personalisation) if ("adapters" in one) for (const spec of one.adapters) add(spec, "given");
  for (const { images, adapters = [] } of own) {
    add(images, "images");
    for (const spec of adapters) add(spec, "given");
  }
  if (edits) add(edits.images, "images");
  if (typeof prompts === "object" && "file" in prompts) add(prompts.file, "texts");
  return kinds;
}

async function shareFile(kind: SharedKind, path: string, store: Store): Promise<Shared> {
  if (kind === "images") {
    const key = await keyOfShared(kind, path);
    await sharing(store, key, (folder) => copyPictures(path, folder));
    return { key };
  }
  if ((await kindOf(path)) !== "file" || (kind === "given" && !path.endsWith(".safetensors"))) {
    const what = kind === "given" ? "the adapter as a .safetensors file" : "the prompts as a file";
    throw new TillerError("experiment-invalid", `workers need ${what}, which ${path} is not.`, { paths: [path] });
  }
  const key = await keyOfShared(kind, path);
  // Recipes name adapters by their files.
  const file = plainName.test(basename(path)) ? basename(path) : `${kind}${extname(path)}`;
  await sharing(store, key, (folder) => cp(path, join(folder, file)));
  return { key, file };
}

/** The key of what is in a place, by its contents. */
async function keyOfShared(kind: SharedKind, place: string): Promise<string> {
  const hash = kind === "images" ? await picturesIdentity(place) : await modelIdentity(place);
  return `${kind}-${hash.slice(0, 20)}`;
}

export interface ReadPlan extends SharedParts {
  readonly cells: readonly Cell[];
}

/**
 * Reads an experiment from a store, for a worker.
 *
 * @param folder Where the worker keeps what the experiment needs, and its cells' folders.
 * @param allowed The models and encoders that the worker may open, by hash.
 * @throws TillerError if the plan is damaged or asks for too much, or needs a model that the worker may not open.
 */
export async function readPlan(
  key: string,
  store: Store,
  folder: string,
  allowed: ReadonlyMap<string, string>,
): Promise<ReadPlan> {
  await store.fetch(key, folder);
  const { identities, files, experiment: named } = await planIn(join(folder, fileName), key);
  refuseExcess(named);
  const network = (identity: string, what: string): string => {
    const found = allowed.get(identity);
    if (found === undefined) throw notAllowed(what);
    return found;
  };
  const encoders: Record<string, string> = {};
  for (const [i, { name }] of encodersOf(named.metrics).entries()) {
    // Without a name it is dinghy's own, which every worker has.
    const given = (named.encoders as Readonly<Record<string, string | undefined>> | undefined)?.[name];
    if (given !== undefined) encoders[name] = network(identities.encoders[i]!, `the encoder ${name}`);
  }
  const places = new Map<string, string>();
  for (const [name, kind] of kindsIn(named)) {
    const shared = files.get(name);
    if (!shared) throw damaged(key);
    const place = await fetchShared(kind, shared);
    const strength = kind === "given" ? parseAdapter(name).strength : undefined;
    places.set(name, strength === undefined ? place : `${place}:${strength}`);
  }
  const experiment: Experiment = {
    ...withPaths(named, (path) => places.get(path) ?? path),
    model: network(identities.model, `the model ${basename(named.model)}`),
    base: named.base && network(identities.base ?? "", `the model ${basename(named.base)}`),
    encoders: named.encoders && encoders,
  };
  await refuseExcessFiles(experiment);
  // Whatever the plan says, networks are known by their contents.
  if (!isDeepStrictEqual(await identitiesOf(experiment), identities)) throw notAllowed("a model or an encoder");
  return { experiment, named, identities, cells: await openPlan(experiment, identities, folder) };

  async function fetchShared(kind: SharedKind, shared: Shared): Promise<string> {
    const into = join(folder, "shared", shared.key);
    if ((await kindOf(into)) === undefined) await store.fetch(shared.key, into);
    const place = shared.file === undefined ? into : join(into, shared.file);
    if (kind === "given" && !place.endsWith(".safetensors")) throw damaged(shared.key);
    if (shared.key !== (await keyOfShared(kind, place))) throw damaged(shared.key);
    return place;
  }
}

/** @throws TillerError `store-damaged` if the file is not the plan of the key. */
async function planIn(file: string, key: string) {
  const text = await readText(file, largestPlan);
  if (key !== `plan-${digestOf(text)}`) throw damaged(key);
  let plan: unknown;
  try {
    plan = JSON.parse(text);
  } catch {
    throw damaged(key);
  }
  const parsed = planSchema.safeParse(plan);
  if (!parsed.success) throw damaged(key);
  const { identities, files, experiment } = parsed.data;
  return { identities, files: new Map(Object.entries(files)), experiment: experiment as Experiment };
}

/** An experiment's models and encoders by their hashes: what its own workers may open. */
export function ownModels({
  experiment,
  identities,
}: Pick<SharedParts, "experiment" | "identities">): ReadonlyMap<string, string> {
  const allowed = new Map([[identities.model, experiment.model]]);
  if (experiment.base !== undefined && identities.base !== undefined) allowed.set(identities.base, experiment.base);
  const named = experiment.encoders as Readonly<Record<string, string | undefined>> | undefined;
  for (const [i, { name }] of encodersOf(experiment.metrics).entries()) {
    const given = named?.[name];
    if (given !== undefined) allowed.set(identities.encoders[i]!, given);
  }
  return allowed;
}

/**
 * The models and encoders that a worker may open, by their hashes.
 *
 * @param models Folders, files, or the embedded model's name.
 */
export async function allowedModels(models: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const allowed = new Map<string, string>();
  for (const model of models) {
    const { identity } = await modelHash(model);
    allowed.set(identity, model);
  }
  return allowed;
}

/** A model's hash as experiments have it. */
async function modelHash(model: string): Promise<{ readonly identity: string }> {
  if (model === embeddedModel) {
    const { model: identity } = await identitiesOf({
      model,
      base: undefined,
      encoders: undefined,
      metrics: [],
      protocol: "dreambooth",
    });
    return { identity };
  }
  return { identity: await modelIdentity(model, ["clip", "vit"]) };
}

/** @throws TillerError unless this machine computes with the library that the experiment's units are named by. */
export function refuseOtherEngine({ computed }: Experiment, device: keyof typeof targets): void {
  const { engine } = targets[device];
  if (engine === computed.engine) return;
  throw new TillerError(
    "precision-unavailable",
    `the experiment is computed by ${computed.engine}, and ${device} here by ${engine}: start the worker with another --device.`,
  );
}

/** Publishes a folder that `fill` fills, unless the key is there. */
async function sharing(store: Store, key: string, fill: (folder: string) => Promise<unknown>): Promise<void> {
  if (await store.has(key)) return;
  await inFolder(async (folder) => {
    await fill(folder);
    await store.publish(key, folder);
  });
}

/** Copies the pictures of a folder, and the files of their captions. */
async function copyPictures(from: string, to: string): Promise<void> {
  const names = new Set<string>();
  for (const { name, caption } of (await pictureFolder(from)).pictures) {
    names.add(name);
    // Captions may also be the names of folders.
    if (caption && (await kindOf(caption.file)) === "file") names.add(relative(from, caption.file));
  }
  for (const name of names) {
    await makeFolder(dirname(join(to, name)));
    await cp(join(from, name), join(to, name));
  }
}

const damaged = (key: string) =>
  new TillerError(
    "store-damaged",
    `${key} in the store is not what its key says: remove it and run the experiment again.`,
  );

const notAllowed = (what: string) =>
  new TillerError(
    "model-not-allowed",
    `the experiment needs ${what}, which this worker may not open or has in another version: start it with --allow-model.`,
  );
