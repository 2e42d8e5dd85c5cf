/** ONNX Runtime for Node. Native modules are loaded only when needed. */
export { automaticDevices, availableDevices, hasBfloat16, runtimeVersion } from "./devices.ts";
export { startEngine } from "./engine.ts";
export { totalMemory } from "./memory.ts";
