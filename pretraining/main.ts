/**
 * Trains the embedded model from scratch, resuming where it stopped:
 *
 *     npm run pretrain -- [--go-on] [vae] [clip] [judge] [vit] [unet] [refine]
 *                             [finer-judge] [finer-vit]
 *
 * Runs all stages, or the named ones; the ViT needs CLIP and the judge, the U-Net the first two, refine the first, the finer ones
 * the judge and the ViT. With --go-on, a stage without a checkpoint starts from the model's current network.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TillerError } from "../src/errors/index.ts";
import { autoencoder } from "./autoencoder.ts";
import { clip } from "./clip.ts";
import { finerJudge } from "./finer-judge.ts";
import { finerViT } from "./finer-vit.ts";
import { judgingClip } from "./judging-clip.ts";
import { normaliseLatents } from "./normalise-latents.ts";
import { pretrain } from "./pretrain.ts";
import { refine } from "./refine.ts";
import { unet } from "./unet.ts";
import { vit } from "./vit.ts";

const path = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => interruption.abort());

const goOn = process.argv.includes("--go-on");
const named = process.argv.slice(2).filter((word) => word !== "--go-on");
const all = {
  vae: () => autoencoder,
  clip: () => clip,
  judge: judgingClip,
  vit,
  unet,
  refine,
  "finer-judge": finerJudge,
  "finer-vit": finerViT,
};
const unknown = named.find((name) => !Object.hasOwn(all, name));
if (unknown !== undefined) throw new Error(`there is no stage ${unknown}; choose from ${Object.keys(all).join(", ")}`);
const stages = Object.entries(all).filter(([name]) => named.length === 0 || named.includes(name));

/** Steps between lines of output. */
const quiet = 20;

try {
  for (const [name, build] of stages) {
    const options = {
      workFolder: path("pretraining/runs"),
      modelFolder: path("models/dinghy"),
      goOn,
      signal: interruption.signal,
    };
    for await (const { step, steps, loss, seconds } of pretrain(build, options)) {
      if (step % quiet !== 0) continue;
      const left = ((steps - step) * seconds) / 3600;
      console.log(
        `${name}: step ${step} of ${steps}, loss ${loss.toFixed(5)}, ${seconds.toFixed(2)} s/step, ${left.toFixed(1)} h left`,
      );
    }
    if (name === "vae") await normaliseLatents(join(options.modelFolder, "vae"));
  }
} catch (error) {
  if (!interruption.signal.aborted) throw error instanceof TillerError ? new Error(error.message) : error;
  console.log("stopped; the next call resumes here");
}
