import { afterAll, beforeAll, expect, test } from "vitest";
import type { Engine, Session } from "./engine.ts";
import { startEngine } from "./index.ts";
import { int8IsExact } from "./int8-check.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ threads: 1, precision: "int8" });
});
afterAll(() => engine.close());

test("the range of int8 weights is as large as this processor's products are exact", async () => {
  expect(engine.target.int8).toBe((await int8IsExact(engine)) ? 127 : 63);
  expect(engine.target.real).toBe("float32");
});

test("a sum that saturated at 16 bits is detected", async () => {
  const cut: Engine = {
    ...engine,
    compile: async (name, outputs): Promise<Session> => {
      const session = await engine.compile(name, outputs);
      return {
        ...session,
        async run(feeds) {
          const { y } = await session.run(feeds);
          return { y: { ...y!, data: (y!.data as Float32Array).map((v) => Math.min(v, 16 * 32767)) } };
        },
      };
    },
  };
  expect(await int8IsExact(cut)).toBe(false);
});
