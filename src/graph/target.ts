/** What a graph is lowered for. Graphs know nothing of it; {@link encode} reads it, and no other place chooses number types. */

/** What computes: ONNX Runtime's execution providers, by its own names. */
export type Provider = "cpu" | "cuda" | "webgpu" | "dml" | "coreml";

/** The number types that a graph's real numbers are computed in. */
export type Real = "float32" | "bfloat16" | "float16";

/** Operators that are one kernel where a provider has it, and several plain nodes elsewhere. */
export type Fused =
  /** com.microsoft's MultiHeadAttention. */
  | "attention"
  /** com.microsoft's FusedMatMul: a product that transposes its operands by itself. */
  | "matmul";

export interface Target {
  readonly engine: "onnxruntime" | "openvino";
  readonly provider: Provider;
  /** What products, activations and the values between them are in. Norms, softmax and sums are float32 whatever it is. */
  readonly real: Real;
  /**
   * How far weights that may be int8 reach, on both sides of 0; 0 where products stay real. Where a processor adds two products
   * in sixteen bits, those of 255 and more than 63 overflow.
   */
  readonly int8: 0 | 63 | 127;
  readonly fused: ReadonlySet<Fused>;
  /** Whether weights are computed with where they lie in their mapped file; elsewhere they are copied to the device. */
  readonly mapsFiles: boolean;
}
