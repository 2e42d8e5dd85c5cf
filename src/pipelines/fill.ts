/** Completes a request, and gives the warnings about it and the recipe that repeats it. */
import { type Adapter, sites, trainingMethodOf } from "../adapters/index.ts";
import { TillerError } from "../errors/index.ts";
import type { ModelDefaults } from "../families/family.ts";
import {
  doubtOf,
  type GuidanceName,
  methodOf,
  settingOf,
  settingsOf,
  unmetSetting,
  valuesOf,
} from "../guidance/index.ts";
import { sizeFor } from "../images/fit.ts";
import type { Size } from "../images/resample.ts";
import { strengthText } from "../recipe/adapter-strength.ts";
import type { Recipe } from "../recipe/recipe.ts";
import {
  completed,
  type GivenRequest,
  type PictureRequest,
  pictureRequestSchema,
  type RecordedRequest,
  refuseInexactSeeds,
  refuseWithoutPicture,
  sizeConditions,
  stepsOf,
} from "../recipe/request.ts";
import { version } from "../version.ts";
import { defaultsWith } from "./defaults.ts";
import type { GivenPictures } from "./given-picture.ts";
import type { OpenAdapter, Parts } from "./load.ts";
import { idleParts, refuseOtherParts } from "./model-parts.ts";

export type Filled = RecordedRequest & Size;

/**
 * The request with every default filled in, checked against the schema and the model.
 *
 * @param given The picture it starts from, if there is one; it decides the size that is not given.
 */
export function fill(parts: Parts, request: PictureRequest, given?: GivenPictures): Filled {
  const defaults = usualOf(parts);
  const { image: _, mask: __, ...full } = completed(checked(parts, request), defaults);
  const size = given ? sizeFor(given.image, full, defaults) : { width: defaults.width, height: defaults.height };
  const filled = {
    ...full,
    width: full.width ?? size.width,
    height: full.height ?? size.height,
    ...(given && { image: given.image.recorded }),
    ...(given?.mask && { mask: given.mask.recorded }),
  };
  for (const side of ["width", "height"] as const) {
    if (filled[side] % defaults.sideMultiple !== 0) {
      throw new TillerError(
        "size-invalid",
        `${side} ${filled[side]} is not a multiple of ${defaults.sideMultiple}, as this model needs.`,
      );
    }
  }
  if (stepsOf(filled) < 1) {
    throw new TillerError(
      "steps-invalid",
      `strength ${filled.strength} of ${filled.steps} steps leaves no step to draw: raise one of the two.`,
    );
  }
  if (settingOf(filled.guidance, "omega")) refuseOtherParts(parts.model, filled.omega ?? defaults.omega);
  const told = sizeConditions.find((name) => filled[name] !== undefined);
  if (told && !parts.model.denoiser.conditions)
    throw new TillerError(
      "setting-invalid",
      `${told}: this model is not conditioned on sizes and crops; leave it out.`,
    );
  return filled;
}

/** The parsed request. What is wrong with it, whatever the model or the picture, is refused. */
export function checked(parts: Parts, request: PictureRequest): GivenRequest {
  const parsed = pictureRequestSchema.safeParse(request);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new TillerError("setting-invalid", `${issue?.path.join(".") || "the request"}: ${issue?.message}.`);
  }
  const { data } = parsed;
  const unmet = unmetSetting(data.guidance ?? usualOf(parts).guidance, data);
  if (unmet) throw new TillerError("setting-invalid", `${unmet.name} ${unmet.why}.`);
  refuseInexactSeeds(data);
  refuseWithoutPicture(data);
  refuseUnedited(parts, data.guidance ?? usualOf(parts).guidance);
  refuseUnseen(parts, data);
  return data;
}

/** An inpainting or editing model cannot draw without what its network is given. */
function refuseUnseen({ name, model }: Parts, { image, mask }: GivenRequest): void {
  const { sees } = model.denoiser;
  if (sees === undefined) return;
  const [kind, does] =
    sees === "picture" ? ["an editing model", "edit"] : ["an inpainting model", "repaint, and a mask"];
  if (image === undefined)
    throw new TillerError("image-missing", `${name} is ${kind}: give it a picture to ${does}.`, { paths: [name] });
  if (sees === "masked picture" && mask === undefined)
    throw new TillerError("mask-missing", `${name} is an inpainting model: give it a mask, white where it repaints.`, {
      paths: [name],
    });
  if (sees === "picture" && mask !== undefined)
    throw new TillerError("setting-invalid", `mask: ${name} is an editing model, which takes none: leave it out.`, {
      paths: [name],
    });
}

/** Methods for editing compare what a network predicts with and without a picture, which others do not see; and the other way round. */
function refuseUnedited({ name, model }: Parts, guidance: GuidanceName): void {
  const edits = model.denoiser.sees === "picture";
  if (guidance === "none" || edits === methodOf(guidance).needs.includes("editing")) return;
  throw new TillerError(
    "guidance-unsuited",
    edits
      ? `${guidance} has no image scale, which ${name}, an editing model, needs: use cfg-edit, pg-edit or none.`
      : `${guidance} is for editing models, and ${name} is none: use cfg or pg.`,
    { paths: [name] },
  );
}

/** The defaults of a request with the current adapters. */
export const usualOf = ({ model, base, adapters }: Parts): ModelDefaults =>
  defaultsWith(
    model.defaults,
    adapters.map(({ adapter }) => trainingMethodOf(adapter.metadata)),
    base !== undefined,
  );

/** Warnings about settings that are allowed but probably not intended. */
export function doubts({ model, base, adapters }: Parts, request: Filled): string[] {
  const { guidance, sampler } = request;
  const { needs } = methodOf(guidance);
  const personalised = adapters.length > 0 || base !== undefined;
  const values = valuesOf(guidance, request);
  return [
    ...settingsOf(guidance).flatMap((setting) => doubtOf(setting, values[setting.name]!) ?? []),
    ...(needs.includes("fine-tuning") && !personalised
      ? [`${guidance} compares a fine-tuned model with its base, but no adapter or base is given`]
      : []),
    ...(needs.includes("style") && !request.style
      ? [`${guidance} compares the prompt with and without its style, but no style is given`]
      : []),
    ...(needs.includes("ddim") && sampler !== "ddim" ? [`${guidance} is made for the sampler ddim`] : []),
    ...idleStrengths(adapters),
    ...(values.omega === undefined || base ? [] : idleParts(model, values.omega, adapters)),
    ...(model.warnings ?? []),
    ...(base?.warnings ?? []),
    ...adapters.flatMap(({ adapter }) => adapter.warnings),
  ];
}

/** An embedding is either used or not, and a component may be unchanged: then a strength has nothing to scale. */
const idleStrengths = (adapters: readonly OpenAdapter[]): string[] =>
  adapters.flatMap(({ adapter, file, strength }) => {
    if (isEmbedding(adapter))
      return strength === 1
        ? []
        : [`the strength ${strengthText(strength)} of ${file} has no effect: it is an embedding`];
    if (typeof strength === "number") return [];
    const changed = sites([adapter]);
    return Object.keys(strength)
      .filter((component) => !changed.has(component))
      .map(
        (component) =>
          `the strength ${component}=${strength[component]} of ${file} has no effect: it does not change that component`,
      );
  });

const isEmbedding = (adapter: Adapter): boolean => adapter.tokens.size > 0 && sites([adapter]).size === 0;

/** What reproduces the picture. */
export const recipeOf = (
  { name: model, options, adapters, engine }: Parts,
  request: RecordedRequest,
  tiled: boolean,
): Recipe => ({
  tiller: version,
  model,
  ...(options.base !== undefined && { base: options.base }),
  ...(options.variant !== undefined && { variant: options.variant }),
  ...(options.config !== undefined && { config: options.config }),
  ...(options.prediction !== undefined && { prediction: options.prediction }),
  adapters: adapters.map(({ adapter, file, strength, sha256 }) => ({ file, name: adapter.name, strength, sha256 })),
  ...(options.attention === "averaged" && { attention: options.attention }),
  ...(tiled && { tiled }),
  computed: { device: engine.device, precision: engine.precision },
  request,
});
