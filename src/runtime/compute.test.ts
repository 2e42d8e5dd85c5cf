import { expect, test } from "vitest";
import { hasBfloat16 } from "#runtime";
import { openVinoMissing } from "../../test/openvino-here.ts";
import { refusal } from "../../test/refusal.ts";
import { resolveCompute } from "./compute.ts";

test("float32 on the named device by default", async () => {
  expect(await resolveCompute({ device: "cpu" })).toEqual({ device: "cpu", precision: "float32" });
});

test("int8 on the CPU, also if no device is named", async () => {
  for (const device of ["cpu", "auto"] as const) {
    expect(await resolveCompute({ device, precision: "int8" })).toEqual({ device: "cpu", precision: "int8" });
  }
});

test.each([
  ["bfloat16", "cpu"],
  ["float16", "cpu"],
] as const)("%s on the %s is refused, naming both", async (precision, device) => {
  await expect(resolveCompute({ device, precision })).rejects.toEqual(
    refusal("precision-unavailable", precision, device),
  );
});

test("a named device keeps float32 under auto, as does a small network", async () => {
  expect(await resolveCompute({ device: "cpu", precision: "auto" }, { parameters: 1e9 })).toEqual({
    device: "cpu",
    precision: "float32",
  });
  expect((await resolveCompute({ precision: "auto" }, { parameters: 1e6 })).precision).toBe("float32");
});

test.skipIf(openVinoMissing !== undefined)(
  "auto takes bfloat16 for a large network that fits into memory",
  async () => {
    const large = await resolveCompute({ precision: "auto" }, { parameters: 3e8 });
    expect(large).toEqual(
      (await hasBfloat16()) ? { device: "openvino", precision: "bfloat16" } : { device: "cpu", precision: "float32" },
    );
    expect((await resolveCompute({ precision: "auto" }, { parameters: 3e8, fits: () => false })).precision).toBe(
      "float32",
    );
  },
);
