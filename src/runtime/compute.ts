/** What computes and in which number type, from what a person asks for. */
import { hasBfloat16 } from "#runtime";
import { TillerError } from "../errors/index.ts";
import { type DeviceName, resolveDevice } from "./devices.ts";
import type { Precision } from "./engine.ts";
import { type Device, isOpenVino } from "./targets.ts";

/** What {@link PrecisionName} can be. */
export const precisionNames = ["float32", "bfloat16", "float16", "int8", "auto"] as const;

/** What a person asks for. */
export type PrecisionName = (typeof precisionNames)[number];

export interface Compute {
  readonly device: Device;
  readonly precision: Precision;
}

/**
 * From so many parameters on, a network's step is faster in OpenVINO's bfloat16 than in ONNX Runtime's float32 where a
 * processor has bfloat16; below, the stock engine's shorter way from operator to operator wins. Between dinghy (6 million;
 * 18.5 to 21.6 ms a step) and Stable Diffusion 1.5 (860 million; 8.1 to 2.2 s) nothing was measured.
 */
const large = 200_000_000;

/**
 * The device and the number type of products.
 *
 * float32 by default, which gives a reference's picture. `bfloat16` is OpenVINO's, on processors; `float16` is of graphics
 * processors; `int8` is ONNX Runtime's, on processors. `auto` takes bfloat16 where OpenVINO is installed, the processor has it, the device is left open and the
 * network is large; float32 elsewhere.
 *
 * @param parameters How many numbers the largest network has.
 * @throws TillerError `device-unavailable` if the device does not work here; `precision-unavailable` if it has no such type.
 */
export async function resolveCompute(
  {
    device = "auto",
    precision = "float32",
  }: { device?: DeviceName | undefined; precision?: PrecisionName | undefined },
  parameters = 0,
): Promise<Compute> {
  if (precision === "auto") {
    const found = await resolveDevice(device);
    const worthwhile = found === "cpu" && device === "auto" && parameters >= large;
    if ((found === "openvino" || worthwhile) && (await hasBfloat16()))
      return { device: "openvino", precision: "bfloat16" };
    return { device: found, precision: "float32" };
  }
  const found = await resolveDevice(device === "auto" ? (usualDevice[precision] ?? device) : device);
  if (precision === "bfloat16" && (found !== "openvino" || !(await hasBfloat16()))) throw unavailable(precision, found);
  if (precision === "float16" && (found === "cpu" || found === "openvino")) throw unavailable(precision, found);
  if (precision === "int8" && found !== "cpu") throw unavailable(precision, found);
  return { device: found, precision };
}

/** Where there is but one device for a number type. */
const usualDevice: Partial<Record<Precision, DeviceName>> = { bfloat16: "openvino", int8: "cpu" };

function unavailable(precision: Precision, device: Device): TillerError {
  return new TillerError(
    "precision-unavailable",
    `device ${device} does not compute in ${precision}: ${insteadOf(precision, device)}.`,
  );
}

function insteadOf(precision: Precision, device: Device): string {
  if (precision === "int8") return "it is ONNX Runtime's on a processor; use --device cpu, or float32";
  if (precision === "float16") return "it is for graphics processors; use float32 or bfloat16";
  if (isOpenVino(device)) return "this processor does not have it; use float32";
  return "it is OpenVINO's on a processor; use --device openvino, or float32";
}
