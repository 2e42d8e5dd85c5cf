/**
 * The tiny networks lowered to float16. The CPU provider computes some operators through float32, so the same graphs were also
 * replayed node by node in PyTorch's float16, where every intermediate number had to be finite: fixtures of parity/half.py.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeSafetensors } from "../src/bytes/safetensors.ts";
import { encode } from "../src/graph/index.ts";
import { type Engine, startEngine } from "../src/runtime/index.ts";
import { fixture, reference } from "./fixtures.ts";
import { distance, type HalfCase, halfCases, joined, placedInFixtures, trainingStep } from "./half-cases.ts";

/** Relative to the norm of the reference. A float16 is accurate to 5e-4; the largest difference found is 1.5e-3. */
const tolerance = 2e-3;
/** PyTorch rounds after every node, while ONNX Runtime's CPU provider stays in float32: the largest found is 3.1e-3. */
const roundedEverywhere = 4e-3;

const cases = await halfCases();
const placed = new Map((await halfCases(placedInFixtures)).map((one) => [one.name, one]));
const model = ({ name }: HalfCase): Uint8Array => {
  const { outputs, target } = placed.get(name)!;
  return encode(outputs, target).model;
};

/** The folder for the graphs, set when parity/half.py runs this file. */
const folder = process.env.TILLER_HALF_GRAPHS;
test.runIf(folder)("graphs and inputs are written for parity/half.py", async () => {
  for (const one of cases) {
    await writeFile(join(folder!, `${one.name}.onnx`), model(one));
    const tensors = Object.entries(one.feeds).map(([name, { shape, data }]) => ({
      name,
      dtype: data instanceof Int32Array ? ("int32" as const) : ("float32" as const),
      shape,
      data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    }));
    await writeSafetensors(join(folder!, `${one.name}.safetensors`), tensors);
  }
});

describe.skipIf(folder)("in float16", async () => {
  const replayed = folder
    ? {}
    : (JSON.parse(readFileSync(fixture("half/replayed.json"), "utf8")) as Record<
        string,
        { readonly graph: string; readonly largest: number }
      >);
  let single: Engine;
  beforeAll(async () => {
    single = await startEngine({ threads: 2 });
  });
  afterAll(() => single.close());

  test("every case was replayed in PyTorch", () => {
    expect(Object.keys(replayed).sort()).toEqual(cases.map(({ name }) => name).sort());
  });

  describe.each(cases.map((one) => [one.name, one] as const))("%s", (name, one) => {
    test("is the replayed graph: run parity/half.py after a change to the lowering", () => {
      expect(createHash("sha256").update(model(one)).digest("hex")).toBe(replayed[name]!.graph);
    });

    test("is within 2e-3 of float32, and within 4e-3 of PyTorch's float16", async () => {
      const run = async (engine: Engine) => {
        const session = await engine.compile(name, one.outputs);
        const results = await session.run(one.feeds);
        await session.release();
        return results;
      };
      const expected = await run(single);
      const engine = await startEngine({ threads: 2, target: one.target });
      const found = await run(engine);
      await engine.close();
      const pytorch = await reference("../half/outputs.safetensors");
      for (const [output, exact] of Object.entries(expected)) {
        const theirs = await pytorch(`${name}: ${output}`);
        expect(distance(found[output]!, exact), output).toBeLessThan(tolerance);
        expect(distance(theirs, exact), `${output} in PyTorch`).toBeLessThan(roundedEverywhere);
        expect(distance(found[output]!, theirs), `${output} beside PyTorch`).toBeLessThan(roundedEverywhere);
      }
    });
  });

  test("the case of large numbers comes close to float16's maximum", () => {
    expect(replayed["large numbers"]!.largest).toBeGreaterThan(40_000);
  });
});

describe("a training step in float16", () => {
  test("has nearly the same loss and gradients as in float32", async () => {
    const { outputs, feeds } = await trainingStep();
    const run = async (real: "float32" | "float16") => {
      const engine = await startEngine({ threads: 2, target: { real } });
      const results = await (await engine.compile("training step", outputs)).run(feeds);
      await engine.close();
      return results;
    };
    const [exact, found] = [await run("float32"), await run("float16")];
    expect(Math.abs(found.loss!.data[0]! / exact.loss!.data[0]! - 1)).toBeLessThan(1e-3);
    const gradients = Object.keys(outputs).filter((name) => name !== "loss");
    expect(gradients.length).toBeGreaterThan(100);
    // Found: 1.5e-2 for the worst tensor, whose gradient is among the smallest, and 4e-3 for all as one vector.
    for (const name of gradients) expect(distance(found[name]!, exact[name]!), name).toBeLessThan(3e-2);
    expect(distance(joined(found, gradients), joined(exact, gradients))).toBeLessThan(8e-3);
  });
});
