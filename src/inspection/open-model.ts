/** Opens a model for inspection, without drawing. */
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

/** A model that was found, downloaded if necessary, and checked to be supported. */
export interface OpenedModel {
  /** The folder's or file's name, or the hub id. */
  readonly name: string;
  /** Whether it is a folder, a file or on the hub. */
  readonly kind: Model["kind"];
  /** Its family: "Stable Diffusion". */
  readonly family: string;
  /** Its networks, by the names of a folder's sub-folders: `unet`, `vae`, `text_encoder`. */
  readonly components: ReadonlyMap<string, ModelComponent>;
  /** The defaults of picture requests. */
  readonly defaults: ModelDefaults;
}

/**
 * Finds a model, downloads it if necessary, and checks that Tiller can run it. No weights are read: use {@link readFloat32} for
 * that. To draw, pass the name to `Pipeline.load`.
 *
 * @param model A Diffusers folder, a single-file checkpoint, a hub id, or {@link embeddedModel}.
 * @throws TillerError if it is none of these, or a part is missing, damaged or unsupported.
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
