/** What each device's provider has: one entry a provider. */
import type { Provider, Target } from "../graph/index.ts";

/** Devices of the second engine, which is installed by itself. */
export type OpenVinoDevice = "openvino" | "openvino:gpu" | "openvino:npu";

/** What computes: ONNX Runtime's providers, or OpenVINO on one of its devices. */
export type Device = Provider | OpenVinoDevice;

export const isOpenVino = (device: Device): device is OpenVinoDevice => device.startsWith("openvino");

const usual = { engine: "onnxruntime", real: "float32", int8: 0, mapsFiles: false } as const;

/**
 * OpenVINO's ONNX reader takes com.microsoft's fused operators; what they are computed in is its own affair, by
 * `INFERENCE_PRECISION_HINT`, so graphs come to it in float32.
 */
const openvino: Target = { ...usual, engine: "openvino", provider: "cpu", fused: new Set(["attention", "matmul"]) };

/**
 * Which kernels there are, by ONNX Runtime's own lists (1.30): docs/OperatorKernels.md for cpu, cuda and dml,
 * contrib_ops/webgpu/webgpu_contrib_kernels.cc, and coreml_supported_mlprogram_ops.md. QuickGelu and Gelu are on all of
 * them, so they are no choice.
 */
export const targets: Readonly<Record<Device, Target>> = {
  // The fused kernels are float32 alone here, and there is nothing for bfloat16 at all.
  cpu: { ...usual, provider: "cpu", fused: new Set(["attention", "matmul"]), mapsFiles: true },
  cuda: { ...usual, provider: "cuda", fused: new Set(["attention", "matmul"]) },
  webgpu: { ...usual, provider: "webgpu", fused: new Set(["attention"]) },
  dml: { ...usual, provider: "dml", fused: new Set(["attention", "matmul"]) },
  // It has neither. Attention falls to the CPU, which is faster with it fused; products should stay where they are.
  coreml: { ...usual, provider: "coreml", fused: new Set(["attention"]) },
  openvino,
  "openvino:gpu": openvino,
  "openvino:npu": openvino,
};
