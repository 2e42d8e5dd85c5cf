/** The runtime: what pipelines compile and run graphs with. */
export { plainAttention } from "./attention-check.ts";
export type { Engine, Kept, OperatorTime, Session } from "./engine.ts";
export { type DeviceName, deviceNames, probeDevice, resolveDevice } from "./node/devices.ts";
export { startEngine } from "./node/engine.ts";
export { runtimeVersion } from "./node/version.ts";
export { type Device, targets } from "./targets.ts";
export { float32, int32, rowOf, stackRows, type Tensor } from "./tensor.ts";
