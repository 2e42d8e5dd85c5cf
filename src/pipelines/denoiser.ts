/**
 * The networks one set of weights needs to predict: text encoder, keys and values of the text, U-Net.
 *
 * A batch is rows of (text, share of the adapters' strength); strong, weak and base rows go through together.
 */
import { type Adapter, sites as touchedSites } from "../adapters/index.ts";
import { TillerError } from "../errors.ts";
import type { Component } from "../families/model-source.ts";
import { inputsOf, type Outputs } from "../graph/index.ts";
import { clipText, clipTextConfig } from "../models/clip-text.ts";
import { moduleOf } from "../models/module.ts";
import { crossAttentions, textKeysValues, unet, unetConfig } from "../models/unet.ts";
import { type Engine, float32, int32, type Kept, type Session, type Tensor } from "../runtime/index.ts";
import { type AdapterInputs, type LoadedAdapter, loadAdapterInputs, sitesOf } from "./adapter-inputs.ts";

export interface DenoiserSource {
  readonly unet: Component;
  readonly textEncoder: Component;
}

/** A row as the networks see it. */
export interface TextRow {
  /** Token ids, as many as the text encoder has positions. */
  readonly ids: readonly number[];
  /** Share of the adapters' strength: 1, omega or 0. */
  readonly strength: number;
}

/** Text encodings of a guidance method's rows, [rows, positions, width]. */
export interface EncodedRows {
  readonly strengths: readonly number[];
  readonly text: Tensor;
}

/** Everything but latents and timestep that the U-Net is given for one batch; lives in the worker. */
export interface Conditioning {
  readonly feeds: Readonly<Record<string, Tensor | Kept>>;
  release(): Promise<void>;
}

export interface Denoiser {
  /**
   * Takes other adapters; sessions are rebuilt only if these touch modules that no graph has a branch for yet.
   *
   * @throws TillerError if an adapter changes what the networks do not compute with; those of before stay.
   */
  setAdapters(loaded: readonly LoadedAdapter[]): Promise<void>;
  encode(rows: readonly TextRow[], clipSkip: number): Promise<EncodedRows>;
  /** Conditioning of `pictures` pictures, each with all rows: picture 0's rows first. */
  condition(rows: EncodedRows, pictures: number): Promise<Conditioning>;
  /** latents [pictures * rows, channels, h, w] at one timestep to the prediction of the same shape. */
  predict(latents: Tensor, timestep: number, conditioning: Conditioning): Promise<Tensor>;
  release(): Promise<void>;
}

/** Attention projections always have a branch, so that adapters of the usual kind come and go without a rebuild. */
const usualUNetSite = /\.attn[12]\.to_(q|k|v|out\.0)$/;
const usualTextSite = /\.(self_attn\.(q|k|v|out)_proj|mlp\.fc[12])$/;

/** Something of each network. */
interface ByNetwork<T> {
  readonly unet: T;
  readonly text: T;
  readonly textKeysValues: T;
}

/** Where the networks have branches for adapters. */
interface Sites {
  readonly unetSites: ReadonlySet<string>;
  readonly textSites: ReadonlySet<string>;
}

/** Builds the networks of `source`, ready for `loaded` adapters. */
export async function buildDenoiser(
  engine: Engine,
  source: DenoiserSource,
  loaded: readonly LoadedAdapter[],
): Promise<Denoiser> {
  const config = unetConfig(source.unet.config);
  const textConfig = clipTextConfig(source.textEncoder.config);
  const crossPaths = crossAttentions(config);
  const fewerLayers = new Map<number, { session: Session; inputs: AdapterInputs }>();

  /** @throws TillerError if an adapter changes what the networks do not compute with. */
  const design = (adapters: readonly Adapter[]): ByNetwork<Outputs> & Sites => {
    const touched = touchedSites(adapters);
    const unetSites = union(modulesOf(source.unet, usualUNetSite), touched.unet);
    const textSites = union(modulesOf(source.textEncoder, usualTextSite), touched.textEncoder);
    const unetModule = moduleOf(source.unet.weights, { sites: unetSites });
    const graphs = {
      text: clipText(moduleOf(source.textEncoder.weights, { sites: textSites }), textConfig),
      textKeysValues: textKeysValues(unetModule, config),
      unet: unet(unetModule, config),
    };
    const used = new Set(Object.values(graphs).flatMap((outputs) => sitesOf(inputsOf(outputs))));
    for (const path of [...touched.unet, ...touched.textEncoder]) {
      if (!used.has(path)) throw new TillerError(`an adapter changes ${path}, which the network does not compute with`);
    }
    return { ...graphs, unetSites, textSites };
  };
  const build = async ({
    text,
    textKeysValues,
    unet,
    ...sites
  }: ByNetwork<Outputs> & Sites): Promise<ByNetwork<Session> & Sites> => ({
    text: await engine.compile("text encoder", text),
    textKeysValues: await engine.compile("text keys and values", textKeysValues),
    unet: await engine.compile("U-Net", unet),
    ...sites,
  });

  const releaseInputs = async () => {
    await Promise.all(Object.values(inputs).map((i) => i.drop()));
    for (const { session, inputs } of fewerLayers.values()) {
      await inputs.drop();
      await session.release();
    }
    fewerLayers.clear();
  };
  const releaseSessions = async () => {
    for (const session of [networks.unet, networks.text, networks.textKeysValues]) await session.release();
  };

  const load = async (adapters: readonly LoadedAdapter[]): Promise<ByNetwork<AdapterInputs>> => ({
    unet: await loadAdapterInputs(engine, networks.unet, "unet", source.unet.weights, adapters),
    text: await loadAdapterInputs(engine, networks.text, "textEncoder", source.textEncoder.weights, adapters),
    textKeysValues: await loadAdapterInputs(engine, networks.textKeysValues, "unet", source.unet.weights, adapters),
  });

  const textEncoderSkipping = async (clipSkip: number) => {
    if (clipSkip === 0) return { session: networks.text, inputs: inputs.text };
    const known = fewerLayers.get(clipSkip);
    if (known) return known;
    if (clipSkip >= textConfig.num_hidden_layers) {
      throw new TillerError(
        `clip skip ${clipSkip} leaves no layer of the text encoder, which has ${textConfig.num_hidden_layers}`,
      );
    }
    const module = moduleOf(source.textEncoder.weights, { sites: networks.textSites });
    const session = await engine.compile("text encoder", clipText(module, textConfig, { clipSkip }));
    const made = {
      session,
      inputs: await loadAdapterInputs(engine, session, "textEncoder", source.textEncoder.weights, current),
    };
    fewerLayers.set(clipSkip, made);
    return made;
  };

  let networks = await build(design(adaptersOf(loaded)));
  let inputs = await load(loaded);
  let current = loaded;
  let learned = learnedEmbeddings(adaptersOf(loaded), textConfig.hidden_size);

  return {
    async setAdapters(next) {
      const adapters = adaptersOf(next);
      const touched = touchedSites(adapters);
      const covered = isSubset(touched.unet, networks.unetSites) && isSubset(touched.textEncoder, networks.textSites);
      // Only what is known to fit takes the place of what there is; two sets of networks may be more than memory holds.
      const wanted = covered ? undefined : design(adapters);
      if (wanted) {
        await releaseInputs();
        await releaseSessions();
        networks = await build(wanted);
      }
      const given = await load(next);
      if (!wanted) await releaseInputs();
      inputs = given;
      current = next;
      learned = learnedEmbeddings(adapters, textConfig.hidden_size);
    },
    async encode(rows, clipSkip) {
      const { session, inputs } = await textEncoderSkipping(clipSkip);
      const strengths = rows.map(({ strength }) => strength);
      const { text } = await session.run({
        ids: int32([rows.length, textConfig.max_position_embeddings], rows.flatMap(({ ids }) => ids) as number[]),
        learned,
        ...inputs.feeds(strengths),
      });
      return { strengths, text: text! };
    },
    async condition({ strengths, text }, pictures) {
      const batchStrengths = Array.from({ length: pictures }, () => strengths).flat();
      const kept = await networks.textKeysValues.keep({
        text: repeatRows(text, pictures),
        ...inputs.textKeysValues.feeds(batchStrengths),
      });
      const textFeeds = crossPaths.flatMap((path) => [`${path}.keys`, `${path}.values`]).map((name) => [name, kept]);
      return {
        feeds: { ...Object.fromEntries(textFeeds), ...inputs.unet.feeds(batchStrengths) },
        release: () => engine.drop(kept),
      };
    },
    async predict(latents, timestep, { feeds }) {
      const timesteps = float32([latents.shape[0]!], Array(latents.shape[0]).fill(timestep));
      const { prediction } = await networks.unet.run({ ...feeds, latents, timestep: timesteps });
      return prediction!;
    },
    async release() {
      await releaseInputs();
      await releaseSessions();
    },
  };
}

const adaptersOf = (loaded: readonly LoadedAdapter[]): Adapter[] => loaded.map(({ adapter }) => adapter);

/** The embeddings of all adapters' learned tokens in order, [n, width]; one row of zeros when there are none. */
function learnedEmbeddings(adapters: readonly Adapter[], width: number): Tensor {
  const vectors = adapters.flatMap(({ tokens }) => [...tokens.values()].flat());
  const table = new Float32Array(Math.max(1, vectors.length) * width);
  for (const [i, vector] of vectors.entries()) table.set(vector, i * width);
  return float32([table.length / width, width], table);
}

const modulesOf = (component: Component, pattern: RegExp): Set<string> =>
  new Set(
    [...component.weights.keys()]
      .filter((key) => key.endsWith(".weight"))
      .map((key) => key.slice(0, -".weight".length))
      .filter((path) => pattern.test(path)),
  );

const union = (a: ReadonlySet<string>, b: ReadonlySet<string>): Set<string> => new Set([...a, ...b]);
const isSubset = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean => [...a].every((x) => b.has(x));

function repeatRows({ shape, data }: Tensor, times: number): Tensor {
  const repeated = new Float32Array(data.length * times);
  for (let i = 0; i < times; i++) repeated.set(data, i * data.length);
  return { shape: [shape[0]! * times, ...shape.slice(1)], data: repeated };
}
