/** `npm run pretrain:judge`: what the embedded model's networks reach on held-out pictures. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startEngine } from "../../runtime/index.ts";
import { judgeAutoencoder, judgeClip, judgeModel, judgeViT } from "./judge.ts";

const model = process.argv[2] ?? fileURLToPath(new URL("../../../models/dinghy", import.meta.url));
const has = (folder: string) => existsSync(join(model, folder, "config.json"));
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

const engine = await startEngine();
try {
  if (has("vae"))
    console.log(`autoencoder: PSNR ${(await judgeAutoencoder(engine, model, 200)).toFixed(2)} dB (goal 30)`);
  if (has("clip")) {
    const { theme, kind } = await judgeClip(engine, model, 500);
    console.log(`CLIP on the world's own pictures: theme first ${percent(theme)}, kind first ${percent(kind)}`);
  }
  if (has("vit")) {
    for (const noun of ["dog", "cat", "teapot"]) {
      console.log(`ViT: nearest of 100, ${noun}: ${percent(await judgeViT(engine, model, noun, 100))} (goal 80 %)`);
    }
  }
  if (has("clip") && has("unet")) {
    const { theme, kind } = await judgeModel(engine, model, 500);
    console.log(
      `the model, by CLIP: theme first ${percent(theme)} (goal 80 %), kind first ${percent(kind)} (goal 90 %)`,
    );
  }
} finally {
  await engine.close();
}
