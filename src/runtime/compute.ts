/** Resolves the requested device and number type. */
import { hasBfloat16 } from "#runtime";
import { TillerError } from "../errors/index.ts";
import { type DeviceName, resolveDevice } from "./devices.ts";
import type { Precision } from "./engine.ts";
import { type Device, isOpenVino } from "./targets.ts";

/** All values of {@link PrecisionName}. */
export const precisionNames = ["float32", "bfloat16", "float16", "int8", "auto"] as const;

/** A number type as users name it. */
export type PrecisionName = (typeof precisionNames)[number];

/** A device and a number type. */
export interface Compute {
  /** The device. */
  readonly device: Device;
  /** The number type of matrix products. */
  readonly precision: Precision;
}

/**
 * Networks with at least this many parameters are faster in OpenVINO's bfloat16 than in ONNX Runtime's float32, on processors
 * that have bfloat16; for smaller ones, ONNX Runtime's lower overhead per operator wins. Measured with dinghy (6 million; from
 * 18.5 to 21.6 ms a step) and Stable Diffusion 1.5 (860 million; from 8.1 to 2.2 s), nothing in between.
 */
const large = 200_000_000;

/** What is computed, for `auto`. */
export interface Work {
  /** Parameter count of the largest network. */
  readonly parameters: number;
  /** Whether it fits into memory on a device in a number type; by default it does. */
  readonly fits?: (compute: Compute) => boolean;
}

/**
 * The device and the number type of products.
 *
 * The default, float32, gives the reference's picture. `bfloat16` needs OpenVINO on a CPU, `float16` a GPU, and `int8` ONNX
 * Runtime on a CPU. `auto` takes bfloat16, if OpenVINO is installed and the processor has it, on the device openvino, or if no
 * device is named and the network is large and fits into memory; else float32.
 *
 * @throws TillerError `device-unavailable` if the device does not work here; `precision-unavailable` if it has no such type.
 */
export async function resolveCompute(
  {
    device = "auto",
    precision = "float32",
  }: { device?: DeviceName | undefined; precision?: PrecisionName | undefined },
  { parameters, fits = () => true }: Work = { parameters: 0 },
): Promise<Compute> {
  if (precision === "auto") {
    const found = await resolveDevice(device);
    const half: Compute = { device: "openvino", precision: "bfloat16" };
    const worthwhile = found === "cpu" && device === "auto" && parameters >= large && fits(half);
    if ((found === "openvino" || worthwhile) && (await hasBfloat16())) return half;
    return { device: found, precision: "float32" };
  }
  const found = await resolveDevice(device === "auto" ? (usualDevice[precision] ?? device) : device);
  if (precision === "bfloat16" && (found !== "openvino" || !(await hasBfloat16()))) throw unavailable(precision, found);
  if (precision === "float16" && (found === "cpu" || found === "openvino")) throw unavailable(precision, found);
  if (precision === "int8" && found !== "cpu") throw unavailable(precision, found);
  return { device: found, precision };
}

/** The number types available here, each with the device that computes in it; `auto` resolves as for a large network. */
export async function precisionsOn(device: DeviceName | undefined): Promise<{ name: PrecisionName; on: Device }[]> {
  const found = [];
  for (const name of precisionNames) {
    const compute = await resolveCompute({ device, precision: name }, { parameters: large }).catch((error: unknown) => {
      if (error instanceof TillerError) return undefined;
      throw error;
    });
    if (compute) found.push({ name, on: compute.device });
  }
  return found;
}

/** The device for number types that only one device has. */
const usualDevice: Partial<Record<Precision, DeviceName>> = { bfloat16: "openvino", int8: "cpu" };

function unavailable(precision: Precision, device: Device): TillerError {
  return new TillerError(
    "precision-unavailable",
    `device ${device} does not compute in ${precision}: ${insteadOf(precision, device)}.`,
  );
}

function insteadOf(precision: Precision, device: Device): string {
  if (precision === "int8") return "int8 needs ONNX Runtime on a CPU; use --device cpu, or float32";
  if (precision === "float16") return "float16 is for GPUs; use float32 or bfloat16";
  if (isOpenVino(device)) return "this processor does not have it; use float32";
  return "bfloat16 needs OpenVINO on a CPU; use --device openvino, or float32";
}
