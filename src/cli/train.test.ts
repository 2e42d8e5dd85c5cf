import { describe, expect, test } from "vitest";
import { tiller } from "../../test/fake-world.ts";
import type { TrainingEvent, TrainingRequest } from "../index.ts";

const cat = ["--images", "my-cat", "--token", "sks", "--class", "cat"];

/** Training that does nothing but say that a run of so many steps is complete. */
const complete = (step: number) =>
  async function* (_: string, { out }: TrainingRequest): AsyncGenerator<TrainingEvent, void, undefined> {
    yield { type: "saved", step, folder: "cat.run", adapters: [out], copies: [] };
  };

describe("tiller train", () => {
  test("of a run that was complete says how many steps it has", async () => {
    const { stdout } = await tiller(["train", "dreambooth", ...cat, "--resume"], { train: complete(500) });
    expect(stdout).toMatch(/^500 steps in /);
  });
});
