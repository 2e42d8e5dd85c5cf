/** Custom Diffusion and ClassDiffusion: whole key and value matrices of the cross-attentions. */

import type { TensorRef } from "../bytes/tensor-ref.ts";
import { TillerError } from "../errors/index.ts";
import type { Factor } from "./adapter.ts";
import { readFactor } from "./factor.ts";
import type { AdapterKind, Base } from "./kind.ts";
import { readTextualInversion } from "./textual-inversion.ts";

const keyPattern = /^(?:unet\.)?(.+)\.processor\.to_(k|v|q|out)_custom_diffusion(?:\.0)?\.(weight|bias)$/;

/** The names in `delta.bin` of the authors' code, which also contains the tokens. */
const ownPattern = /^unet\.(.+\.attn2)\.to_(k|v|q|out)(?:\.0)?\.(weight|bias)$/;
const ownToken = /^modifier_token\./;

/** Whether a file contains key and value matrices that replace the model's. */
export const isCustomDiffusion = (tensors: ReadonlyMap<string, TensorRef>): boolean => {
  const keys = [...tensors.keys()];
  return (
    keys.some((key) => key.includes("_custom_diffusion")) ||
    keys.every((key) => ownPattern.test(key) || ownToken.test(key))
  );
};

export const customDiffusion: AdapterKind = {
  name: "Custom Diffusion",
  recognises: ({ tensors }) => isCustomDiffusion(tensors),
  read: async ({ file, tensors }, base) => {
    const [tokens, matrices] = [true, false].map((is) => [...tensors].filter(([key]) => ownToken.test(key) === is));
    const named = new Map(tokens!.map(([key, ref]) => [key.replace(ownToken, ""), ref]));
    return {
      format: "custom-diffusion",
      full: await readCustomDiffusion(file, new Map(matrices), base),
      ...(named.size > 0 && { tokens: await readTextualInversion(file, named, base) }),
    };
  },
};

/**
 * The matrices that replace the base model's, by component and module path.
 *
 * @throws TillerError naming the first key that is unknown, or that does not fit, with both shapes.
 */
async function readCustomDiffusion(
  file: string,
  tensors: ReadonlyMap<string, TensorRef>,
  { name: model, components, adapters }: Base,
): Promise<Map<string, Map<string, Factor>>> {
  const component = Object.keys(adapters.keysValues)[0]!;
  const weights = components.get(component)?.weights;
  const replaced = new Map<string, Factor>();
  for (const [key, ref] of tensors) {
    const [, path, name, kind] = keyPattern.exec(key) ?? ownPattern.exec(key) ?? [];
    const module = `${path}.to_${name}${name === "out" ? ".0" : ""}`;
    const host = weights?.get(`${module}.weight`);
    if (path === undefined || !host) {
      throw new TillerError(
        "adapter-other-model",
        `${file} does not fit the model ${model}: the model has nothing for ${key}. Is the adapter for another base model?`,
        { paths: [file] },
      );
    }
    if (kind === "bias")
      throw new TillerError(
        "adapter-unsupported",
        `${file} changes a bias (${key}); Tiller reads only Custom Diffusion's weight matrices.`,
        { paths: [file] },
      );
    if (String(ref.shape) !== String(host.shape)) {
      throw new TillerError(
        "adapter-other-model",
        `${file} does not fit the model ${model}: ${key} is [${ref.shape.join(", ")}], but ${module} is [${host.shape.join(", ")}].`,
        { paths: [file] },
      );
    }
    replaced.set(module, await readFactor(file, key, ref));
  }
  return new Map([[component, replaced]]);
}
