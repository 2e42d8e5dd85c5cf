import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { refused, tiller } from "../../test/fake-world.ts";
import { refusal } from "../../test/refusal.ts";
import { encodePng, readPixels, TillerError } from "../index.ts";
import { readPicture, readRecipe } from "../recipe/read-recipe.ts";

let folder: string;
let out: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-cli-"));
  out = join(folder, "out");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const cat = ["generate", "--model", "owner/sd", "--prompt", "a red cat", "--steps", "2"];
const files = async () => (await readdir(out)).sort();

describe("tiller generate", () => {
  test("names pictures by seed, method and omega, and prints where they are", async () => {
    const { code, stdout, stderr } = await tiller([
      ...cat,
      "--guidance",
      "pg",
      "--count",
      "2",
      "--seed",
      "7",
      "--out",
      out,
    ]);
    expect([code, stderr.includes("warning")]).toEqual([0, false]);
    expect(await files()).toEqual(["tiller-7-pg-w0.6.png", "tiller-8-pg-w0.6.png"]);
    expect(stdout).toContain(join(out, "tiller-7-pg-w0.6.png"));
    expect(stdout).toMatch(/2 pictures in \d/);
  });

  test("never overwrites a picture", async () => {
    await tiller([...cat, "--out", out]);
    const before = await readFile(join(out, "tiller-0-cfg.png"));
    await tiller([...cat, "--out", out, "--prompt", "a blue cat"]);
    await tiller([...cat, "--out", out]);
    expect(await files()).toEqual(["tiller-0-cfg-2.png", "tiller-0-cfg-3.png", "tiller-0-cfg.png"]);
    expect(await readFile(join(out, "tiller-0-cfg.png"))).toEqual(before);
  });

  test("under --json prints one object and nothing else on standard output", async () => {
    const result = await tiller([...cat, "--json", "--count", "2", "--out", out], { warnings: ["too long"] });
    expect(result.stdout.trim().split("\n")).toHaveLength(1);
    const { pictures, warnings, sessionsBuilt, device } = result.json();
    expect(pictures).toHaveLength(2);
    expect(pictures[1]).toMatchObject({ file: join(out, "tiller-1-cfg.png"), seed: 1, width: 16, height: 8 });
    expect(pictures[1].recipe.request).toMatchObject({ prompt: "a red cat", seed: 1, count: 1 });
    expect({ warnings, sessionsBuilt, device }).toEqual({ warnings: ["too long"], sessionsBuilt: 3, device: "cpu" });
    expect(result.stderr).toContain("warning: too long");
  });

  test("a revision goes into the model's name, and so into the recipe", async () => {
    const { code } = await tiller([...cat, "--revision", "refs/pr/1", "--out", out]);
    expect(code).toBe(0);
    expect((await readRecipe(join(out, "tiller-0-cfg.png"))).model).toBe("owner/sd@refs/pr/1");
  });

  test.each([
    ["./sd15", "main"],
    ["dinghy", "main"],
    ["owner/sd@main", "v1"],
    ["owner/sd", "../x"],
  ])("for %s refuses the revision %s", async (model, revision) => {
    const failed = await refused(["generate", "--model", model, "--revision", revision, "--prompt", "a", "--out", out]);
    expect([failed.code, failed.error]).toEqual([2, refusal("option-invalid", "--revision", model)]);
  });

  test("takes an instruction from a file, without its final line break, or none, or the model's", async () => {
    const file = join(folder, "instruction.txt");
    await writeFile(file, "Draw this.\nPrompt: \n");
    for (const [given, instruction] of [
      [["--instruction", file], "Draw this.\nPrompt: "],
      [["--instruction", "none"], ""],
      [[], undefined],
    ] as const) {
      const { requests } = await tiller([...cat, ...given, "--out", out]);
      expect(requests[0]!.instruction).toBe(instruction);
    }
    const missing = join(folder, "missing.txt");
    const failed = await refused([...cat, "--instruction", missing, "--out", out]);
    expect(failed.error).toEqual(refusal("file-missing", missing));
  });

  test("passes every option on to the model and the request", async () => {
    const lora = join(folder, "cat.safetensors");
    await writeFile(lora, "");
    const argv = `--model ${folder} --adapter ${lora}:-0.5 --adapter owner/style:1.5 --base owner/base --variant fp16
      --negative ugly --guidance cfg+ag --scale 5 --ag-scale 3 --sampler dpm++ --karras --steps 3 --seed 4 --count 2
      --width 64 --height 32 --device cpu --threads 2 --profile --out ${out}`;
    const { code, loads, requests, stdout } = await tiller([...cat, ...argv.split(/\s+/)]);
    expect(code).toBe(0);
    expect(loads[0]?.model).toBe(folder);
    expect(loads[0]?.options).toMatchObject({
      adapters: [
        { file: lora, strength: -0.5 },
        { file: "owner/style", strength: 1.5 },
      ],
      base: "owner/base",
      variant: "fp16",
      device: "cpu",
      threads: 2,
      profile: true,
    });
    expect(requests[0]).toMatchObject({
      prompt: "a red cat",
      negative: "ugly",
      guidance: "cfg+ag",
      scale: 5,
      agScale: 3,
      sampler: "dpm++",
      karras: true,
      steps: 3,
      seed: 4,
      count: 2,
      width: 64,
      height: 32,
    });
    expect(stdout).toMatch(/Conv +2000 ms +80\.0 % +25 calls/);
  });

  test("--from repeats a picture; other options override its recipe", async () => {
    const argv = [
      "--guidance",
      "pg",
      "--omega",
      "0.3",
      "--seed",
      "9",
      "--adapter",
      "owner/cat:0.8",
      "--model",
      "owner/sd",
    ];
    await tiller([...cat, ...argv, "--out", out]);
    const picture = join(out, "tiller-9-pg-w0.3.png");

    const again = await tiller(["generate", "--from", picture, "--out", out]);
    expect(again.requests[0]).toEqual((await readRecipe(picture)).request);
    expect(again.loads[0]).toMatchObject({
      model: "owner/sd",
      options: { adapters: [{ file: "owner/cat", strength: 0.8 }] },
    });

    const other = await tiller([
      "generate",
      "--from",
      picture,
      "--omega",
      "0.9",
      "--adapter",
      "owner/dog",
      "--out",
      out,
    ]);
    expect(other.requests[0]).toMatchObject({ prompt: "a red cat", seed: 9, omega: 0.9 });
    expect(other.loads[0]?.options.adapters).toEqual([{ file: "owner/dog" }]);
  });

  test("--from finds the adapters of an experiment's picture in its folder, from any other", async () => {
    const experiment = join(out, "experiment");
    const [inside, outside] = ["adapters/cat/adapter.safetensors", "owner/style"];
    await mkdir(join(experiment, "adapters", "cat"), { recursive: true });
    await writeFile(join(experiment, inside), "");
    const pictures = join(experiment, "pictures", "snow");
    const adapters = ["--adapter", `${join(experiment, inside)}:0.8`, "--adapter", outside];
    await tiller([...cat, ...adapters, "--out", pictures]);
    const picture = join(pictures, "tiller-0-pg-w0.6.png");
    const recipe = await readRecipe(picture);
    const [own, ...others] = recipe.adapters;
    const named = { ...recipe, adapters: [{ ...own!, file: inside }, ...others] };
    await writeFile(picture, await encodePng(await readPixels(picture), named));

    const again = await tiller(["generate", "--from", picture, "--out", out]);
    const files = again.loads[0]?.options.adapters?.map((one) => (typeof one === "string" ? one : one.file));
    expect(files).toEqual([join(experiment, inside), outside]);
    // A file of that name where the command is run comes first; without either the name is kept, for the message.
    await rm(join(experiment, inside));
    const gone = await tiller(["generate", "--from", picture, "--out", out]);
    expect(gone.loads[0]?.options.adapters?.[0]).toMatchObject({ file: inside });
  });

  test("--from with a method whose scale means something else drops the recipe's scale", async () => {
    await tiller([...cat, "--guidance", "cfg", "--scale", "9", "--out", out]);
    const picture = join(out, "tiller-0-cfg.png");
    const kin = await tiller(["generate", "--from", picture, "--guidance", "pg", "--out", out]);
    const other = await tiller(["generate", "--from", picture, "--guidance", "pg++", "--out", out]);
    expect([kin.requests[0]?.scale, other.requests[0]?.scale]).toEqual([9, 0.4]);
  });

  test("--every-third sets what was measured, and is refused together with its parts", async () => {
    const { requests } = await tiller([...cat, "--guidance", "pg", "--every-third", "--out", out]);
    expect(requests[0]).toMatchObject({ guidanceEvery: 3, guidanceBetween: "extrapolated" });
    const both = await tiller([...cat, "--guidance", "pg", "--every-third", "--guidance-every", "2", "--out", out]);
    expect([both.code, both.requests]).toEqual([2, []]);
    expect(both.stderr).toContain("--guidance-every");
  });

  test("--guidance-every and related options reach the request, the file name and the recipe; --from with another method drops them", async () => {
    const fewer = "--guidance pg --guidance-every 3 --guidance-between extrapolated --guidance-to 0.8".split(" ");
    const { code } = await tiller([...cat, ...fewer, "--out", out]);
    const picture = join(out, "tiller-0-pg-w0.6-every3-extrapolated-to0.8.png");
    const told = { guidanceEvery: 3, guidanceBetween: "extrapolated", guidanceTo: 0.8 };
    expect([code, (await readRecipe(picture)).request]).toMatchObject([0, told]);
    const kin = await tiller(["generate", "--from", picture, "--guidance", "cfg", "--out", out]);
    expect(kin.requests[0]).toMatchObject(told);
    const other = await tiller(["generate", "--from", picture, "--guidance", "none", "--out", out]);
    expect([other.code, other.requests[0]]).toMatchObject([0, { guidance: "none" }]);
    expect(other.requests[0]).not.toHaveProperty("guidanceEvery");
  });

  test.each([
    ["--guidance sag --guidance-every 2", "--guidance-every", "sag", "different prompts"],
    ["--guidance none --guidance-to 0.5", "--guidance-to", "none"],
    ["--guidance pg --guidance-from 0.5 --guidance-to 0.5", "--guidance-from 0.5", "ends at 0.5"],
    ["--guidance pg --guidance-every 0", "--guidance-every 0", "too small"],
    ["--guidance pg --guidance-every 2.5", "--guidance-every 2.5", "whole number"],
  ])("%s is refused", async (argv, ...facts) => {
    const { error } = await refused([...cat, ...argv.split(" "), "--out", out]);
    expect(error).toEqual(refusal("option-invalid", ...facts));
  });

  test("--from warns if the adapter file has changed", async () => {
    const argv = [...cat, "--adapter", "owner/cat", "--out", out];
    await tiller(argv, { sha256: "a".repeat(64) });
    const from = ["generate", "--from", join(out, "tiller-0-pg-w0.6.png"), "--out", out];
    expect((await tiller(from, { sha256: "b".repeat(64) })).stderr).toContain("owner/cat has changed");
    expect((await tiller(from, { sha256: "a".repeat(64) })).stderr).not.toContain("changed");
  });

  test("--preview writes intermediate pictures without a recipe", async () => {
    const argv = [
      "generate",
      "--model",
      "owner/sd",
      "--prompt",
      "a",
      "--steps",
      "5",
      "--preview",
      "2",
      "--count",
      "2",
      "--out",
      out,
    ];
    const result = await tiller([...argv, "--json"], { batch: 2 });
    const previews = [
      "tiller-0-cfg-step2.png",
      "tiller-1-cfg-step2.png",
      "tiller-0-cfg-step4.png",
      "tiller-1-cfg-step4.png",
    ];
    expect(result.json().previews).toEqual(previews.map((name) => join(out, "previews", name)));
    expect(await files()).toEqual(["previews", "tiller-0-cfg.png", "tiller-1-cfg.png"]);
    expect((await readPicture(join(out, "previews", previews[0]!))).recipe).toBeUndefined();
  });

  test("warns of options without effect on the method", async () => {
    const { code, stderr } = await tiller([...cat, "--omega", "0.3", "--out", out]);
    expect(code).toBe(0);
    expect(stderr).toContain("warning: --omega has no effect with --guidance cfg; it works with pg");
  });

  describe("with a mocked clock", () => {
    beforeEach(() => void vi.useFakeTimers({ toFake: ["Date", "performance"] }));
    afterEach(() => void vi.useRealTimers());

    const slow = { onStep: () => void vi.advanceTimersByTime(400) };

    test("without a terminal prints a line of progress every ten seconds, and none for short work", async () => {
      const { stderr } = await tiller([...cat, "--steps", "80", "--out", out], slow);
      expect(stderr).toBe(
        "drawing: step 25 of 80, 2.5 steps/s, 22 s left, picture 1 of 1\n" +
          "drawing: step 50 of 80, 2.5 steps/s, 12 s left, picture 1 of 1\n" +
          "drawing: step 75 of 80, 2.5 steps/s, 2 s left, picture 1 of 1\n",
      );
      expect((await tiller([...cat, "--out", out], slow)).stderr).toBe("");
    });

    test("on a terminal redraws one line with rate and time left, and clears it", async () => {
      const { stderr } = await tiller([...cat, "--steps", "6", "--out", out], { ...slow, terminal: true });
      expect(stderr).toMatch(/drawing .*step 1 of 6, picture 1 of 1/);
      expect(stderr).toMatch(/drawing .*step 4 of 6, 2\.5 steps\/s, 1 s left, picture 1 of 1/);
      expect(stderr).not.toMatch(/\D0(\.0)? s left/);
      expect(stderr.split("\n")).toHaveLength(1);
    });

    test("a picture's time is its share of its batch's", async () => {
      const { json } = await tiller([...cat, "--count", "4", "--json", "--out", out], { ...slow, batch: 4 });
      expect(json().pictures.map(({ seconds }: { seconds: number }) => seconds)).toEqual([0.2, 0.2, 0.2, 0.2]);
    });
  });
});

describe("a wrong call of tiller generate ends with exit code 2 and one line that names the option", () => {
  test.each<[string[], ...string[]]>([
    [["--omega", "nan"], "--omega nan"],
    [["--omega", "Infinity"], "--omega Infinity"],
    [["--omega", ""], '--omega ""'],
    [["--omega", "0x1"], "--omega 0x1"],
    [["--steps", "0"], "--steps 0", "1"],
    [["--steps", "2.5"], "--steps 2.5"],
    [["--steps", "5000"], "--steps 5000", "1000"],
    [["--width", "500"], "--width 500", "8"],
    [["--height", "0"], "--height 0"],
    [["--seed", "-1"], "--seed -1", "0"],
    [["--count", "0"], "--count 0", "1"],
    [["--threads", "1000000"], "--threads 1000000"],
    [["--threads", "x"], "--threads x"],
    [["--guidance", "gp"], "--guidance gp", "none, cfg,"],
    [["--sampler", "DDIM"], "--sampler DDIM", "ddim,"],
    [["--device", "tpu"], "--device tpu", "auto, cpu,"],
    [["--adapter", "a.safetensors:lots"], "--adapter a.safetensors:lots"],
    [["--adapter", ""], '--adapter ""'],
    [["--omgea", "1"], "--omgea", "--omega"],
    [["--unheard-of"], "--unheard-of", "tiller generate --help"],
    [["surplus"], "tiller generate --help"],
    [["--scale"], "--scale"],
  ])("%j", async (argv, ...facts) => {
    const { code, error, stderr, loads } = await refused([...cat, "--out", out, ...argv]);
    expect([code, error, loads]).toEqual([2, refusal("option-invalid", ...facts), []]);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  test("without a prompt", async () => {
    const { code, error } = await refused(["generate", "--out", out]);
    expect([code, error]).toEqual([2, refusal("option-missing", "--prompt")]);
  });

  test("standard output has the error with --json, else nothing", async () => {
    const argv = [...cat, "--steps", "0", "--out", out];
    const message = expect.stringContaining("--steps 0");
    expect((await tiller([...argv, "--json"])).json()).toEqual({
      error: { code: "option-invalid", message, exitCode: 2 },
    });
    expect(await tiller(argv)).toMatchObject({ code: 2, stdout: "", stderr: message });
  });

  test("an unknown command", async () => {
    const { code, error } = await refused(["generat", "--prompt", "a"]);
    expect([code, error]).toEqual([2, refusal("option-invalid", "'generat'", "generate?")]);
  });
});

describe("a failure of tiller generate ends with exit code 1", () => {
  test("an --out that is not writable is found before anything is loaded", async () => {
    await writeFile(join(folder, "file"), "");
    for (const place of [join(folder, "file"), join(folder, "file", "below")]) {
      const { code, error, loads } = await refused([...cat, "--out", place]);
      expect([code, error, loads]).toEqual([1, refusal("file-not-written", place, "--out"), []]);
    }
  });

  test("the pipeline's message is printed without a stack", async () => {
    const { code, stderr } = await tiller([...cat, "--out", out], {
      loadError: new TillerError("model-not-found", "There is no model sd."),
    });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/tiller: There is no model sd\.\n$/)]);
    expect(stderr).not.toContain("    at ");
  });

  test("a stack trace only under --verbose", async () => {
    const { stderr } = await tiller([...cat, "--verbose", "--out", out], { loadError: new Error("oops") });
    expect(stderr).toContain("    at ");
    const short = await refused([...cat, "--out", out], { loadError: new Error("oops") });
    // A defect has no code: there is nothing the user could do.
    expect([short.code, short.error.code]).toEqual([1, undefined]);
    expect(short.stderr).toContain("oops");
    expect(short.stderr).toContain("--verbose");
    expect(short.stderr).not.toContain("    at ");
  });

  test("pictures finished before it stay and are named under --json; the pipeline is closed", async () => {
    const onStep = (_: number, { seed }: { seed: number }) => {
      if (++calls > 4) throw new TillerError("network-failed", `out of memory at seed ${seed}.`);
    };
    let calls = 0;
    const result = await tiller([...cat, "--count", "5", "--json", "--out", out], { onStep });
    expect([result.code, result.closed]).toEqual([1, 1]);
    expect(result.json().pictures).toHaveLength(2);
    expect(result.json().error).toEqual(refusal("network-failed", "seed 0"));
    expect(await files()).toEqual(["tiller-0-cfg.png", "tiller-1-cfg.png"]);
  });

  test("a --from file that is missing or not made by Tiller", async () => {
    const [none, gif] = [join(folder, "no.png"), join(folder, "a.png")];
    const missing = await refused(["generate", "--from", none, "--out", out]);
    expect([missing.code, missing.error]).toEqual([1, refusal("file-missing", none)]);
    await writeFile(gif, "GIF89a");
    const wrong = await refused(["generate", "--from", gif, "--out", out]);
    expect([wrong.code, wrong.error]).toEqual([1, refusal("picture-unreadable", gif)]);
  });
});

test("Ctrl-C stops within a step with exit code 130; finished pictures stay, partial files do not", async () => {
  const controller = new AbortController();
  let steps = 0;
  const onStep = () => {
    if (++steps === 4) controller.abort();
  };
  const result = await tiller([...cat, "--count", "3", "--json", "--out", out], { onStep }, controller);
  expect([result.code, result.closed, steps]).toEqual([130, 1, 4]);
  expect(result.stderr).toContain(`interrupted; finished pictures in ${out}: 1.`);
  expect(result.json().pictures).toHaveLength(1);
  expect(await files()).toEqual(["tiller-0-cfg.png"]);
});

describe("help", () => {
  test.each(["generate", "sweep", "inspect", "doctor"])("tiller %s --help has an example", async (command) => {
    const { code, stdout } = await tiller([command, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`Example:\\n  tiller ${command}`));
    for (const option of ["--json", "--device", "--threads", "--verbose"]) expect(stdout).toContain(option);
  });

  test("is printed without a command, with exit code 2", async () => {
    const { code, stderr } = await tiller([]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("Usage: tiller")]);
  });

  test("--version prints the version", async () => {
    expect((await tiller(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe("an adapter of another model", () => {
  const wrong = () => ({
    loadError: new TillerError("adapter-other-model", "cat.safetensors does not fit the model dinghy.", {
      paths: ["cat.safetensors"],
    }),
  });
  const draw = (...more: string[]) => tiller(["generate", "--prompt", "a", "--json", "--out", out, ...more], wrong());
  const own = "--model stable-diffusion-v1-5/stable-diffusion-v1-5";

  test("without --model gives an error that says the model is dinghy and how to choose another", async () => {
    const { code, json } = await draw("--adapter", "cat.safetensors");
    expect(code).toBe(1);
    expect(json().error).toEqual(refusal("adapter-other-model", "cat.safetensors", "dinghy", own));
  });

  test("with --model gives the model's own error", async () => {
    const { json } = await draw("--adapter", "cat.safetensors", "--model", "dinghy");
    expect(json().error.message).not.toContain(own);
  });
});
