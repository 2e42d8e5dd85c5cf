/** Installs the packed package in an empty project, with install scripts on and off. Needs a build. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { skipped } from "./skipped.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const shell = process.platform === "win32";
const execute = promisify(execFile);
// ONNX Runtime's install script would download CUDA libraries.
const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" };
const npm = (cwd: string, ...args: string[]) => execute("npm", args, { cwd, env, shell });

const registry = await npm(root, "view", "onnxruntime-node", "version", "--prefer-offline", "--fetch-retries=0").then(
  () => true,
  () => false,
);
const without = skipped(registry, "No npm registry answers; installing the package is not tested.");

const pixelsOf = async (file: string) => {
  const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
};

/** Draws what `tiller sweep` below draws. */
const program = `
  import { writeFileSync } from "node:fs";
  import { encodePng, Pipeline } from "tillerjs";
  const pipeline = await Pipeline.load("dinghy", { device: "cpu" });
  for await (const event of pipeline.generate({ prompt: "cat", seed: 7, steps: 2, guidance: "cfg" }))
    if (event.type === "picture") writeFileSync("imported.png", await encodePng(event, event.recipe));
  await pipeline.close();`;

describe.skipIf(without)("the package", () => {
  let folder: string;
  let tarball: string;
  let packed: string[];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tiller-install-"));
    const { stdout } = await npm(root, "pack", "--json", "--pack-destination", folder);
    const [pack] = Object.values<{ filename: string; files: { path: string }[] }>(JSON.parse(stdout));
    tarball = join(folder, pack!.filename);
    packed = pack!.files.map(({ path }) => path);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("contains the build and the licences, and no tests, source maps or sources", () => {
    const tops = [...new Set(packed.map((path) => path.split("/")[0]))].sort();
    expect(tops).toEqual(["LICENSE", "README.md", "dist", "experiments", "fonts", "models", "package.json"]);
    expect(packed.filter((path) => /\.test\.|\.map$|(?<!\.d)\.ts$/.test(path))).toEqual([]);
    expect(packed).toContain("fonts/LICENSE");
  });

  test.each([
    ["on", "--ignore-scripts=false"],
    ["off", "--ignore-scripts"],
  ])(
    "installs into an empty project with scripts %s, and draws there by command and by import",
    async (name, scripts) => {
      const project = join(folder, name);
      await mkdir(project);
      await writeFile(join(project, "package.json"), "{}");
      await npm(project, "install", tarball, scripts, "--prefer-offline", "--no-audit", "--no-fund");
      const tiller = (...args: string[]) =>
        execute(join("node_modules", ".bin", "tiller"), args, { cwd: project, env, shell });

      await tiller("sweep", "--prompt", "cat", "--seed", "7", "--steps", "2", "--guidance", "cfg", "--device", "cpu");
      await execute(process.execPath, ["--input-type=module", "--eval", program], { cwd: project, env });
      const out = join(project, "tiller-out");
      const drawn = (await readdir(out)).filter((file) => /^tiller-.*\.png$/.test(file));
      expect(drawn).toHaveLength(1);
      const imported = await pixelsOf(join(project, "imported.png"));
      expect(imported).toMatchObject({ width: 128, height: 128 });
      expect((await pixelsOf(join(out, drawn[0]!))).data.equals(imported.data)).toBe(true);
      // The sheet's title is drawn with the packaged fonts.
      const { data, width } = await pixelsOf(join(out, "sheet.png"));
      const title = data.subarray(0, width * 40 * 3);
      expect(title.filter((value) => value < 0x40).length).toBeGreaterThan(100);

      const library = join(
        project,
        "node_modules",
        "onnxruntime-node",
        "bin",
        "napi-v6",
        process.platform,
        process.arch,
      );
      expect(existsSync(library)).toBe(true);
      await rm(library, { recursive: true });
      await expect(tiller("generate", "--prompt", "cat")).rejects.toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/ONNX Runtime's library for \S+ \S+ is missing .*: install tillerjs again/),
      });
    },
  );
});
