/** The target that a graph is lowered for. Graphs do not depend on it; only {@link encode} reads it and chooses number types. */

/** ONNX Runtime's execution providers, by its names. */
export type Provider = "cpu" | "cuda" | "webgpu" | "dml" | "coreml";

/** The floating-point types that a graph may be computed in. */
export type Real = "float32" | "bfloat16" | "float16";

/** Operators that are a single kernel if the provider has it, and several plain nodes otherwise. */
export type Fused =
  /** com.microsoft's MultiHeadAttention. */
  | "attention"
  /** com.microsoft's FusedMatMul, a product that can transpose its operands. */
  | "matmul";

export interface Target {
  readonly engine: "onnxruntime" | "openvino";
  readonly provider: Provider;
  /** The type of products, activations and the values between them. Norms, softmax and sums are always float32. */
  readonly real: Real;
  /**
   * Largest magnitude of int8 weights; 0 if products stay floating point. On processors that add pairs of products in 16 bits,
   * 255 times more than 63 would overflow.
   */
  readonly int8: 0 | 63 | 127;
  readonly fused: ReadonlySet<Fused>;
  /**
   * Which weights are used in place in their memory-mapped file; the others are copied. `asked` are those recorded as in place.
   * With `all`, weights of another number type are converted each time they are used.
   */
  readonly mapped: "none" | "asked" | "all";
  /**
   * Which inputs and outputs the runtime knows the shape of before a run: all, or only those without an open size.
   *
   * For each value of a known shape, ONNX Runtime's processor provider searches all free buffers: 20 s for the gradient of SD 1.5's U-Net,
   * and no memory saved.
   */
  readonly shapes: "all" | "fixed";
}
