/** `tiller train`: a folder of pictures to an adapter. */

import { availableParallelism, totalmem } from "node:os";
import type { Command } from "commander";
import {
  embeddedModel,
  learningRateSchedules,
  TillerError,
  type TrainingMethodName,
  type TrainingRequest,
  trainingMethodNames,
  trainingMethods,
} from "../index.ts";
import { photographsModel, refusePhotographs } from "../internal.ts";
import { warnOfIdleTraining } from "./idle-training-options.ts";
import { addCommonOptions, atRevision, type CommonOptions, predictionOption } from "./options.ts";
import type { Output } from "./output.ts";
import { quoted, shortTime } from "./printable.ts";
import { parseChoice, parseNumber, parseWhole } from "./values.ts";
import type { World } from "./world.ts";

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
    .description("teach a model a subject from a few pictures")
    .argument("<method>", trainingMethodNames.join(", "), (text) => parseChoice("method", text, trainingMethodNames))
    .option(
      "--model <model>",
      "a Diffusers folder, a single .safetensors or .ckpt file, or a hub id; default: dinghy, which cannot learn photographs",
    )
    .option("--images <folder>", "the subject's pictures; a .txt file beside one is its caption")
    .option("--token <word>", 'what the subject is called in prompts, such as sks or "<cat>"')
    .option("--class <noun>", "what kind of thing it is, such as cat")
    .option(
      "--out <file>",
      "the adapter; the run's log, samples and checkpoint go beside it",
      "tiller-out/adapter.safetensors",
    )
    .option("--steps <n>", "default: the method's (500 for dreambooth)", whole("--steps"))
    .option("--resume", "go on from the run's last checkpoint, if there is one")
    .option("--rank <n>", "rank of the LoRA; default: 4", whole("--rank"))
    .option("--alpha <a>", "the LoRA counts alpha / rank; default: the rank", number("--alpha"))
    .option("--text-encoder", "train the text encoder's LoRA too")
    .option("--learning-rate <r>", "default: the method's (1e-4 for dreambooth)", number("--learning-rate"))
    .option("--schedule <name>", learningRateSchedules.join(", "), (text) =>
      parseChoice("--schedule", text, learningRateSchedules),
    )
    .option("--warmup <n>", "steps over which the learning rate rises; default: 0", whole("--warmup", 0))
    .option("--batch <n>", "the subject's pictures in one evaluation; default: the method's", whole("--batch"))
    .option("--accumulate <n>", "evaluations in one step; default: 1", whole("--accumulate"))
    .option("--weight-decay <d>", "default: 0.01", number("--weight-decay"))
    .option("--clip <length>", "what the gradient is shortened to; default: 1", number("--clip"))
    .option("--snr-gamma <g>", "min-SNR weighting, usually 5; default: off", number("--snr-gamma"))
    .option("--resolution <pixels>", "default: the model's own", whole("--resolution", 8))
    .option("--seed <n>", "default: 0", whole("--seed", 0))
    .option("--prompt <text>", 'a picture without a caption; default: "a {token} {class}"')
    .option("--class-prompt <text>", 'a class picture; default: "a {class}"')
    .option("--no-prior", "train without class pictures")
    .option("--prior-weight <w>", "what the class pictures count; default: 1", number("--prior-weight"))
    .option(
      "--prior-count <n>",
      "class pictures; the model draws those that are missing; default: 100",
      whole("--prior-count"),
    )
    .option("--class-images <folder>", "where class pictures are or shall be; default: in the run's folder")
    .option("--vectors <n>", "embeddings of the learned token; default: the method's", whole("--vectors"))
    .option("--initializer <word>", "the word that the learned token starts from; default: the method's")
    .option(
      "--semantic-weight <w>",
      "class-diffusion: what its semantic loss counts; default: 1",
      number("--semantic-weight"),
    )
    .option("--flip", "mirror half of the pictures; default: the method's")
    .option("--no-flip", "mirror none")
    .option("--augmentation", "Custom Diffusion's smaller and larger pictures; default: the method's")
    .option("--no-augmentation", "pictures as they are")
    .option("--sample-every <n>", "draw samples every n steps", whole("--sample-every"))
    .option(
      "--sample-prompt <text>",
      "what samples show; repeatable; default: the training prompt",
      (text, before: string[] = []) => [...before, text],
    )
    .option("--checkpoint-every <n>", "steps between checkpoints; default: 25", whole("--checkpoint-every"))
    .option("--revision <name>", "branch, tag or commit of a hub id, as owner/name@NAME")
    .option("--variant <name>", "which spelling of the weights, such as fp16")
    .option("--config <model>", "a folder or hub id with the configs and tokenizer of a single-file model")
    .addOption(predictionOption());
  addCommonOptions(command)
    .addHelpText(
      "after",
      `
Methods:
${listed}

Example:
  tiller train dreambooth --model ./sd15 --images my-cat --token sks --class cat --out cat.safetensors
  tiller generate --model ./sd15 --adapter cat.safetensors --prompt "a sks cat in the snow"`,
    )
    .action(act);
}

/** Before anything is spent: dinghy was not asked for by name, and may not be meant. */
async function lookAtPictures(
  method: TrainingMethodName,
  request: TrainingRequest,
  threads: number | undefined,
  { signal }: World,
  output: Output,
): Promise<void> {
  output.progress.doing("looking at the pictures");
  const machine = { cores: availableParallelism(), memory: totalmem() };
  const advice = {
    pictures: `The pictures in ${request.images}`,
    instead: `train with --model ${photographsModel}`,
    insist: `insist with --model ${embeddedModel}`,
    paths: [request.images],
  };
  await refusePhotographs(method, request, machine, advice, { threads, signal });
}

export async function train(
  method: TrainingMethodName,
  options: TrainOptions,
  world: World,
  output: Output,
): Promise<void> {
  const { json, device, precision, threads, verbose, samplePrompt, revision, ...asked } = options as TrainOptions & {
    samplePrompt?: string[];
    revision?: string;
  };
  const given = { ...asked, model: atRevision(asked.model ?? embeddedModel, revision) };
  for (const name of ["images", "token", "class"] as const) {
    if (given[name] === undefined)
      throw new TillerError("option-missing", `--${name} is missing; see tiller train --help.`);
  }
  warnOfIdleTraining(method, { ...given, samplePrompt }, output);
  // Commander gives a --no-option its positive form as a default: only the negative one was said.
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
  for await (const event of world.train(method, request, { device, precision, threads, signal: world.signal })) {
    switch (event.type) {
      case "warning":
        output.warn(event.message);
        break;
      case "doing":
        if (event.pace) output.progress.steps(event.what, event.pace);
        else output.progress.doing(event.what, event.share);
        break;
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
          folder: event.folder,
        });
        break;
    }
  }
  output.progress.end();
  const adapters = (output.result.adapters as string[]).map((file) => ` --adapter ${quoted(file)}`).join("");
  const prompt = quoted(`a ${request.token} ${request.class} in the snow`);
  const spelling = request.variant === undefined ? "" : ` --variant ${quoted(request.variant)}`;
  const config = request.config === undefined ? "" : ` --config ${quoted(request.config)}`;
  const prediction = request.prediction === undefined ? "" : ` --prediction ${request.prediction}`;
  const model = `${quoted(request.model)}${spelling}${config}${prediction}`;
  output.result.seconds = (performance.now() - began) / 1000;
  output.say(
    `${output.result.step} steps in ${shortTime((performance.now() - began) / 1000)}; the curve of the loss is ${output.result.folder}/loss.svg`,
  );
  output.say(`next: tiller generate --model ${model}${adapters} --prompt ${prompt}`);
}
