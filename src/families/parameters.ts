import type { Model } from "./family.ts";

/** Parameter count of a model's largest network. */
export const largestNetwork = ({ components }: Model): number =>
  Math.max(
    ...[...components.values()].map(({ weights }) =>
      [...weights.values()].reduce((sum, ref) => sum + elementCount(ref.shape), 0),
    ),
  );

const elementCount = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
