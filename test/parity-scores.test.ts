/** End-to-end scores of pictures against Transformers: fixtures of parity/encoders.py. */
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { evaluate, evaluationProtocols } from "../src/index.ts";
import { fixture } from "./fixtures.ts";

/** The ViT as safetensors, and as in its hub repository: a pytorch_model.bin. */
const cases = [
  ...evaluationProtocols.map((one) => [one, "encoders/vit"] as const),
  ["dreambooth", "torch/vit"] as const,
];

test.each(cases)(
  "%s with %s: DINO, CLIP-I and CLIP-T of picture files match Transformers' processors and models within 1e-3",
  async (protocol, vit) => {
    const { texts, scores } = JSON.parse(await readFile(fixture("encoders/scores.json"), "utf8"));
    const pictures = (await readdir(fixture("encoders/pictures"))).sort();
    const folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
    try {
      const [references, images] = [join(folder, "references"), join(folder, "images")];
      await mkdir(references);
      await mkdir(images);
      for (const [i, name] of pictures.entries()) {
        await copyFile(fixture(`encoders/pictures/${name}`), join(i < 2 ? references : images, name));
        if (i >= 2) await writeFile(join(images, name.replace(".png", ".txt")), texts[i - 2]);
      }
      const found = await evaluate({
        images,
        references,
        clip: fixture("encoders/clip"),
        dino: fixture(vit),
        protocol,
      });
      for (const [i, expected] of scores[protocol].entries()) {
        for (const [metric, value] of Object.entries(expected)) {
          const ours = found.pictures[i]!.scores[metric as "dino"]!;
          expect(Math.abs(ours - (value as number)), `${metric} of picture ${i}`).toBeLessThan(1e-3);
        }
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);
