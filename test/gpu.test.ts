/** The tiny networks and a training step on a GPU, which `npm run check:gpu` names in TILLER_GPU. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Device, type Engine, type Precision, startEngine, type Tensor } from "../src/runtime/index.ts";
import { distance, halfCases, joined, trainingStep } from "./half-cases.ts";

const device = process.env.TILLER_GPU as Device | undefined;

/**
 * The norm of the difference relative to that of the CPU's result. Products in float32 may use TF32, whose mantissa has ten bits
 * like float16's; in float16 sums are rounded too.
 */
const tolerance = { float32: 5e-3, float16: 1e-2 } as const;

describe.runIf(device)("on a GPU", async () => {
  const cases = device ? await halfCases() : [];
  let cpu: Engine;
  beforeAll(async () => {
    cpu = await startEngine({ threads: 2 });
  });
  afterAll(() => cpu.close());

  const run = async (
    engine: Engine,
    name: string,
    { outputs, feeds }: Pick<(typeof cases)[number], "outputs" | "feeds">,
  ) => {
    const session = await engine.compile(name, outputs);
    const results = await session.run(feeds);
    await session.release();
    return results;
  };
  const onDevice = async <T>(precision: Precision, use: (engine: Engine) => Promise<T>): Promise<T> => {
    const engine = await startEngine({ device: device!, precision });
    return use(engine).finally(() => engine.close());
  };

  describe.each(["float32", "float16"] as const)("in %s", (precision) => {
    test.each(cases.map((one) => [one.name, one] as const))("%s matches the CPU", async (name, one) => {
      const expected = await run(cpu, name, one);
      const found = await onDevice(precision, (engine) => run(engine, name, one));
      for (const [output, exact] of Object.entries(expected)) {
        expect(distance(found[output]!, exact), output).toBeLessThan(tolerance[precision]);
      }
    });

    test("a training step matches the CPU's loss and gradients", async () => {
      const one = await trainingStep();
      const expected = await run(cpu, "training step", one);
      const found = await onDevice(precision, (engine) => run(engine, "training step", one));
      expect(Math.abs(found.loss!.data[0]! / expected.loss!.data[0]! - 1)).toBeLessThan(tolerance[precision]);
      const gradients = (of: Readonly<Record<string, Tensor>>) => joined(of, Object.keys(one.outputs));
      expect(distance(gradients(found), gradients(expected))).toBeLessThan(2 * tolerance[precision]);
    });
  });
});

// Other systems than Linux need no Vulkan driver.
test.skipIf(process.platform !== "linux")(
  "npm run check:gpu says in one sentence that there is no device",
  async () => {
    const script = fileURLToPath(new URL("../bench/gpu.js", import.meta.url));
    const none = { VK_ICD_FILENAMES: "/there/is/no/driver.json", VK_DRIVER_FILES: "/there/is/no/driver.json" };
    const checked = promisify(execFile)(process.execPath, [script, "--device", "webgpu"], {
      env: { ...process.env, ...none },
    });
    await expect(checked).rejects.toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/No GPU works here.*\(webgpu: .*adapter.*\)\.\n$/),
    });
  },
);
