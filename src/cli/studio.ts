/** `tiller studio`: the web page and the HTTP API. */
import type { Command } from "commander";
import { untilAborted } from "../aborted.ts";
import { addCommonOptions, type CommonOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { addQueueOptions, fleetOf, type QueueOptions, requiredFleet } from "./queue-options.ts";
import { parseWhole } from "./values.ts";
import type { World } from "./world.ts";

interface StudioOptions extends CommonOptions, QueueOptions {
  model?: string[];
  clip?: string;
  dino?: string;
  data: string;
  host?: string;
  port: number;
  maxWork?: number;
}

export function addStudio(program: Command, act: (options: StudioOptions) => Promise<void>): void {
  const command = program
    .command("studio")
    .description("a web page to personalise, steer and compare, and an HTTP API")
    .option(
      "--model <model>",
      "a model to offer; repeatable; default: dinghy, which comes with Tiller",
      (text, before: string[] = []) => [...before, text],
    )
    .option("--clip <model>", "the CLIP for scores: a folder or a hub id; default: dinghy's")
    .option("--dino <model>", "the ViT for scores: a folder or a hub id; default: dinghy's")
    .option("--data <folder>", "where pictures, adapters and jobs are kept", "tiller-studio")
    .option("--port <n>", "port; 0 for any free one", (text) => parseWhole("--port", text, 0), 7860)
    .option("--host <address>", "accept other machines too, which then need the printed token")
    .option(
      "--max-work <n>",
      "limit on one request in megapixel-steps (pictures x steps x megapixels); default: 20000, some 1,500 pictures of 512 x 512 in 50 steps",
      (text) => parseWhole("--max-work", text, 1),
    );
  addQueueOptions(command);
  addCommonOptions(command).action(act);
}

export async function studio(options: StudioOptions, { signal }: World, output: Output): Promise<void> {
  const { model, clip, dino, data, host, port, maxWork, device, precision, threads } = options;
  // Without a queue the server does its jobs itself.
  const fleet = fleetOf(options) && requiredFleet(options);
  // Loaded here: no other command needs a server.
  const { startStudio } = await import("../server/index.ts");
  const started = await startStudio({
    models: model,
    clip,
    dino,
    data,
    fleet,
    host,
    port,
    mostWork: maxWork,
    device,
    precision: precision ?? "auto",
    threads,
  });
  output.result.url = started.url;
  // A program that started it needs the URL now, not at the end.
  output.printResult();
  output.say(`Tiller Studio: ${started.url}`);
  output.say(`the API is described at ${new URL("/api", started.url).href}; Ctrl-C stops it`);
  await untilAborted(signal);
  await started.close();
}
