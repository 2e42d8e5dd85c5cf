/** The graph, with which model files record networks. */

export { bytesPerElement, type DType, rows, type TensorRef } from "../bytes/tensor-ref.ts";
export { connect, inputsOf } from "./compose.ts";
export * from "./dim.ts";
export { grad } from "./grad.ts";
export * from "./losses.ts";
export { type Encoded, encode, type Place } from "./lower/onnx.ts";
export { type ActivationOptions, activationBytes, type WeightBytes, weightBytes } from "./memory.ts";
export { attention } from "./operators/attention.ts";
export { type ConvOptions, conv } from "./operators/convolution.ts";
export {
  add,
  clamp,
  divide,
  less,
  maximum,
  minimum,
  multiply,
  negate,
  type Operand,
  select,
  subtract,
} from "./operators/elementwise.ts";
export { gather } from "./operators/embedding.ts";
export * from "./operators/functions.ts";
export { concat, pad, reshape, slice, transpose } from "./operators/layout.ts";
export { constant, input, int8Constant, integers, parameter, weightsOf } from "./operators/leaves.ts";
export { elementCount, mean } from "./operators/mean.ts";
export { groupNorm, layerNorm, rmsNorm, softmax } from "./operators/normalisations.ts";
export { average } from "./operators/pooling.ts";
export { positions } from "./operators/positions.ts";
export { inFloat32, rounded } from "./operators/precision.ts";
export { linear, matmul, matmulInFloat32, matmulOf } from "./operators/products.ts";
export { product, quantise } from "./operators/quantised.ts";
export { expand, type ReductionOptions, sum } from "./operators/reductions.ts";
export { averageChannels, pixelShuffle, pixelUnshuffle, repeatChannels } from "./operators/shuffling.ts";
export { upsample } from "./operators/upsampling.ts";
export { type Int8Weight, int8Weights, quantised } from "./quantise.ts";
export { recompute } from "./recompute.ts";
export type { Fused, Provider, Real, Target } from "./target.ts";
export { type Outputs, ShapeError, type Value } from "./value.ts";
