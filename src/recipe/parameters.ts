/** The `parameters` text that community tools write to and read from pictures. */
import { settingsOf, toldOf } from "../guidance/index.ts";
import { samplerOf } from "../samplers/index.ts";
import { strengthText } from "./adapter-strength.ts";
import type { Recipe } from "./recipe.ts";
import { styledPrompt } from "./styled-prompt.ts";

/**
 * A recipe in AUTOMATIC1111's format: the prompt, `Negative prompt: …`, then one line of `Key: value` pairs. Tiller's own keys
 * come last.
 *
 * @param width Of the picture, in pixels; a recipe may leave the size to the model.
 */
export function parametersText(recipe: Recipe, width: number, height: number): string {
  const { request, adapters, model } = recipe;
  const { guidance, sampler, karras } = request;
  const settings = toldOf(guidance, request);
  const pairs: [string, string | number][] = [
    ["Steps", request.steps],
    ["Sampler", `${samplerOf(sampler).label}${karras ? " Karras" : ""}`],
    ["CFG scale", settings.scale ?? 1],
    ["Seed", request.seed],
    ["Size", `${width}x${height}`],
    ["Model", shortName(model)],
    ["Guidance", guidance],
  ];
  if (request.strength !== undefined) pairs.push(["Denoising strength", request.strength]);
  if (request.clipSkip > 0) pairs.push(["Clip skip", request.clipSkip + 1]); // There, 1 means the last layer.
  for (const { name, label } of settingsOf(guidance)) {
    const value = settings[name];
    if (name !== "scale" && value !== undefined) pairs.push([label, value]);
  }
  if (request.style) pairs.push(["Style", request.style]);
  if (adapters.length > 0) {
    pairs.push(["Adapters", adapters.map(({ name, strength }) => `${name}:${strengthText(strength)}`).join(", ")]);
  }
  pairs.push(["Version", `Tiller ${recipe.tiller}`]);
  const negative = (request.negative ?? "") === "" ? [] : [`Negative prompt: ${request.negative}`];
  return [
    styledPrompt(request),
    ...negative,
    pairs.map(([key, value]) => `${key}: ${quotedIfNeeded(value)}`).join(", "),
  ].join("\n");
}

/** The last part of a path or hub id, without the extension of a weights file. */
export function shortName(path: string): string {
  const last = path.split(/[/\\]/).findLast((part) => part !== "") ?? path;
  return last.replace(/\.(safetensors|ckpt|pt|bin)$/, "");
}

/** Readers split at commas, so a value with a comma, colon, quote or line break is written as a JSON string. */
function quotedIfNeeded(value: string | number): string {
  return /[,:\n"]/.test(String(value)) ? JSON.stringify(value) : String(value);
}
