/** Opens the encoders of the metrics asked for. */
import { kindOf } from "#bytes";
import { TillerError } from "../errors/index.ts";
import type { HubOptions } from "../hub/options.ts";
import type { Pixels } from "../images/pixels.ts";
import type { Engine } from "../runtime/index.ts";
import type { Encoder, EncoderKind } from "./encoder.ts";
import { encoderFolder } from "./encoder-folder.ts";
import type { Features } from "./features.ts";
import {
  type EncodedBy,
  type EncoderModels,
  type EncoderName,
  encodersOf,
  type MetricName,
  metricsOf,
} from "./fidelity.ts";
import type { EvaluationProtocol } from "./protocol.ts";

/** Opened encoders by name. */
export type Encoders = ReadonlyMap<EncoderName, Encoder>;

/**
 * The folders of the metrics' encoders; those on the hub are downloaded.
 *
 * @throws TillerError `metric-files-missing` if a metric needs a model that is not named, or one that is not there.
 */
export async function encoderFolders(
  names: readonly MetricName[],
  models: EncoderModels,
  options?: HubOptions,
): Promise<ReadonlyMap<EncoderName, string>> {
  const named = encodersOf(names).map((kind) => [kind, modelFor(kind, names, models)] as const);
  const folders = new Map<EncoderName, string>();
  for (const [kind, model] of named) {
    const folder = kind.onHub ? await encoderFolder(model, options) : model;
    if ((await kindOf(folder)) === undefined) {
      const hub = kind.onHub ? ", and it is no hub id" : "";
      throw new TillerError(
        "metric-files-missing",
        `There is no folder ${folder}${hub}: --${kind.name} takes ${kind.help}.`,
        { paths: [folder] },
      );
    }
    folders.set(kind.name, folder);
  }
  return folders;
}

/** The model named for an encoder, else dinghy's. */
function modelFor(kind: EncoderKind<EncoderName>, names: readonly MetricName[], models: EncoderModels): string {
  const model = (models as Readonly<Record<string, string | undefined>>)[kind.name] ?? kind.usual;
  if (model !== undefined) return model;
  const [metric] = metricsOf(names).filter(({ encoder }) => encoder.name === kind.name);
  throw new TillerError(
    "metric-files-missing",
    `${metric!.label} needs its own network, which does not come with Tiller: --${kind.name} takes ${kind.help}.`,
  );
}

/** Opens the encoders in their folders. */
export async function openEncoders(
  engine: Engine,
  names: readonly MetricName[],
  folders: ReadonlyMap<EncoderName, string>,
  protocol: EvaluationProtocol,
): Promise<Encoders> {
  const encoders = new Map<EncoderName, Encoder>();
  for (const kind of encodersOf(names))
    encoders.set(kind.name, await kind.open(engine, folders.get(kind.name)!, protocol));
  return encoders;
}

/** A picture's features by each encoder. */
export async function encodePicture(encoders: Encoders, picture: Pixels): Promise<EncodedBy> {
  const features: Partial<Record<EncoderName, Features>> = {};
  for (const [name, encoder] of encoders) features[name] = (await encoder.pictures([picture]))[0]!;
  return features;
}

/** A text's features by each encoder that reads texts. */
export async function encodeText(encoders: Encoders, text: string): Promise<EncodedBy> {
  const features: Partial<Record<EncoderName, Features>> = {};
  for (const [name, encoder] of encoders) if (encoder.texts) features[name] = (await encoder.texts([text]))[0]!;
  return features;
}
