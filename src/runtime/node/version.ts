/** ONNX Runtime's version. */
import { createRequire } from "node:module";

export const runtimeVersion: string = (
  createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string }
).version;
