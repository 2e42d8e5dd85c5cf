/**
 * Evaluates the embedded model's networks, or those of another folder, on held-out pictures; a number limits the pictures of each
 * kind, for trying it out.
 *
 *     npm run pretrain:judge -- [FOLDER [NUMBER]]
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startEngine } from "../src/runtime/index.ts";
import { judgeAutoencoder, judgeClip, judgeModel, judgeViT, type Seen, throughAutoencoder } from "./judge.ts";

const model = process.argv[2] ?? fileURLToPath(new URL("../models/dinghy", import.meta.url));
const has = (folder: string) => existsSync(join(model, folder, "config.json"));
const most = Number(process.argv[3] ?? Number.POSITIVE_INFINITY);
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

const individuals = Math.min(100, most);

const engine = await startEngine();
try {
  const ways: { how: string; seen?: Seen }[] = [{ how: "" }];
  if (has("vae")) {
    const seen = await throughAutoencoder(engine, model);
    console.log(`autoencoder: PSNR ${(await judgeAutoencoder(seen, Math.min(200, most))).toFixed(2)} dB (goal 30)`);
    ways.push({ how: " through the autoencoder", seen });
  }
  for (const { how, seen } of ways) {
    if (has("clip")) {
      const { theme, kind } = await judgeClip(engine, model, Math.min(500, most), seen);
      console.log(`CLIP on the world's own pictures${how}: theme first ${percent(theme)}, kind first ${percent(kind)}`);
    }
    for (const noun of has("vit") ? ["dog", "cat", "teapot"] : []) {
      const share = await judgeViT(engine, model, noun, individuals, seen);
      console.log(`ViT: nearest of ${individuals}, ${noun}${how}: ${percent(share)}${seen ? "" : " (goal 80 %)"}`);
    }
  }
  if (has("clip") && has("unet")) {
    const { theme, kind } = await judgeModel(engine, model, Math.min(500, most));
    console.log(
      `the model, by CLIP: theme first ${percent(theme)} (goal 80 %), kind first ${percent(kind)} (goal 90 %)`,
    );
  }
} finally {
  await engine.close();
}
