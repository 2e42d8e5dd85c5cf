/** Devices and version of this machine's ONNX Runtime. */
import { createRequire } from "node:module";
import type { Device } from "../targets.ts";
import { engineMissing } from "./engine-missing.ts";
import { refuseTelemetry } from "./quiet.ts";

/**
 * Devices whose provider is in the binary, untried.
 *
 * @throws TillerError if the binary is missing.
 */
export async function availableDevices(): Promise<{ devices: readonly string[]; on: string }> {
  refuseTelemetry();
  const { listSupportedBackends } = await import("onnxruntime-node").catch((error: unknown) => {
    throw engineMissing(error);
  });
  return { devices: listSupportedBackends().map(({ name }) => name), on: `on ${process.platform}` };
}

/** Devices that `auto` tries before the CPU, in order. */
export const automaticDevices = (): readonly Device[] =>
  process.platform === "win32" ? ["cuda", "dml"] : process.platform === "linux" ? ["cuda"] : [];

/** Whether OpenVINO is installed and computes in bfloat16 on this processor. */
export async function hasBfloat16(): Promise<boolean> {
  const { openLibrary } = await import("./openvino/library.ts");
  const library = await openLibrary().catch(() => undefined);
  return library?.getProperty("CPU", "OPTIMIZATION_CAPABILITIES").includes("BF16") ?? false;
}

/** ONNX Runtime's version. */
export const runtimeVersion = async (): Promise<string> =>
  (createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string }).version;
