/**
 * Stage 6: the autoencoder is trained further while its latents stay close to those that the U-Net was trained on.
 *
 * The encoder may only add fine detail in amplitudes that a U-Net hardly notices.
 */
import { join } from "node:path";
import { add, input, mean, multiply, slice, square, subtract, symbol } from "../src/graph/index.ts";
import { autoencoderConfig, autoencoderDecode, autoencoderEncode } from "../src/models/autoencoder-kl.ts";
import { moduleOf } from "../src/models/module.ts";
import { normalValues, randomStream } from "../src/random/streams.ts";
import { float32 } from "../src/runtime/index.ts";
import { buildLatentEncoder } from "../src/training/objective/latents.ts";
import { side } from "../src/world/render.ts";
import { keepNetwork } from "./kept-network.ts";
import { autoencoderOf } from "./open-network.ts";
import { planesOfSample, worldSample } from "./sampling.ts";
import { openWeights, type Stage, type Workshop } from "./stage.ts";

const name = "refine";
const batch = 8;
/** Latents get noise of up to this standard deviation, like a U-Net's errors, so that the decoder learns to tolerate it. */
const most = 0.1;
/** Weight of the latents' squared distance from the original latents. */
const anchorWeight = 0.005;
/** Layers at the ends do not use Muon: their rows are not comparable directions. */
const ends = /\.conv_in\.|\.conv_out\.|quant_conv\./;
/** The first picture that the autoencoder has not seen. */
const from = 4e8;

export async function refine({ engine, modelFolder, workFolder }: Workshop): Promise<Stage> {
  const { config, weights, tensors } = await keepNetwork(join(modelFolder, "vae"), join(workFolder, name, "begun"));
  const before = await buildLatentEncoder(engine, autoencoderOf({ config, weights }));
  const shape = before.shape(side);
  const size = shape[0] * shape[1] * shape[2];

  return {
    name,
    folder: "vae",
    config,
    settings: {
      steps: 5650,
      accumulate: 1,
      learningRate: 2e-3,
      schedule: "cosine",
      warmup: 100,
      weightDecay: 1e-2,
      clip: 1,
    },
    averaging: 0.999,
    separable: true,
    start: () => tensors,
    muon: [...tensors].flatMap(([key, { shape }]) => (shape.length > 1 && !ends.test(key) ? [key] : [])),

    /** Inputs: `picture`, `noise` of the latents, and the original latents `before`. Mean squared errors of both. */
    loss(values) {
      const parsed = autoencoderConfig(config);
      const module = moduleOf(openWeights(values), { open: new Set(values.keys()) });
      const picture = input("picture", [symbol("batch"), 3, side, side]);
      const centre = slice(autoencoderEncode(module, parsed, picture).moments!, 1, 0, shape[0]);
      const latents = add(centre, input("noise", [symbol("batch"), ...shape]));
      const decoded = autoencoderDecode(module, parsed, latents).picture!;
      const moved = subtract(centre, input("before", [symbol("batch"), ...shape]));
      return add(mean(square(subtract(decoded, picture))), multiply(mean(square(moved)), anchorWeight));
    },

    async feeds(draw) {
      const pictures = new Float32Array(batch * 3 * side * side);
      const [noise, anchors] = [new Float32Array(batch * size), new Float32Array(batch * size)];
      for (let i = 0; i < batch; i++) {
        const number = draw * batch + i;
        const data = planesOfSample(worldSample(from + number, "training"));
        const deviation = most * randomStream(6, "deviation", number).uniform();
        pictures.set(data, i * data.length);
        anchors.set((await before.encode({ size: side, data })).subarray(0, size), i * size);
        noise.set(
          normalValues(6, "errors", number, size).map((value) => deviation * value),
          i * size,
        );
      }
      return {
        picture: float32([batch, 3, side, side], pictures),
        noise: float32([batch, ...shape], noise),
        before: float32([batch, ...shape], anchors),
      };
    },
  };
}
