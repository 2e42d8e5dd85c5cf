/** The graph: what model files import to record themselves. */
export * from "./dim.ts";
export { type Dialect, type Encoded, encode } from "./onnx.ts";
export * from "./operators/elementwise.ts";
export * from "./operators/layout.ts";
export * from "./operators/leaves.ts";
export * from "./operators/normalisations.ts";
export * from "./operators/products.ts";
export { bytesPerElement, type DType, rows, type TensorRef } from "./tensor-ref.ts";
export { type Outputs, ShapeError, type Value } from "./value.ts";
