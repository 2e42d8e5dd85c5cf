/** The runtime: what pipelines compile and run graphs with. */
export { plainAttention } from "./attention-check.ts";
export { type Device, type DeviceName, deviceNames, probeDevice, resolveDevice } from "./node/devices.ts";
export { type Engine, type Kept, type OperatorTime, type Session, startEngine } from "./node/engine.ts";
export { runtimeVersion } from "./node/version.ts";
export { float32, int32, rowOf, stackRows, type Tensor } from "./tensor.ts";
