/** ONNX Runtime for Node. No native module is loaded before it is asked for. */
export { automaticDevices, availableDevices, hasBfloat16, runtimeVersion } from "./devices.ts";
export { startEngine } from "./engine.ts";
export { totalMemory } from "./memory.ts";
