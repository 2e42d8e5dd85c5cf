/** The .yaml shipped beside a single file: the original code's configuration, some keys of which affect the results. */

import { TillerError } from "../../errors/index.ts";

/** Its settings, under the names of Diffusers' configs; unset ones are absent. */
export interface LdmSettings {
  readonly prediction: "epsilon" | "v_prediction" | "sample" | undefined;
  readonly scheduler: Readonly<Record<string, unknown>>;
  readonly unet: Readonly<Record<string, unknown>>;
  readonly vae: Readonly<Record<string, unknown>>;
  readonly warnings: readonly string[];
}

const predictions: Readonly<Record<string, LdmSettings["prediction"]>> = {
  eps: "epsilon",
  v: "v_prediction",
  x0: "sample",
};

/** @throws TillerError for an unknown prediction type, or a value that is not a positive number. */
export function ldmSettings(yaml: string, file: string): LdmSettings {
  const scalars = readScalars(yaml);
  const of = (key: string) => scalars.get(`model.params.${key}`);
  const refuse = (key: string): never => {
    throw new TillerError(
      "config-unsupported",
      `the .yaml beside ${file} has ${key} = ${of(key)}, which Tiller does not support: correct it, or move the .yaml away and give --prediction.`,
      { paths: [file] },
    );
  };
  const number = (key: string, name: string): Record<string, number> => {
    const text = of(key);
    if (text === undefined) return {};
    const value = Number(text);
    return Number.isFinite(value) && value > 0 ? { [name]: value } : refuse(key);
  };
  const parameterization = of("parameterization");
  const prediction = parameterization === undefined ? undefined : predictions[parameterization];
  if (parameterization !== undefined && prediction === undefined) refuse("parameterization");
  const heads = of("unet_config.params.num_heads");
  const layer = of("cond_stage_config.params.layer");
  return {
    prediction,
    scheduler: {
      ...number("timesteps", "num_train_timesteps"),
      ...number("linear_start", "beta_start"),
      ...number("linear_end", "beta_end"),
      ...(/^true$/i.test(of("ztsnr") ?? "") && { rescale_betas_zero_snr: true }),
    },
    // -1 if num_head_channels is given instead.
    unet: heads === undefined || heads === "-1" ? {} : number("unet_config.params.num_heads", "attention_head_dim"),
    vae: number("scale_factor", "scaling_factor"),
    warnings:
      layer === "penultimate" || layer === "hidden"
        ? [
            `the .yaml beside ${file} asks for the text encoder's layer "${layer}"; like Diffusers, Tiller uses the last one unless --clip-skip is given`,
          ]
        : [],
  };
}

/**
 * Its scalars by dotted path, such as `model.params.parameterization`. Reads only the YAML that such files use: nested keys
 * and plain or quoted values.
 */
export function readScalars(text: string): ReadonlyMap<string, string> {
  const scalars = new Map<string, string>();
  const above: { indent: number; key: string }[] = [];
  for (const line of text.split(/\r?\n/)) {
    const [, spaces, key, rest] = /^( *)([\w.-]+):(?:\s+(.*))?$/.exec(line) ?? [];
    if (key === undefined) continue;
    const indent = spaces!.length;
    while (above.length > 0 && above.at(-1)!.indent >= indent) above.pop();
    above.push({ indent, key });
    const value = /^(?:"([^"]*)"|'([^']*)'|([^#]*?))\s*(?:#.*)?$/.exec(rest ?? "");
    const scalar = value?.[1] ?? value?.[2] ?? value?.[3] ?? "";
    if (scalar !== "") scalars.set(above.map((one) => one.key).join("."), scalar);
  }
  return scalars;
}
