/** The options that name a queue and a store, and the variables that do so without showing a password in a list of processes. */
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import type { Fleet } from "../experiments/index.ts";
import { TillerError } from "../index.ts";
import { refusal } from "../internal.ts";

export interface QueueOptions {
  queue?: string;
  store?: string;
  insecureQueue?: true;
}

export function addQueueOptions(command: Command): Command {
  return command
    .option(
      "--queue <url>",
      "where workers get their jobs: redis://, rediss:// or postgres://, or @FILE with such a line; default: TILLER_QUEUE",
    )
    .option(
      "--store <place>",
      "where results are kept for all workers: a folder that all of them have, or s3://bucket/prefix; default: TILLER_STORE",
    )
    .option("--insecure-queue", "allow a connection to another machine without TLS");
}

/** The queue and store that are named, if a queue is. */
export function fleetOf(options: QueueOptions, env: NodeJS.ProcessEnv = process.env): Fleet | undefined {
  const queue = options.queue ?? env.TILLER_QUEUE;
  if (queue === undefined || queue === "") return undefined;
  const store = options.store ?? (env.TILLER_STORE || undefined);
  return { queue: fromFile(queue), store, insecure: options.insecureQueue ?? false };
}

/** @throws TillerError if no queue or no store is named. */
export function requiredFleet(options: QueueOptions): Fleet & { readonly store: string } {
  const { queue, store, insecure } = fleetOf(options) ?? {};
  if (queue === undefined)
    throw new TillerError("queue-needed", "no queue is named: give --queue redis://…, or set TILLER_QUEUE.");
  if (store === undefined)
    throw new TillerError("queue-needed", "no store is named: give --store FOLDER or s3://…, or set TILLER_STORE.");
  return { queue, store, insecure };
}

/** A queue's address, read from the file if it is given as @FILE. */
export function fromFile(queue: string): string {
  if (!queue.startsWith("@")) return queue;
  const file = queue.slice(1);
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw refusal(error, file);
  }
}
