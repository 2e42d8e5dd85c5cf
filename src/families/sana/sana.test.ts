/** Prompts and folders of SANA; the folder is that of parity/sana_pictures.py. */
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { refusal } from "../../../test/refusal.ts";
import { loadTokenizer } from "../../text/tokenizer.ts";
import { openModel } from "../open-model.ts";
import { cleanUp } from "./text.ts";

const folder = fileURLToPath(new URL("../../../parity/fixtures/sana-pipeline/model", import.meta.url));
const model = await openModel(folder);
const tokenizer = await loadTokenizer(model.tokenizerFolder);
const tokenize = (prompt: string, instruction?: string) =>
  model.text.tokenize(tokenizer, prompt, new Map(), instruction);

describe("a prompt", () => {
  /** As by Python's `prompt.lower().strip()`. */
  test.each([
    ["  A Cat\t", "a cat"],
    ["\u0085 A\u001f\n", "a"],
    ["\ufeffA ", "\ufeffa"],
    ["ΟΔΟΣ", "οδος"],
    ["İx", "i̇x"],
    ["\u3000Ab\u00a0", "ab"],
    ["  ", ""],
  ])("%j is read as %j", (prompt, read) => expect(cleanUp(prompt)).toBe(read));

  test("without an instruction is used whole; an empty one is the begin token only", () => {
    expect(tokenize("").states).toEqual([0]);
    const { inputs, states } = tokenize("a cat");
    expect(states).toEqual([...inputs.ids!.keys()]);
    expect(inputs.ids![0]).toBe(tokenizer.begin);
  });

  test("after an instruction is used from the instruction's last token on", () => {
    const before = tokenize("", "Draw: ").inputs.ids!.length;
    const { inputs, states } = tokenize("a cat", "Draw: ");
    expect(states).toEqual([0, ...Array.from({ length: inputs.ids!.length - before + 1 }, (_, i) => before - 1 + i)]);
  });

  test("has at most 300 states, and reports the words from the first that does not fit", () => {
    for (const instruction of ["", "Draw: "]) {
      const words = Array.from({ length: 200 }, (_, i) => `word${i}`);
      const { states, dropped } = tokenize(words.join(" "), instruction);
      expect(states).toHaveLength(300);
      const first = words.indexOf(dropped.split(" ")[0]!);
      expect(first).toBeGreaterThan(0);
      expect(tokenize(words.slice(0, first).join(" "), instruction).dropped).toBe("");
      expect(tokenize(words.slice(0, first + 1).join(" "), instruction).dropped).toBe(words[first]);
    }
  });
});

describe("a folder is refused", () => {
  let own: string;
  beforeEach(async () => {
    own = await mkdtemp(join(tmpdir(), "tiller-sana-folder-"));
    await cp(folder, own, { recursive: true });
  });
  afterEach(() => rm(own, { recursive: true }));
  const changed = async (file: string, from: string, to: string) => {
    const text = await readFile(join(own, file), "utf8");
    expect(text).toContain(from);
    await writeFile(join(own, file), text.replace(from, to));
  };

  test("with a scheduler that is not a flow's, or predicts something else", async () => {
    await changed("scheduler/scheduler_config.json", '"flow_prediction"', '"epsilon"');
    await expect(openModel(own)).rejects.toThrow(refusal("scheduler-unsupported", "epsilon"));
    await changed("scheduler/scheduler_config.json", '"use_flow_sigmas": true', '"use_flow_sigmas": false');
    await expect(openModel(own)).rejects.toThrow(refusal("scheduler-unsupported", "epsilon"));
  });

  test("with a transformer that predicts more than latents", async () => {
    await changed("transformer/config.json", '"out_channels": 4', '"out_channels": 8');
    await expect(openModel(own)).rejects.toThrow(refusal("model-unsupported", "8 output channels"));
  });

  test("of SANA-Sprint, naming it", async () => {
    await changed("model_index.json", '"SanaPipeline"', '"SanaSprintPipeline"');
    await expect(openModel(own)).rejects.toThrow(refusal("model-unsupported", "SanaSprintPipeline"));
  });
});

test("a folder with the Euler scheduler draws with it, at its shift", async () => {
  const own = await mkdtemp(join(tmpdir(), "tiller-sana-folder-"));
  try {
    await cp(folder, own, { recursive: true });
    const scheduler = { _class_name: "FlowMatchEulerDiscreteScheduler", num_train_timesteps: 1000, shift: 3.0 };
    await writeFile(join(own, "scheduler", "scheduler_config.json"), JSON.stringify(scheduler));
    const { defaults, schedule } = await openModel(own);
    expect([defaults.sampler, schedule.prediction, schedule.timestepAt(0)]).toEqual([
      "flow-euler",
      "flow_prediction",
      1000,
    ]);
  } finally {
    await rm(own, { recursive: true });
  }
});
