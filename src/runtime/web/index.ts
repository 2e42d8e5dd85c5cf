/** ONNX Runtime for the browser. */
import type { Device } from "../targets.ts";

export { startEngine } from "./engine.ts";

export async function availableDevices(): Promise<{ devices: readonly string[]; on: string }> {
  return { devices: ["cpu", ...("gpu" in navigator ? ["webgpu"] : [])], on: "in this browser" };
}

/** None: a browser's GPU may be slow. */
export const automaticDevices = (): readonly Device[] => [];

/** There is no OpenVINO in browsers. */
export const hasBfloat16 = async (): Promise<boolean> => false;

/** Unknown in browsers. */
export const totalMemory = (): undefined => undefined;

export const runtimeVersion = async (): Promise<string> => (await import("onnxruntime-web")).env.versions.web!;
