/** `tiller train`: trains an adapter or a network on a folder of pictures. */

import { availableParallelism } from "node:os";
import type { Command } from "commander";
import {
  embeddedModel,
  learningRateSchedules,
  TillerError,
  type TrainingClassImages,
  type TrainingMethodName,
  type TrainingRequest,
  trainingMethodNames,
  trainingMethods,
} from "../index.ts";
import { photographsModel, refusePhotographs, totalMemory } from "../internal.ts";
import { warnOfIdleTraining } from "./idle-training-options.ts";
import { addCommonOptions, atRevision, type CommonOptions, predictionOption } from "./options.ts";
import type { Output } from "./output.ts";
import { quoted, shortTime } from "./printable.ts";
import { parseChoice, parseNumber, parseWhole } from "./values.ts";
import type { World } from "./world.ts";

/** Where a run writes by default. */
const usualOut = { adapter: "tiller-out/adapter.safetensors", network: "tiller-out/network" } as const;

type TrainOptions = CommonOptions & Omit<Partial<TrainingRequest>, "prior"> & { prior?: boolean };

export function addTrain(
  program: Command,
  act: (method: TrainingMethodName, options: TrainOptions) => Promise<void>,
): void {
  const number = (option: string) => (text: string) => parseNumber(option, text);
  const whole =
    (option: string, least = 1) =>
    (text: string) =>
      parseWhole(option, text, least);
  const listed = trainingMethodNames.map((name) => `  ${name.padEnd(18)} ${trainingMethods[name].summary}`).join("\n");
  const command = program
    .command("train")
    .description("teach a model a subject from a few pictures, or train its whole network")
    .argument("<method>", trainingMethodNames.join(", "), (text) => parseChoice("method", text, trainingMethodNames))
    .option(
      "--model <model>",
      "a Diffusers folder, a single .safetensors or .ckpt file, or a hub id; default: dinghy, which cannot learn photographs",
    )
    .option("--images <folder>", "the subject's pictures; a .txt file beside one is its caption")
    .option("--token <word>", 'the subject\'s token in prompts, such as sks or "<cat>"; full needs none')
    .option("--class <noun>", "the class noun, such as cat; full needs none")
    .option(
      "--out <file>",
      `the adapter file, or the network's folder for full; the run's log, samples and checkpoint go beside it; default: ${usualOut.adapter}, ${usualOut.network} for full`,
    )
    .option("--steps <n>", "training steps; default: the method's (500 for dreambooth)", whole("--steps"))
    .option("--resume", "resume from the run's last checkpoint, if any")
    .option("--rank <n>", "rank of the LoRA; default: 4", whole("--rank"))
    .option("--alpha <a>", "the LoRA is scaled by alpha / rank; default: the rank", number("--alpha"))
    .option("--text-encoder", "train the text encoder's LoRA too")
    .option(
      "--learning-rate <r>",
      "AdamW's learning rate; default: the method's (1e-4 for dreambooth)",
      number("--learning-rate"),
    )
    .option(
      "--text-learning-rate <r>",
      "the learning rate of the learned token and the text encoder's LoRA; default: --learning-rate",
      number("--text-learning-rate"),
    )
    .option(
      "--text-until <share>",
      "fraction of the steps after which those two are no longer trained, above 0 to 1; default: 1",
      number("--text-until"),
    )
    .option(
      "--retract",
      "draw the learned token's embeddings back towards the deviation of the model's own after every step, as Diffusers' advanced scripts do",
    )
    .option(
      "--schedule <name>",
      `learning rate schedule: ${learningRateSchedules.join(", ")}; default: constant`,
      (text) => parseChoice("--schedule", text, learningRateSchedules),
    )
    .option("--warmup <n>", "steps of learning rate warm-up; default: 0", whole("--warmup", 0))
    .option("--batch <n>", "instance images per evaluation; default: the method's", whole("--batch"))
    .option("--accumulate <n>", "gradient accumulation: evaluations per step; default: 1", whole("--accumulate"))
    .option("--weight-decay <d>", "AdamW's weight decay; default: 0.01", number("--weight-decay"))
    .option("--clip <norm>", "gradient clipping: maximum norm; default: 1", number("--clip"))
    .option("--snr-gamma <g>", "min-SNR weighting, usually 5; default: off", number("--snr-gamma"))
    .option("--resolution <pixels>", "side of the training pictures; default: the model's", whole("--resolution", 8))
    .option("--seed <n>", "seed of noise, timesteps and initial values; default: 0", whole("--seed", 0))
    .option("--prompt <text>", 'text of pictures without a caption; default: "a {token} {class}", none for full')
    .option(
      "--caption-dropout <share>",
      'share of captions replaced by "", which trains the null prompt; default: 0, 0.1 for full',
      number("--caption-dropout"),
    )
    .option("--class-prompt <text>", 'text of class images; default: "a {class}"')
    .option("--no-prior", "train without prior preservation (no class images)")
    .option("--prior-weight <w>", "weight of the prior preservation loss; default: 1", number("--prior-weight"))
    .option(
      "--prior-count <n>",
      "number of class images; the model draws missing ones; default: 100",
      whole("--prior-count"),
    )
    .option(
      "--class-images <folder>",
      "folder of class images, existing or new; default: one in the run's folder, reusing images of earlier runs",
    )
    .option("--vectors <n>", "number of embeddings of the learned token; default: the method's", whole("--vectors"))
    .option("--initializer <word>", "the word that the learned token starts from; default: the method's")
    .option(
      "--semantic-weight <w>",
      "class-diffusion: weight of the semantic loss; default: 1",
      number("--semantic-weight"),
    )
    .option(
      "--pooling <where>",
      "class-diffusion: pool the prompt at its end token (eos, the default) or at the new token, as the released code does (released)",
      (text) => parseChoice("--pooling", text, ["eos", "released"] as const),
    )
    .option("--flip", "mirror half of the pictures; default: the method's")
    .option("--no-flip", "do not mirror pictures")
    .option("--augmentation", "Custom Diffusion's augmentation by scaling; default: the method's")
    .option("--no-augmentation", "train without augmentation")
    .option("--sample-every <n>", "draw samples every n steps", whole("--sample-every"))
    .option(
      "--sample-prompt <text>",
      "prompt of the samples; repeatable; default: the training prompt",
      (text, before: string[] = []) => [...before, text],
    )
    .option("--checkpoint-every <n>", "steps between checkpoints; default: 25", whole("--checkpoint-every"))
    .option("--revision <name>", "branch, tag or commit of a hub id, as owner/name@NAME")
    .option("--variant <name>", "variant of the weights, such as fp16")
    .option("--config <model>", "a folder or hub id with a single-file model's configs and tokenizer")
    .addOption(predictionOption());
  addCommonOptions(command)
    .addHelpText(
      "after",
      `
Methods:
${listed}

Example:
  tiller train dreambooth --model ./sd15 --images my-cat --token sks --class cat --out cat.safetensors
  tiller generate --model ./sd15 --adapter cat.safetensors --prompt "a sks cat in the snow"

  tiller train full --model ./sd15 --images captioned --out ./sd15-tuned
  tiller generate --model ./sd15-tuned --base ./sd15 --prompt "a cat in the snow"`,
    )
    .action(act);
}

/** Checks for photographs before training on dinghy, unless dinghy was named. */
async function lookAtPictures(
  method: TrainingMethodName,
  request: TrainingRequest,
  threads: number | undefined,
  { signal }: World,
  output: Output,
): Promise<void> {
  output.progress.doing("checking the pictures");
  const machine = { cores: availableParallelism(), memory: totalMemory() };
  const advice = {
    pictures: `The pictures in ${request.images}`,
    instead: `train with --model ${photographsModel}`,
    insist: `insist with --model ${embeddedModel}`,
    paths: [request.images],
  };
  await refusePhotographs(method, request, machine, advice, { threads, signal });
}

/** How many class images are drawn, and how; later, how long that takes. */
function classImagesText(event: TrainingClassImages): string {
  const { count, reused, sampler, steps, device, precision, seconds } = event;
  const before = `${reused} class images are reused from earlier runs`;
  if (count === 0) return before;
  if (seconds !== undefined) return `the class images take about ${shortTime(seconds)}`;
  const how = `first drawing ${count} class images, in ${steps} steps of ${sampler}, in ${precision} on ${device}`;
  return reused === 0 ? how : `${how}; ${before}`;
}

export async function train(
  method: TrainingMethodName,
  options: TrainOptions,
  world: World,
  output: Output,
): Promise<void> {
  const { json, device, precision, threads, memory, verbose, samplePrompt, revision, ...asked } =
    options as TrainOptions & {
      samplePrompt?: string[];
      revision?: string;
    };
  const { network } = trainingMethods[method];
  const out = asked.out ?? usualOut[network ? "network" : "adapter"];
  const given = { ...asked, out, model: atRevision(asked.model ?? embeddedModel, revision) };
  for (const name of network ? (["images"] as const) : (["images", "token", "class"] as const)) {
    if (given[name] === undefined)
      throw new TillerError("option-missing", `--${name} is missing; see tiller train --help.`);
  }
  warnOfIdleTraining(method, { ...given, samplePrompt }, output);
  // Commander sets the positive form of a --no-option by default; only the negative one was given.
  const { prior, ...rest } = given;
  const request = {
    ...rest,
    ...(prior === false && { prior }),
    ...(samplePrompt && { samplePrompts: samplePrompt }),
  } as TrainingRequest;
  if (asked.model === undefined) await lookAtPictures(method, request, threads, world, output);
  const began = performance.now();
  const samples: string[] = [];
  Object.assign(output.result, { recipe: method, out: request.out, samples });
  for await (const event of world.train(method, request, {
    device,
    precision,
    threads,
    ...(memory !== undefined && { memory: memory * 2 ** 30 }),
    signal: world.signal,
  })) {
    switch (event.type) {
      case "plan":
        output.result.memory = event.plan;
        output.progress.note(event.message);
        break;
      case "warning":
        output.warn(event.message);
        break;
      case "doing":
        if (event.pace) output.progress.steps(event.what, event.pace);
        else output.progress.doing(event.what, event.share);
        break;
      case "class-images": {
        const { type, ...told } = event;
        output.progress.note(classImagesText(event));
        output.result.classImages = told;
        break;
      }
      case "step": {
        const { step, loss, pace } = event;
        const own = pace.done === step ? "" : ` at training step ${step}`;
        output.progress.steps("training", pace, `loss ${loss.toFixed(4)}${own}`);
        Object.assign(output.result, { step, loss });
        break;
      }
      case "sample":
        samples.push(event.file);
        output.progress.end();
        output.say(event.file);
        break;
      case "saved":
        Object.assign(output.result, {
          step: event.step,
          adapters: event.adapters,
          copies: event.copies,
          network: event.network,
          folder: event.folder,
        });
        break;
    }
  }
  output.progress.end();
  const adapters = (output.result.adapters as string[]).map((file) => ` --adapter ${quoted(file)}`).join("");
  const subject = request.token !== undefined && request.class !== undefined;
  const prompt = subject ? `a ${request.token} ${request.class} in the snow` : (request.prompt ?? "a cat in the snow");
  const spelling = request.variant === undefined ? "" : ` --variant ${quoted(request.variant)}`;
  const config = request.config === undefined ? "" : ` --config ${quoted(request.config)}`;
  const prediction = request.prediction === undefined ? "" : ` --prediction ${request.prediction}`;
  const model = `${quoted(request.model)}${spelling}${config}${prediction}`;
  output.result.seconds = (performance.now() - began) / 1000;
  output.say(
    `${output.result.step} steps in ${shortTime((performance.now() - began) / 1000)}; the loss curve is ${output.result.folder}/loss.svg`,
  );
  const drawing = network ? `${quoted(request.out)} --base ${model}` : `${model}${adapters}`;
  output.say(`next: tiller generate --model ${drawing} --prompt ${quoted(prompt)}`);
}
