/** What a subject of the world is: its traits, and how it is drawn from them. */
import type { Colour } from "../colour.ts";
import type { Random } from "../random.ts";

/** Where clothes sit, in the subject's own units. */
export interface Anchors {
  readonly head: { readonly x: number; readonly y: number; readonly rx: number; readonly ry: number };
  readonly torso: { readonly x: number; readonly y: number; readonly rx: number; readonly ry: number };
}

/**
 * A drawn subject: it stands on y = 0 at x = 0, about 64 units high, y pointing down. Layers from back to front; clothes of
 * the body come between `body` and `head`.
 */
export interface Figure {
  readonly body: string;
  readonly head: string;
  /** Half of its width on the ground: the size of its shadow. */
  readonly reach: number;
  readonly anchors?: Anchors | undefined;
}

export interface Look {
  /** What a state ("red", "wet") makes of a colour. */
  readonly paint: (colour: Colour) => Colour;
  /** Draws of the pose. */
  readonly random: Random;
}

export interface Subject<Traits = never> {
  /** As captions call it. */
  readonly noun: string;
  readonly live: boolean;
  /** What tells an individual; captions never mention it. */
  readonly traits: (random: Random) => Traits;
  readonly draw: (traits: Traits, look: Look) => Figure;
}
