import { expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { probeDevice, resolveDevice } from "./devices.ts";

test("the cpu works everywhere", async () => {
  expect(await probeDevice("cpu")).toEqual({ ok: true, detail: "works" });
});

test("a device that this platform lacks is not silently replaced by the CPU", async () => {
  const foreign = process.platform === "darwin" ? "dml" : "coreml";
  expect((await probeDevice(foreign)).ok).toBe(false);
  await expect(resolveDevice(foreign)).rejects.toThrow(refusal("device-unavailable", foreign));
});

test("auto names a device that works", async () => {
  expect((await probeDevice(await resolveDevice("auto"))).ok).toBe(true);
});
