/** A model for those who look at it rather than draw with it. */
import type { Component, Model, ModelDefaults } from "../families/family.ts";
import { type OpenModelOptions, openModel as open } from "../families/open-model.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";

/** A network of a model. */
export interface ModelComponent {
  /** Its config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Its weights by key, which stay in their files. */
  readonly tensors: Checkpoint;
}

/** A model that is found, downloaded if need be, and known to run. */
export interface OpenedModel {
  /** The folder's or file's name, or the hub id. */
  readonly name: string;
  /** Where it lies. */
  readonly kind: Model["kind"];
  /** The family it is of: "Stable Diffusion". */
  readonly family: string;
  /** Its networks, by the names of a folder's sub-folders: `unet`, `vae`, `text_encoder`. */
  readonly components: ReadonlyMap<string, ModelComponent>;
  /** What pictures are made with where a request leaves it open. */
  readonly defaults: ModelDefaults;
}

/**
 * Finds a model, downloads it if need be, and checks that Tiller can run it. No weights are read: {@link readFloat32} reads
 * one. To draw, give the name to `Pipeline.load`.
 *
 * @param model A Diffusers folder, a single-file checkpoint, a hub id, or {@link embeddedModel}.
 * @throws TillerError if none of these fits, or a part is missing, damaged or of a kind that Tiller does not run.
 */
export async function openModel(model: string, options: OpenModelOptions = {}): Promise<OpenedModel> {
  const { name, kind, family, components, defaults } = await open(model, options);
  const { personalised: _guidance, omegas: _omegas, ...plain } = defaults;
  const described = ({ config, weights }: Component): ModelComponent => ({ config, tensors: weights });
  return {
    name,
    kind,
    family,
    components: new Map([...components].map(([part, component]) => [part, described(component)])),
    defaults: plain,
  };
}
