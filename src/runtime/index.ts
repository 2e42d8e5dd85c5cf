/** The runtime, with which pipelines compile and run graphs. */
export { runtimeVersion, startEngine, totalMemory } from "#runtime";
export { plainAttention } from "./attention-check.ts";
export { type Compute, type PrecisionName, precisionNames, precisionsOn, resolveCompute } from "./compute.ts";
export { type DeviceName, deviceNames, probeDevice, resolveDevice } from "./devices.ts";
export type { Engine, EngineOptions, Feeds, Kept, OperatorTime, Precision, Session } from "./engine.ts";
export { type Device, isOpenVino, targets } from "./targets.ts";
export { float32, int32, rowOf, stackRows, type Tensor } from "./tensor.ts";
