/** Hostile arguments on the command line are refused. Nothing is loaded or written. */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ErrorCode } from "../src/errors/index.ts";
import { refused, tiller } from "./fake-world.ts";
import { refusal } from "./refusal.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-hostile-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** In a row, OUT is a folder that does not exist, and HERE contains what the row describes. */
const placed = (argv: readonly string[]) =>
  argv.map((word) => word.replace("OUT", join(folder, "out")).replace("HERE", folder));

const draw = ["generate", "--prompt", "a cat", "--out", "OUT"];
const sweep = ["sweep", "--prompt", "a cat", "--out", "OUT"];

/** Arguments, exit code, error code, and facts in the message. */
type Row = readonly [argv: readonly string[], exit: number, code: ErrorCode, ...facts: string[]];

function answered(rows: readonly Row[]) {
  const cases = rows.map((row) => [JSON.stringify(row[0].map((word) => word.slice(0, 60))), row] as const);
  test.each(cases)("%s", async (_, [argv, exit, code, ...facts]) => {
    const { code: found, error, loads } = await refused(placed(argv));
    expect([found, error, loads]).toEqual([exit, refusal(code, ...placed(facts)), []]);
    expect(existsSync(join(folder, "out"))).toBe(false);
  });
}

describe("whole numbers are digits with an optional sign:", () => {
  answered([
    [[...draw, "--seed", "1e3"], 2, "option-invalid", "--seed 1e3"],
    [[...draw, "--seed", " 5 "], 2, "option-invalid", '--seed " 5 "'],
    [[...draw, "--seed", "5."], 2, "option-invalid", "--seed 5."],
    [[...draw, "--seed", "0x10"], 2, "option-invalid", "--seed 0x10"],
    [[...draw, "--seed", "1_000"], 2, "option-invalid", "--seed 1_000"],
    [[...draw, "--seed", "\u0665"], 2, "option-invalid", "--seed"],
    [[...draw, "--seed", "9007199254740993"], 2, "option-invalid", "--seed 9007199254740993"],
    [[...draw, "--seed", "9".repeat(400)], 2, "option-invalid", "--seed"],
    [[...draw, "--steps", "1e1"], 2, "option-invalid", "--steps 1e1"],
    [[...draw, "--width", "5.12e2"], 2, "option-invalid", "--width 5.12e2"],
    [[...draw, "--height", "512 "], 2, "option-invalid", '--height "512 "'],
    [[...draw, "--count", "2e0"], 2, "option-invalid", "--count 2e0"],
    [[...draw, "--clip-skip", "1.0"], 2, "option-invalid", "--clip-skip 1.0"],
    [[...draw, "--threads", "1e0"], 2, "option-invalid", "--threads 1e0"],
    [[...draw, "--preview", "0x2"], 2, "option-invalid", "--preview 0x2"],
    [[...sweep, "--seed", "1e1"], 2, "option-invalid", "--seed 1e1"],
    [[...sweep, "--seed", "0:1e1"], 2, "option-invalid", "--seed 1e1"],
    [[...sweep, "--seed", "0:4:0.5"], 2, "option-invalid", "--seed 0.5"],
    [[...sweep, "--steps", "5,1e1"], 2, "option-invalid", "--steps 1e1"],
    [["tune", "--budget", "1e2"], 2, "option-invalid", "--budget 1e2"],
    [["train", "dreambooth", "--rank", "4e0"], 2, "option-invalid", "--rank 4e0"],
    [["studio", "--port", "7.86e3"], 2, "option-invalid", "--port 7.86e3"],
  ]);

  test.each([
    ["+7", 7],
    ["-0", 0],
    ["007", 7],
  ])("--seed %s is %i", async (text, seed) => {
    const { code, requests } = await tiller(placed([...draw, "--steps", "1", "--seed", text]));
    expect([code, requests[0]?.seed]).toEqual([0, seed]);
  });

  test("a sweep's lists may have spaces after commas", async () => {
    const { code, requests } = await tiller(placed([...sweep, "--steps", "1", "--seed", "1, 3:5:2"]));
    expect([code, requests.map(({ seed }) => seed)]).toEqual([0, [1, 3, 5]]);
  });
});

describe("an empty name, as from an unset variable:", () => {
  answered([
    [["generate", "--prompt", "a cat", "--out", ""], 2, "option-invalid", "--out"],
    [["generate", "--prompt", "a cat", "--out", "  "], 2, "option-invalid", "--out"],
    [[...draw, "--from", ""], 2, "option-invalid", "--from"],
    [[...draw, "--model", ""], 2, "option-invalid", "--model"],
    [[...draw, "--base", ""], 2, "option-invalid", "--base"],
    [[...draw, "--config", ""], 2, "option-invalid", "--config"],
    [[...draw, "--variant", ""], 2, "option-invalid", "--variant"],
    [[...draw, "--adapter", ""], 2, "option-invalid", "--adapter"],
    [[...draw, "--adapter", ":0.5"], 2, "option-invalid", "--adapter"],
    [["train", "dreambooth", "--images", ""], 2, "option-invalid", "--images"],
    [["train", "dreambooth", "--token", ""], 2, "option-invalid", "--token"],
    [["train", "dreambooth", "--class", " "], 2, "option-invalid", "--class"],
    [["train", "dreambooth", "--out", ""], 2, "option-invalid", "--out"],
    [["train", ""], 2, "option-invalid", "method"],
    [["tune", "--clip", ""], 2, "option-invalid", "--clip"],
    [["tune", "--adapter", ""], 2, "option-invalid", "--adapter"],
    [["eval", "--images", ""], 2, "option-invalid", "--images"],
    [["eval", "--prompts", ""], 2, "option-invalid", "--prompts"],
    [["studio", "--data", ""], 2, "option-invalid", "--data"],
    [["studio", "--model", "dinghy", "--model", ""], 2, "option-invalid", "--model"],
    [["demo", ""], 2, "option-invalid", "concept"],
    [["inspect", ""], 2, "option-invalid", "file"],
    [["bench", "run", ""], 2, "option-invalid", "experiment.json"],
    [["bench", "table", ""], 2, "option-invalid", "folder"],
    [["bench", "report", "\t"], 2, "option-invalid", "folder"],
  ]);

  test("an empty prompt is a prompt", async () => {
    const { code, requests } = await tiller(placed(["generate", "--prompt", "", "--negative", "", "--out", "OUT"]));
    expect([code, requests[0]?.prompt]).toEqual([0, ""]);
  });
});

describe("a word of 126,000 letters:", () => {
  const word = "a".repeat(126_000);
  answered([
    [[...draw, "--seed", word], 2, "option-invalid", "--seed"],
    [[...draw, "--guidance", word], 2, "option-invalid", "--guidance"],
    [[...draw, "--from", word], 1, "file-unreadable", word],
    [["inspect", word], 1, "file-missing", word],
    [["generate", "--prompt", "a cat", "--out", `HERE/${word}`], 1, "file-not-written", word],
  ]);
});

describe.skipIf(process.platform !== "linux")("a path that cannot be written or read:", () => {
  answered([
    [["generate", "--prompt", "a cat", "--out", "/proc/x"], 1, "file-not-written", "/proc/x", "--out"],
    [["generate", "--prompt", "a cat", "--out", "/proc/self/a/b"], 1, "file-not-written", "/proc/self/a/b"],
    [["generate", "--prompt", "a cat", "--out", "/dev/null"], 1, "file-not-written", "/dev/null"],
    [["generate", "--prompt", "a cat", "--out", "/dev/null/x"], 1, "file-not-written", "/dev/null/x"],
    [["generate", "--prompt", "a cat", "--out", "/sys/x"], 1, "file-not-written", "/sys/x"],
    [["sweep", "--prompt", "a cat", "--out", "/proc/x"], 1, "file-not-written", "/proc/x"],
    [["demo", "--out", "/proc/x"], 1, "file-not-written", "/proc/x"],
    [["studio", "--data", "/proc/x"], 1, "file-not-written", "/proc/x"],
    [[...draw, "--from", "/proc/self/mem"], 1, "picture-unreadable", "/proc/self/mem"],
    [["inspect", "/proc/self/mem"], 1, "file-empty", "/proc/self/mem"],
    [["inspect", "/dev/zero"], 1, "file-unreadable", "/dev/zero"],
    [["bench", "run", "/proc/self/mem"], 1, "json-invalid", "/proc/self/mem"],
    [["bench", "table", "/proc"], 1, "experiment-missing", "/proc"],
  ]);

  test.each([
    [
      "train",
      ["train", "dreambooth", "--model", "dinghy", "--images", "HERE", "--token", "sks", "--class", "cat", "--out"],
    ],
    ["bench run", ["bench", "run", "HERE/experiment.json", "--out"]],
  ])("%s", async (_, argv) => {
    const experiment = { name: "x", personalisation: [{ method: "dreambooth" }], guidance: [{ method: "cfg" }] };
    await writeFile(join(folder, "experiment.json"), JSON.stringify(experiment));
    const { code, error } = await refused([...placed(argv), "/proc/x.safetensors"]);
    expect([code, error]).toEqual([1, refusal("file-not-written", "/proc/x")]);
  });
});

describe("a folder of results without the experiment:", () => {
  test.each([
    ["table", "not JSON", "json-invalid"],
    ["table", "{}", "json-unexpected"],
    ["table", '{"experiment":{},"units":{"done":1,"total":1},"arms":[]}', "experiment-invalid"],
    ["report", "{}", "experiment-missing"],
  ] as const)("bench %s of %s: %s", async (verb, written, code) => {
    await writeFile(join(folder, "results.json"), written);
    const { error } = await refused(["bench", verb, folder]);
    expect(error).toEqual(refusal(code, folder));
    expect(await readdir(folder)).toEqual(["results.json"]);
  });

  test.each(["quick", "sixteen", "class-diffusion"])("the table of results/%s", async (name) => {
    const { code, stdout } = await tiller(["bench", "table", join("results", name)]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^fine-tuning .* DINO .*\n\S+ +none +0\.\d{3} \[/)]);
  });
});
