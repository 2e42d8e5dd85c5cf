import type { Component, Model } from "./family.ts";

/** Parameter count of a network. */
export const parametersOf = ({ weights }: Pick<Component, "weights">): number =>
  [...weights.values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);

/** Parameter count of a model's largest network. */
export const largestNetwork = ({ components }: Model): number =>
  Math.max(...[...components.values()].map(parametersOf));
