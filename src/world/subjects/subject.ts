/** A subject: its traits, and how it is drawn. */
import type { Colour } from "../colour.ts";
import type { Random } from "../random.ts";

/** Anchor points for clothes, in the subject's own units. */
export interface Anchors {
  readonly head: { readonly x: number; readonly y: number; readonly rx: number; readonly ry: number };
  readonly torso: { readonly x: number; readonly y: number; readonly rx: number; readonly ry: number };
}

/**
 * A drawn subject: it stands on y = 0 at x = 0, about 64 units high, y pointing down. Layers from back to front; clothes on the
 * body are drawn between `body` and `head`.
 */
export interface Figure {
  readonly body: string;
  readonly head: string;
  /** Half of its width on the ground, which sets its shadow's size. */
  readonly reach: number;
  readonly anchors?: Anchors | undefined;
}

export interface Look {
  /** Changes a colour for a state ("red", "wet"). */
  readonly paint: (colour: Colour) => Colour;
  /** Random numbers for the pose. */
  readonly random: Random;
}

export interface Subject<Traits = never> {
  /** Its noun in captions. */
  readonly noun: string;
  readonly live: boolean;
  /** The traits of an individual; captions never mention them. */
  readonly traits: (random: Random) => Traits;
  readonly draw: (traits: Traits, look: Look) => Figure;
}
