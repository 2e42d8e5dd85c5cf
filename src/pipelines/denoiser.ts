/**
 * The networks that predict with one set of weights: the text encoders, what is prepared once per prompt, and the denoiser.
 *
 * A batch consists of rows of (text, multiple of the adapters' strength); strong, weak and base rows go through together. Tensors
 * passed from one network to another stay in the worker.
 */
import { type Adapter, sites as touchedSites } from "../adapters/index.ts";
import { TillerError } from "../errors/index.ts";
import type { Component, DenoiserSide, Model, Tokens } from "../families/family.ts";
import { connect, gather, input, inputsOf, type Outputs, symbol, type Value } from "../graph/index.ts";
import type { Share } from "../guidance/share.ts";
import { kept } from "../kept.ts";
import { type ByComponent, modulesOf, scoped } from "../models/components.ts";
import type { AttentionForm } from "../models/unet.ts";
import { type Engine, float32, int32, type Kept, type Session, type Tensor } from "../runtime/index.ts";
import { type AdapterInputs, type LoadedAdapter, loadAdapterInputs, sitesOf } from "./adapter-inputs.ts";
import { inInt8 } from "./int8-weights.ts";
import { textStates } from "./text-states.ts";

/** The parts of a model that predict. */
export type DenoiserSource = Pick<Model, "components" | "steered" | "text" | "denoiser" | "adapters">;

/** What a row's networks are given. */
export interface RowInputs {
  readonly tokens: Tokens;
  /** What the denoiser is conditioned on beside the text, by input; the same inputs for every row. */
  readonly conditions?: Readonly<Record<string, readonly number[]>>;
}

/** A row as the networks see it. */
export interface TextRow extends RowInputs {
  /** Multiple of the adapters' strength: 1, omega or 0. */
  readonly strength: Share;
  /** The multiple in the text encoders, if it is another. */
  readonly textStrength?: Share | undefined;
  /** An earlier row that differs only in its strengths; where the text encoder does not, the two share one encoding. */
  readonly like?: number | undefined;
}

/** A guidance method's rows with their texts encoded; the encodings are in the worker. */
export interface EncodedRows {
  readonly strengths: readonly Share[];
  readonly text: Kept;
  /** Each row's place among the encoded texts; the row's own if absent. */
  readonly texts?: readonly number[];
  /** The rows' conditions by input, all in one place. */
  readonly conditions?: Readonly<Record<string, Kept>>;
  release(): Promise<void>;
}

/** All inputs of the denoiser for one batch except latents and timestep; lives in the worker. */
export interface Conditioning {
  readonly feeds: Readonly<Record<string, Kept>>;
  release(): Promise<void>;
}

export interface Denoiser extends Pick<DenoiserSide, "channels" | "sees"> {
  /** The text encoder is never in memory together with the rest, so requests run one at a time. */
  readonly apart: boolean;
  /**
   * Replaces the adapters; sessions are rebuilt only if the new ones touch modules that have no branch in any graph yet.
   *
   * @throws TillerError if an adapter changes a module that the networks do not use; the previous adapters then stay.
   */
  setAdapters(loaded: readonly LoadedAdapter[]): Promise<void>;
  encode(rows: readonly TextRow[], clipSkip: number): Promise<EncodedRows>;
  /** Conditioning for `pictures` pictures, each with all rows or only the `chosen` ones: picture 0's rows first. */
  condition(rows: EncodedRows, pictures: number, chosen?: readonly number[]): Promise<Conditioning>;
  /** latents [pictures * rows, channels, h, w] at one timestep to the prediction of the same shape. */
  predict(latents: Tensor, timestep: number, conditioning: Conditioning): Promise<Tensor>;
  release(): Promise<void>;
}

/** The networks' names in errors and profiles. */
const labels = { text: "text encoder", prepare: "text keys and values", predict: "denoiser" } as const;
type NetworkName = keyof typeof labels;
const networks = Object.keys(labels) as readonly NetworkName[];

interface Built {
  readonly session: Session;
  readonly inputs: AdapterInputs;
}

/** Weights that are inputs of the graphs, kept by the engine. */
export interface OpenWeights {
  /** By component. */
  readonly keys: ByComponent<ReadonlySet<string>>;
  /** Those among a graph's inputs. */
  feeds(inputs: Iterable<string>): Readonly<Record<string, Kept>>;
}

/** Where the networks have branches for adapters. */
type Sites = ByComponent<ReadonlySet<string>>;

export interface DenoiserOptions {
  readonly attention?: AttentionForm | undefined;
  /** Whether the text encoder is released before the rest is built. */
  readonly apart?: boolean | undefined;
}

/** Builds the networks of `source`, ready for `loaded` adapters. */
export async function buildDenoiser(
  engine: Engine,
  source: DenoiserSource,
  loaded: readonly LoadedAdapter[],
  { attention = "exact", apart = false }: DenoiserOptions = {},
  open?: OpenWeights,
): Promise<Denoiser> {
  const { components, text } = source;
  const built = new Map<NetworkName, Promise<Built>>();
  const fewerLayers = new Map<number, Promise<Built>>();

  const touchedBy = (adapters: readonly Adapter[]): Sites =>
    new Map(
      [...touchedSites(adapters)].map(([component, paths]) => {
        const idle = source.adapters.idle?.[component];
        return [component, new Set([...paths].filter((path) => !idle?.test(path)))];
      }),
    );

  /** @throws TillerError if an adapter changes a module that the networks do not use. */
  const design = (adapters: readonly Adapter[]): { graphs: Readonly<Record<NetworkName, Outputs>>; sites: Sites } => {
    const touched = touchedBy(adapters);
    const sites = new Map(
      source.steered.map((name) => [
        name,
        union(pathsMatching(components.get(name)!, source.adapters.usual[name]), touched.get(name) ?? new Set()),
      ]),
    );
    const modules = modulesOf(components, {
      sites,
      ...(open && { open: open.keys }),
      float32: source.denoiser.float32,
    });
    const graphs = {
      text: text.graph(modules),
      prepare: byRow(source.denoiser.prepare(modules)),
      predict: source.denoiser.predict(modules, attention),
    };
    const used = new Set(
      Object.values(graphs).flatMap((outputs) =>
        sitesOf(inputsOf(outputs)).map(({ component, path }) => scoped(component, path)),
      ),
    );
    for (const [component, paths] of touched) {
      for (const path of paths) {
        if (used.has(scoped(component, path))) continue;
        throw new TillerError("adapter-idle-site", `an adapter changes ${path}, which the network does not use.`);
      }
    }
    return { graphs, sites };
  };

  const weightsOf = ({ inputs }: Session) => open?.feeds(inputs.keys()) ?? {};

  let { graphs, sites } = design(adaptersOf(loaded));
  let current = loaded;
  let learned = learnedEmbeddings(source, adaptersOf(loaded));

  const build = async (network: NetworkName): Promise<Built> => {
    const graph = graphs[network];
    const reach = network === "predict" ? engine.target.int8 : 0;
    const session = await engine.compile(labels[network], reach > 0 ? await inInt8(graph, reach) : graph);
    return { session, inputs: await loadAdapterInputs(engine, session, source, current) };
  };
  const networkOf = (network: NetworkName): Promise<Built> => kept(built, network, () => build(network));
  const buildAll = async () => {
    if (!apart) for (const network of networks) await networkOf(network);
  };
  const release = async (names: readonly NetworkName[]) => {
    for (const name of names) await releaseOne(built, name);
  };
  const releaseSkipping = async () => {
    for (const clipSkip of fewerLayers.keys()) await releaseOne(fewerLayers, clipSkip);
  };
  await buildAll();

  const buildSkipping = async (clipSkip: number) => {
    const session = await engine.compile(
      labels.text,
      text.graph(modulesOf(components, { sites, ...(open && { open: open.keys }) }), { clipSkip }),
    );
    return { session, inputs: await loadAdapterInputs(engine, session, source, current) };
  };
  const textEncoderSkipping = (clipSkip: number): Promise<Built> =>
    clipSkip === 0 ? networkOf("text") : kept(fewerLayers, clipSkip, () => buildSkipping(clipSkip));

  return {
    apart,
    channels: source.denoiser.channels,
    ...(source.denoiser.sees && { sees: source.denoiser.sees }),
    async setAdapters(next) {
      const adapters = adaptersOf(next);
      const covered = [...touchedBy(adapters)].every(([name, paths]) => isSubset(paths, sites.get(name)));
      // Check that the new adapters fit before closing the old networks: two sets may not fit in memory.
      const wanted = covered ? undefined : design(adapters);
      if (wanted) {
        await release(networks);
        ({ graphs, sites } = wanted);
        current = next;
        await buildAll();
      } else {
        const given = new Map<NetworkName, Built>();
        for (const [network, one] of built) {
          const { session } = await one;
          given.set(network, { session, inputs: await loadAdapterInputs(engine, session, source, next) });
        }
        for (const [network, one] of given) {
          const before = await built.get(network)!;
          built.set(network, Promise.resolve(one));
          await before.inputs.drop();
        }
        current = next;
      }
      await releaseSkipping();
      learned = learnedEmbeddings(source, adapters);
    },
    async encode(rows, clipSkip) {
      if (apart) await release(["prepare", "predict"]);
      const { session, inputs } = await textEncoderSkipping(clipSkip);
      const strengths = rows.map(({ strength }) => strength);
      const { texts, distinct } = textsOf(rows, inputs);
      const encoded = text.feeds
        ? await engine.hold({ ...(await textStates(session, text.feeds, distinct)) })
        : await session.keep({
            ...tokenFeeds(distinct),
            ...learned,
            ...inputs.factors,
            ...inputs.strengths(distinct.map(inText)),
            ...weightsOf(session),
          });
      if (apart) {
        await release(["text"]);
        await releaseSkipping();
      }
      const conditions = floatRows(distinct.map((row) => row.conditions ?? {}));
      const held = await engine.hold(conditions);
      return {
        strengths,
        text: encoded,
        texts,
        conditions: Object.fromEntries(Object.keys(conditions).map((name) => [name, held])),
        async release() {
          await engine.drop(encoded);
          await engine.drop(held);
        },
      };
    },
    async condition({ strengths, text, texts, conditions }, pictures, chosen = [...strengths.keys()]) {
      const rows = Array.from({ length: pictures }, () => chosen).flat();
      const batch = rows.map((row) => strengths[row]!);
      const [prepare, predict] = [await networkOf("prepare"), await networkOf("predict")];
      const encoded = [...prepare.session.inputs.keys()].filter((name) => name !== "row" && !name.includes(":"));
      const prepared = await prepare.session.keep({
        ...Object.fromEntries(encoded.map((name) => [name, conditions?.[name] ?? text])),
        row: int32(
          [rows.length],
          rows.map((row) => texts?.[row] ?? row),
        ),
        ...prepare.inputs.factors,
        ...prepare.inputs.strengths(batch),
        ...weightsOf(prepare.session),
      });
      const strengthFeeds = predict.inputs.strengths(batch);
      const held = await engine.hold(strengthFeeds);
      return {
        feeds: {
          ...(predict.inputs.factors as Readonly<Record<string, Kept>>),
          ...weightsOf(predict.session),
          ...Object.fromEntries(Object.keys(graphs.prepare).map((name) => [name, prepared])),
          ...Object.fromEntries(Object.keys(strengthFeeds).map((name) => [name, held])),
        },
        async release() {
          await engine.drop(prepared);
          await engine.drop(held);
        },
      };
    },
    async predict(latents, timestep, { feeds }) {
      const timesteps = float32([latents.shape[0]!], Array(latents.shape[0]).fill(timestep));
      const { session } = await networkOf("predict");
      const { prediction } = await session.run({ ...feeds, latents, timestep: timesteps });
      return prediction!;
    },
    async release() {
      await release(networks);
      await releaseSkipping();
    },
  };
}

async function releaseOne<K>(built: Map<K, Promise<Built>>, key: K): Promise<void> {
  const one = built.get(key);
  built.delete(key);
  if (!one) return;
  const { session, inputs } = await one;
  await inputs.drop();
  await session.release();
}

const adaptersOf = (loaded: readonly LoadedAdapter[]): Adapter[] => loaded.map(({ adapter }) => adapter);

/**
 * A graph with an additional input `row` [batch] that picks a row of its inputs for each row of the batch: a method's texts are
 * encoded once and repeated for every picture.
 */
function byRow(outputs: Outputs): Outputs {
  const row = input("row", [symbol("batch")], "int32");
  const taken: Record<string, Value> = {};
  for (const [name, value] of inputsOf(outputs)) {
    if (name.includes(":") || value.shape.length === 0) continue;
    taken[name] = gather(input(name, [symbol("rows"), ...value.shape.slice(1)], value.dtype), row);
  }
  return connect(outputs, taken);
}

/** The embeddings of all adapters' learned tokens, in order, [n, width]; one row of zeros if there are none. */
function learnedEmbeddings(
  { components, text }: DenoiserSource,
  adapters: readonly Adapter[],
): Readonly<Record<string, Tensor>> {
  const tables: Record<string, Tensor> = {};
  for (const { component, key, input: name } of text.embeddings) {
    const width = components.get(component)!.weights.get(key)!.shape[1]!;
    const vectors = adapters.flatMap(({ tokens }) => [...(tokens.get(component)?.values() ?? [])].flat());
    const table = new Float32Array(Math.max(1, vectors.length) * width);
    for (const [i, vector] of vectors.entries()) table.set(vector, i * width);
    tables[name] = float32([table.length / width, width], table);
  }
  return tables;
}

/** A row's multiple in the text encoders. */
const inText = ({ strength, textStrength = strength }: TextRow): Share => textStrength;

/** The rows whose texts are encoded, and each row's place among them. */
function textsOf(rows: readonly TextRow[], { same }: AdapterInputs): { texts: number[]; distinct: TextRow[] } {
  const [texts, distinct]: [number[], TextRow[]] = [[], []];
  for (const row of rows) {
    const { like } = row;
    if (like !== undefined && same(inText(rows[like]!), inText(row))) texts.push(texts[like]!);
    else texts.push(distinct.push(row) - 1);
  }
  return { texts, distinct };
}

/** Each row's numbers, [rows, n], by their names. */
const floatRows = (rows: readonly NonNullable<RowInputs["conditions"]>[]): Record<string, Tensor> =>
  Object.fromEntries(
    Object.keys(rows[0]!).map((name) => [
      name,
      float32(
        [rows.length, rows[0]![name]!.length],
        rows.flatMap((row) => [...row[name]!]),
      ),
    ]),
  );

/** The rows' tokens [rows, length], by the names of the text graph's inputs. */
function tokenFeeds(rows: readonly TextRow[]): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  for (const [name, { length }] of Object.entries(rows[0]!.tokens.inputs)) {
    feeds[name] = int32(
      [rows.length, length],
      rows.flatMap(({ tokens }) => [...tokens.inputs[name]!]),
    );
  }
  return feeds;
}

const pathsMatching = (component: Component, pattern: RegExp | undefined): Set<string> =>
  new Set(
    [...component.weights.keys()]
      .filter((key) => key.endsWith(".weight"))
      .map((key) => key.slice(0, -".weight".length))
      .filter((path) => pattern?.test(path)),
  );

const union = (a: ReadonlySet<string>, b: ReadonlySet<string>): Set<string> => new Set([...a, ...b]);
const isSubset = (a: ReadonlySet<string>, b: ReadonlySet<string> | undefined): boolean =>
  [...a].every((x) => b?.has(x));
