/**
 * Trains the adapters in `fixtures/trained/` and `fixtures/sana-pipeline/trained.safetensors`, written by Tiller for Diffusers to read. Run `npm run build` first.
 *
 * The pictures are blobs of colour and the learning rate is high: a tiny random model learns nothing, but the adapters change it
 * visibly.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { runFolderOf, train } from "../dist/index.js";

const fixtures = (path) => fileURLToPath(new URL(`./fixtures/${path}`, import.meta.url));
const images = await mkdtemp(join(tmpdir(), "tiller-blobs-"));
for (const [name, from, to] of [
  ["one", "red", "teal"],
  ["two", "gold", "navy"],
]) {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="64" height="64" fill="${to}"/><circle cx="30" cy="34" r="20" fill="${from}"/></svg>`;
  await sharp(Buffer.from(svg))
    .png()
    .toFile(join(images, `${name}.png`));
}
await mkdir(fixtures("trained"), { recursive: true });
for (const [recipe, more, out = fixtures(`trained/${recipe}.safetensors`)] of [
  ["dreambooth", { textEncoder: true, alpha: 6 }],
  ["dreambooth-ti", {}],
  ["class-diffusion", {}],
  [
    "dreambooth",
    { model: fixtures("sana-pipeline/model"), token: "sks", class: "dog", alpha: 6 },
    fixtures("sana-pipeline/trained.safetensors"),
  ],
]) {
  const request = {
    model: fixtures("pipelines/sd15"),
    images,
    token: "<cat>",
    class: "cat",
    out,
    steps: 60,
    learningRate: 1e-2,
    prior: false,
    ...more,
  };
  for await (const event of train(recipe, request, { device: "cpu" })) {
    if (event.type === "saved") console.log(...event.adapters, ...event.copies);
  }
  await rm(runFolderOf(out), { recursive: true });
}
await rm(images, { recursive: true });
