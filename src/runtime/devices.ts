/** The devices by name, and whether they work. */
import { automaticDevices, availableDevices, startEngine } from "#runtime";
import { TillerError } from "../errors/index.ts";
import { add, input, multiply } from "../graph/index.ts";
import { plainAttention } from "./attention-check.ts";
import type { Engine } from "./engine.ts";
import { type Device, isOpenVino } from "./targets.ts";
import { float32 } from "./tensor.ts";

/** All values of {@link DeviceName}. */
export const deviceNames = [
  ...(["auto", "cpu", "webgpu", "cuda", "dml", "coreml"] as const),
  ...(["openvino", "openvino:gpu", "openvino:npu"] as const),
] as const;

/**
 * A device as users name it.
 *
 * @useDeclaredType
 */
export type DeviceName = (typeof deviceNames)[number];

/** The result of trying a device. */
export interface DeviceProbe {
  /** Whether it works. */
  readonly ok: boolean;
  /** How it works, or why it does not. */
  readonly detail: string;
}

/** Tries a device by running a tiny graph on it. */
export async function probeDevice(device: Device): Promise<DeviceProbe> {
  let engine: Engine | undefined;
  try {
    // The runtime silently drops a provider its binary lacks, and computes on the CPU.
    const available = isOpenVino(device) ? undefined : await availableDevices();
    if (available && !available.devices.includes(device))
      return { ok: false, detail: `ONNX Runtime has no ${device} ${available.on}` };
    engine = await startEngine({ device });
    const x = input("x", [2]);
    const session = await engine.compile("probe", { y: add(multiply(x, x), x) });
    const { y } = await session.run({ x: float32([2], [2, 3]) });
    if (y?.data[0] !== 6 || y.data[1] !== 12) return { ok: false, detail: `computed ${y?.data} instead of 6,12` };
    return { ok: true, detail: engine.fusedAttention ? "works" : `works; its ${plainAttention}` };
  } catch (error) {
    return { ok: false, detail: withoutSource((error as Error).message) };
  } finally {
    await engine?.close();
  }
}

/** The runtime's error without the location in its source code. */
const withoutSource = (message: string): string =>
  /CUDA failure \d+: [^;]*[^;\s]/.exec(message)?.[0] ?? message.replace(/\/\S+\.(cc|cpp|h):\d+ .* was false\. /, "");

/**
 * Resolves a device name.
 *
 * `auto` takes cuda or, on Windows, dml, whichever works first; else cpu. WebGPU and CoreML are used only by name: the former
 * may be a slow software device, the latter leaves most of these graphs to the CPU.
 *
 * @throws TillerError if a named device does not work here.
 */
export async function resolveDevice(name: DeviceName): Promise<Device> {
  if (name === "cpu") return name;
  if (name === "auto") {
    for (const device of automaticDevices()) if ((await probeDevice(device)).ok) return device;
    return "cpu";
  }
  const { ok, detail } = await probeDevice(name);
  if (!ok)
    throw new TillerError(
      "device-unavailable",
      `device ${name} does not work here (${detail.replace(/\.$/, "")}): use --device cpu, or see tiller doctor.`,
    );
  return name;
}
