/** Stage 6: the autoencoder's decoder goes on learning while its encoder, and so the latents, stay as they are. */
import { join } from "node:path";
import { jsonObject, readJson } from "../../files/json-file.ts";
import { input, mean, square, subtract, symbol } from "../../graph/index.ts";
import { autoencoderConfig, autoencoderDecode } from "../../models/autoencoder-kl.ts";
import { moduleOf } from "../../models/module.ts";
import { float32, type Tensor } from "../../runtime/index.ts";
import { buildLatentEncoder } from "../../training/latents.ts";
import { normalValues, randomStream } from "../../training/random.ts";
import { openCheckpoint } from "../../weights/checkpoint.ts";
import { readFloat32 } from "../../weights/safetensors.ts";
import { side } from "../render.ts";
import { planesOfSample, worldSample } from "./sampling.ts";
import { openWeights, type Stage, type Workshop } from "./stage.ts";

const batch = 2;
/** Latents are off by noise of a deviation of up to this: a U-Net's are too, and the decoder learns to see past it. */
const most = 0.25;
/** Pictures after those that the autoencoder saw. */
const from = 3e8;

export async function decoder({ engine, modelFolder }: Workshop): Promise<Stage> {
  const folder = join(modelFolder, "vae");
  const config = await readJson(join(folder, "config.json"), jsonObject);
  const weights = await openCheckpoint(folder);
  const tensors = new Map<string, Tensor>();
  for (const [name, ref] of weights) tensors.set(name, float32(ref.shape, await readFloat32(ref)));
  const part = (trained: boolean) =>
    new Map([...tensors].filter(([name]) => /^(decoder|post_quant_conv)\./.test(name) === trained));
  const encoder = await buildLatentEncoder(engine, { config, weights });
  const shape = encoder.shape(side);
  const size = shape[0] * shape[1] * shape[2];

  return {
    name: "decoder",
    folder: "vae",
    config,
    frozen: part(false),
    settings: {
      steps: 20_000,
      accumulate: 1,
      learningRate: 5e-4,
      schedule: "constant",
      warmup: 100,
      weightDecay: 1e-2,
      clip: 1,
    },
    averaging: 0.999,
    separable: true,
    start: () => part(true),

    /** Inputs: `latents` and the `picture` they are of. Mean squared error. */
    loss(values) {
      const module = moduleOf(openWeights(values), { open: new Set(values.keys()) });
      const latents = input("latents", [symbol("batch"), ...shape]);
      const decoded = autoencoderDecode(module, autoencoderConfig(config), latents).picture!;
      return mean(square(subtract(decoded, input("picture", [symbol("batch"), 3, side, side]))));
    },

    async feeds(draw) {
      const [latents, pictures] = [new Float32Array(batch * size), new Float32Array(batch * 3 * side * side)];
      for (let i = 0; i < batch; i++) {
        const number = draw * batch + i;
        const data = planesOfSample(worldSample(from + number, "training"));
        const moments = await encoder.encode({ size: side, data });
        const sampled = encoder.sample(moments, normalValues(6, "latents", number, size));
        const error = normalValues(6, "errors", number, size);
        const deviation = most * randomStream(6, "deviation", number).uniform();
        latents.set(
          sampled.map((value, k) => value + deviation * error[k]!),
          i * size,
        );
        pictures.set(data, i * data.length);
      }
      return {
        latents: float32([batch, ...shape], latents),
        picture: float32([batch, 3, side, side], pictures),
      };
    },
  };
}
