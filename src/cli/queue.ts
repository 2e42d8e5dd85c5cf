/** `tiller queue`: what is in a queue, and who may stay there. */
import type { Command } from "commander";
import { TillerError } from "../index.ts";
import type { JobSpec, JobState, Jobs } from "../jobs/index.ts";
import { addCommonOptions, type CommonOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { printable, table } from "./printable.ts";
import { addQueueOptions, fleetOf, type QueueOptions } from "./queue-options.ts";

interface QueueCommandOptions extends CommonOptions, QueueOptions {
  all?: true;
}

export type QueueVerb = "status" | "cancel" | "retry";

export function addQueue(
  program: Command,
  act: (verb: QueueVerb, ids: readonly string[], options: QueueCommandOptions) => Promise<void>,
): void {
  const queue = program.command("queue").description("show the jobs of a queue by state, cancel or retry them");
  const add = (command: Command) => addCommonOptions(addQueueOptions(command));
  add(
    queue.command("status").description("print how many jobs wait, run, are done or failed; --json for programs"),
  ).action((options) => act("status", [], options));
  for (const [verb, what] of [
    ["cancel", "cancel waiting and running jobs"],
    ["retry", "try failed and cancelled jobs again"],
  ] as const) {
    add(queue.command(verb).description(what).argument("[ids...]", "the jobs").option("--all", "all of them")).action(
      (ids, options) => act(verb, ids, options),
    );
  }
}

export async function queue(
  verb: QueueVerb,
  ids: readonly string[],
  options: QueueCommandOptions,
  output: Output,
): Promise<void> {
  const fleet = fleetOf(options);
  if (!fleet) throw new TillerError("queue-needed", "no queue is named: give --queue redis://…, or set TILLER_QUEUE.");
  if (verb !== "status" && ids.length === 0 && !options.all)
    throw new TillerError("option-missing", `name the jobs to ${verb}, or give --all.`);
  const { openJobs } = await import("../jobs/index.ts");
  const jobs = await openJobs(fleet.queue, {
    insecure: fleet.insecure,
    onWarning: (warning) => output.warn(warning),
  });
  try {
    if (verb === "status") await status(jobs, output);
    else {
      const states: readonly JobState[] = verb === "cancel" ? ["waiting", "running"] : ["failed", "cancelled"];
      const chosen = (await inStates(jobs, states)).filter(({ id }) => options.all || ids.includes(id));
      await (verb === "cancel" ? jobs.cancel(chosen) : jobs.ensure(chosen));
      output.result.jobs = chosen.map(({ id }) => id);
      output.say(`${verb === "cancel" ? "cancelled" : "waiting again"}: ${chosen.length}`);
    }
  } finally {
    await jobs.close();
  }
}

/** One row a queue; with `--json`, sums for an autoscaler as well. */
async function status(jobs: Jobs, output: Output): Promise<void> {
  const counts = [...(await jobs.counts())];
  const sum = (state: JobState) => counts.reduce((all, [, one]) => all + one[state], 0);
  const states = ["waiting", "running", "done", "failed"] as const;
  Object.assign(output.result, Object.fromEntries(states.map((state) => [state, sum(state)])), {
    queues: Object.fromEntries(counts),
  });
  output.say(
    table([["queue", ...states], ...counts.map(([name, one]) => [name, ...states.map((state) => String(one[state]))])]),
  );
  for (const job of await inStates(jobs, ["failed"])) {
    const found = (await jobs.states([job])).get(job.id);
    output.say(printable(`${job.id}: ${found?.error?.message ?? ""}`));
  }
}

async function inStates(jobs: Jobs, states: readonly JobState[]): Promise<readonly JobSpec[]> {
  const found: JobSpec[] = [];
  for (const [name] of await jobs.counts()) for (const state of states) found.push(...(await jobs.list(name, state)));
  return found;
}
