/** Stage 5: the U-Net, trained on the autoencoder's latents and the text encoder's states. */
import { join } from "node:path";
import { connect, input, mean, square, subtract } from "../src/graph/index.ts";
import { clipText, clipTextConfig } from "../src/models/clip-text.ts";
import { moduleOf } from "../src/models/module.ts";
import { unet as recordUNet, textKeysValues, unetConfig } from "../src/models/unet.ts";
import { normalValues, randomStream } from "../src/random/streams.ts";
import { float32, int32 } from "../src/runtime/index.ts";
import { parseConfig } from "../src/samplers/index.ts";
import { variancePreserving } from "../src/schedules/variance-preserving.ts";
import { dataOrder } from "../src/training/data/data-order.ts";
import { buildLatentEncoder, type Encoded } from "../src/training/objective/latents.ts";
import { noisingOf } from "../src/training/objective/noising.ts";
import { side } from "../src/world/render.ts";
import { blankUNet } from "./blank-unet.ts";
import { autoencoderOf, openNetwork } from "./open-network.ts";
import { planesOfSample, worldSample } from "./sampling.ts";
import { generation, openWeights, type Stage, type Workshop } from "./stage.ts";
import { worldTokens } from "./tokens.ts";

const batch = 16;
/** Pictures of an epoch, new ones in each generation; their latents are computed in the first epoch and kept. */
const pictures = 16_384;
/** Caption dropout, for classifier-free guidance. */
const dropout = 0.1;
/**
 * Timesteps are drawn logit-normally with this mean and standard deviation 1: at 16 x 16 latents, shapes are decided around the
 * middle and scenes before it.
 */
const timestepLogit = 0.2;

const widths = [64, 128, 192];
const config = {
  _class_name: "UNet2DConditionModel",
  sample_size: side / 8,
  in_channels: 4,
  out_channels: 4,
  block_out_channels: widths,
  layers_per_block: 1,
  down_block_types: ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
  up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
  cross_attention_dim: 160,
  attention_head_dim: 4,
  norm_num_groups: 16,
  act_fn: "silu",
};

/** Stable Diffusion's noise schedule; v-prediction as in Stable Diffusion 2.1, which is learned faster. */
export const scheduler = {
  _class_name: "DDIMScheduler",
  num_train_timesteps: 1000,
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
  clip_sample: false,
  set_alpha_to_one: false,
  steps_offset: 1,
  prediction_type: "v_prediction",
  timestep_spacing: "leading",
};

const modelIndex = {
  _class_name: "StableDiffusionPipeline",
  scheduler: ["diffusers", "DDIMScheduler"],
  text_encoder: ["transformers", "CLIPTextModel"],
  tokenizer: ["transformers", "CLIPTokenizer"],
  unet: ["diffusers", "UNet2DConditionModel"],
  vae: ["diffusers", "AutoencoderKL"],
  safety_checker: [null, null],
  feature_extractor: [null, null],
  requires_safety_checker: false,
};

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

export async function unet({ engine, modelFolder }: Workshop): Promise<Stage> {
  const encoder = await buildLatentEncoder(engine, autoencoderOf(await openNetwork(join(modelFolder, "vae"))));
  const text = await openNetwork(join(modelFolder, "text_encoder"));
  const width = clipTextConfig(text.config).hidden_size;
  const texts = await engine.compile("text encoder", clipText(moduleOf(text.weights), clipTextConfig(text.config)));
  const { encode, positions } = worldTokens();
  const noising = noisingOf(variancePreserving(parseConfig("ddim", scheduler)));
  const shape = encoder.shape(side);
  const size = shape[0] * shape[1] * shape[2];
  const order = dataOrder(4, "pictures", pictures);
  const known = new Map<number, Encoded>();
  const momentsOf = async (index: number): Promise<Encoded> => {
    const moments =
      known.get(index) ?? (await encoder.encode({ size: side, data: planesOfSample(worldSample(index, "training")) }));
    known.set(index, moments);
    return moments;
  };

  return {
    folder: "unet",
    config,
    settings: {
      steps: 20_000,
      accumulate: 1,
      learningRate: 8e-4,
      schedule: "cosine",
      warmup: 200,
      weightDecay: 1e-2,
      clip: 1,
    },
    round: 4500,
    averaging: 0.999,
    separable: true,
    files: { "scheduler/scheduler_config.json": json(scheduler), "model_index.json": json(modelIndex) },
    start: () => blankUNet(unetConfig(config), 4),

    loss(values) {
      const module = moduleOf(openWeights(values), { open: new Set(values.keys()) });
      const parsed = unetConfig(config);
      const { prediction } = connect(recordUNet(module, parsed), textKeysValues(module, parsed));
      return mean(square(subtract(prediction!, input("target", prediction!.shape))));
    },

    async feeds(draw) {
      const random = randomStream(4, "batch", draw);
      const [latents, target] = [new Float32Array(batch * size), new Float32Array(batch * size)];
      const timesteps: number[] = [];
      const ids: number[] = [];
      for (let i = 0; i < batch; i++) {
        const number = draw * batch + i;
        const index = order(number) + pictures * Math.floor(draw / generation);
        const clean = encoder.sample(await momentsOf(index), normalValues(4, "latents", number, size));
        const noise = normalValues(4, "noise", number, size);
        const logit = timestepLogit + normalValues(4, "timesteps", number, 1)[0]!;
        const timestep = Math.floor(noising.timesteps / (1 + Math.exp(-logit)));
        timesteps.push(timestep);
        latents.set(noising.noised(clean, noise, timestep), i * size);
        target.set(noising.target(clean, noise, timestep), i * size);
        ids.push(...encode(random.uniform() < dropout ? "" : worldSample(index, "training").caption));
      }
      const { text: states } = await texts.run({
        ids: int32([batch, positions], ids),
        learned: float32([1, width], new Float32Array(width)),
      });
      return {
        latents: float32([batch, ...shape], latents),
        target: float32([batch, ...shape], target),
        timestep: float32([batch], timesteps),
        text: states!,
      };
    },
  };
}
