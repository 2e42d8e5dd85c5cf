/** How pictures are preprocessed: as in DreamBooth's evaluation, or in DreamMatcher's. */
export const evaluationProtocols = ["dreambooth", "dreammatcher"] as const;
/**
 * One of the {@link evaluationProtocols}.
 *
 * @useDeclaredType
 */
export type EvaluationProtocol = (typeof evaluationProtocols)[number];
