/** What each device's provider supports, one entry per provider. */
import type { Provider, Target } from "../graph/index.ts";

/** Devices of the second engine, which is installed separately. */
export type OpenVinoDevice = "openvino" | "openvino:gpu" | "openvino:npu";

/** ONNX Runtime's providers, or OpenVINO on one of its devices. */
export type Device = Provider | OpenVinoDevice;

export const isOpenVino = (device: Device): device is OpenVinoDevice => device.startsWith("openvino");

const usual = { engine: "onnxruntime", real: "float32", int8: 0, mapped: "none", shapes: "all" } as const;

/**
 * OpenVINO's ONNX reader supports com.microsoft's fused operators. Graphs are lowered to float32, because
 * `INFERENCE_PRECISION_HINT` sets the type it computes in.
 */
const openvino: Target = { ...usual, engine: "openvino", provider: "cpu", fused: new Set(["attention", "matmul"]) };

/**
 * The available kernels, from ONNX Runtime's lists (1.30): docs/OperatorKernels.md for cpu, cuda and dml,
 * contrib_ops/webgpu/webgpu_contrib_kernels.cc, and coreml_supported_mlprogram_ops.md. All of them have QuickGelu and Gelu,
 * so these are always used.
 */
export const targets: Readonly<Record<Device, Target>> = {
  // The fused kernels are float32 only here, and there are no bfloat16 kernels at all.
  cpu: { ...usual, provider: "cpu", fused: new Set(["attention", "matmul"]), mapped: "asked", shapes: "fixed" },
  cuda: { ...usual, provider: "cuda", fused: new Set(["attention", "matmul"]) },
  webgpu: { ...usual, provider: "webgpu", fused: new Set(["attention"]) },
  dml: { ...usual, provider: "dml", fused: new Set(["attention", "matmul"]) },
  // It has neither. Attention falls back to the CPU, where it is faster fused; products should stay on the device.
  coreml: { ...usual, provider: "coreml", fused: new Set(["attention"]) },
  openvino,
  "openvino:gpu": openvino,
  "openvino:npu": openvino,
};
