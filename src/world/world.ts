/** The themes that captions can name, and their subjects. */
import { type Outfit, outfits } from "./outfits.ts";
import { everyday, indoors, indoorThings } from "./scenes/indoors.ts";
import { outdoors, outdoorThings } from "./scenes/outdoors.ts";
import type { Scene } from "./scenes/scene.ts";
import { type State, states } from "./states.ts";
import type { AnySubject } from "./subjects/index.ts";

/** The theme of an evaluation prompt: a place, clothes or a state. */
export type Theme =
  | { readonly kind: "scene"; readonly scene: Scene }
  | { readonly kind: "outfit"; readonly outfit: Outfit }
  | { readonly kind: "state"; readonly state: State };

const scenesOf = (scenes: Readonly<Record<string, Scene>>) =>
  Object.entries(scenes).map(([name, scene]): [string, Theme] => [name, { kind: "scene", scene }]);
const shared = [
  ...scenesOf(outdoors),
  ...scenesOf(indoors),
  ...Object.entries(states).map(([name, state]): [string, Theme] => [name, { kind: "state", state }]),
];

/** By name, the 31 themes for live subjects and the 31 for the others. */
export const liveThemes: ReadonlyMap<string, Theme> = new Map([
  ...shared,
  ...Object.entries(outfits).map(([name, outfit]): [string, Theme] => [name, { kind: "outfit", outfit }]),
]);
export const thingThemes: ReadonlyMap<string, Theme> = new Map([
  ...shared,
  ...scenesOf(outdoorThings),
  ...scenesOf(indoorThings),
]);

export const themesOf = ({ live }: Pick<AnySubject, "live">): ReadonlyMap<string, Theme> =>
  live ? liveThemes : thingThemes;

export const wordsOf = (theme: Theme): { prompt: string; paraphrases: readonly string[] } =>
  theme.kind === "scene" ? theme.scene : theme.kind === "outfit" ? theme.outfit : theme.state;

/** The evaluation prompt of a theme: {s} is the token and the noun, or only the noun. */
export const promptOf = (theme: Theme, subject: string): string => wordsOf(theme).prompt.replace("{s}", subject);

/** A place that no prompt names. */
export const everydayPlaces = everyday;
