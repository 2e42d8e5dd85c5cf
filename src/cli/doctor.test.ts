import { expect, test } from "vitest";
import { tiller } from "../../test/fake-world.ts";

test("tiller doctor reports versions, memory, disk, which devices work and why others don't", async () => {
  const devices = {
    cuda: { ok: false, detail: "libcudnn.so.9 is missing\n#0 stack" },
    webgpu: { ok: true, detail: "works" },
  };
  const { code, json } = await tiller(["doctor", "--json"], { devices });
  expect(code).toBe(0);
  const report = json();
  expect(report.node).toBe(process.versions.node);
  expect(report.onnxruntime).toMatch(/^\d+\.\d+/);
  expect(report.memory).toBeGreaterThan(0);
  expect(report.freeDisk).toBeGreaterThan(0);
  expect(report.devices).toEqual([
    { name: "cpu", ok: true, detail: "works" },
    { name: "webgpu", ok: true, detail: "works" },
    { name: "cuda", ok: false, detail: "libcudnn.so.9 is missing" },
    { name: "dml", ok: false, detail: "not in this build" },
    { name: "coreml", ok: false, detail: "not in this build" },
    { name: "openvino", ok: false, detail: "not in this build" },
    { name: "openvino:gpu", ok: false, detail: "not in this build" },
    { name: "openvino:npu", ok: false, detail: "not in this build" },
  ]);
});

test("without --json it says how to get what is missing", async () => {
  const { stdout } = await tiller(["doctor"]);
  expect(stdout).toMatch(/cuda +not here: not in this build\n +It needs .*tiller cuda install/);
  expect(stdout).toMatch(/cpu +works/);
});

test("a CPU device that does not work is reported as missing", async () => {
  const { json } = await tiller(["doctor", "--json"], { devices: { cpu: { ok: false, detail: "computed 7" } } });
  expect(json().missing.join()).toContain("the CPU device");
});
