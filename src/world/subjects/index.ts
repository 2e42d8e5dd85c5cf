/** All subjects. */
import { bear, cat, dog, fox, rabbit } from "./animal.ts";
import type { Subject } from "./subject.ts";
import { alarmClock, backpack, barn, lamp, mug, sunglasses, teapot, toyCar, vase } from "./things.ts";
import { catStatue, duckToy, elephantStatue, gnome, monsterToy, robotToy, teddyBear, tortoisePlushy } from "./toys.ts";

export type { Anchors, Figure, Look, Subject } from "./subject.ts";

// biome-ignore lint/suspicious/noExplicitAny: traits are private to their subject; the world only passes them on.
export type AnySubject = Subject<any>;

/** By noun. The kinds of the evaluation set come first; the others occur only in base training. */
export const subjects: ReadonlyMap<string, AnySubject> = new Map(
  (
    [
      dog,
      cat,
      catStatue,
      elephantStatue,
      duckToy,
      monsterToy,
      teddyBear,
      tortoisePlushy,
      alarmClock,
      sunglasses,
      teapot,
      vase,
      barn,
      rabbit,
      fox,
      bear,
      robotToy,
      gnome,
      mug,
      lamp,
      backpack,
      toyCar,
    ] as AnySubject[]
  ).map((subject) => [subject.noun, subject]),
);
