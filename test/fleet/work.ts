/** The jobs that tests give to `worker.js`, and what must come of them. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { digestOf, type JobSpec, type Planned, type Store } from "../../src/jobs/index.ts";

/** The script; its arguments are the queue, the store, the log, and settings as JSON. */
export const worker = fileURLToPath(new URL("worker.js", import.meta.url));

/** How it ends if its server is away when it starts. */
export const unreachable = 3;

const zeros = "0".repeat(20);
export const queues = [`draw-${zeros}`, `train-${zeros}`];

export const draw = (name: string, milliseconds: number, priority = 0): JobSpec => ({
  id: `pictures-${digestOf(name)}`,
  kind: "draw",
  queue: queues[0]!,
  priority,
  data: { milliseconds },
});

/** Jobs of so many milliseconds each. A quarter are preparations, each with three jobs that wait for it. */
export function planOf(store: Store, name: string, many: number, milliseconds: number): Planned[] {
  const plan: Planned[] = [];
  for (let i = 0; i < many / 4; i++) {
    const next = [0, 1, 2].map((j) => draw(`${name} ${i} ${j}`, milliseconds, i + 1));
    const job = { ...draw(`${name} ${i}`, milliseconds, i + 1), kind: "train" as const, queue: queues[1]! };
    const first = { ...job, data: { milliseconds, next } };
    plan.push({ job: first, isDone: () => store.has(first.id) });
    for (const one of next) plan.push({ job: one, after: first.id, isDone: () => store.has(one.id) });
  }
  return plan;
}

/** Fetches the results of a plan, and checks that each is whole, right, and from one process. */
export async function expectResults(plan: readonly Planned[], store: Store, folder: string): Promise<void> {
  for (const { job } of plan) {
    const into = join(folder, job.id);
    await store.fetch(job.id, into);
    const [result, who, also] = ["result", "who", "sub/who"].map((file) => readFileSync(join(into, file)));
    expect(result).toEqual(createHash("sha512").update(job.id).digest());
    expect(who).toEqual(also);
  }
}

/** The attempts in a log, each with the job's id and the process's. */
export function attemptsIn(log: string): { readonly id: string; readonly pid: number }[] {
  let lines: string[];
  try {
    lines = readFileSync(log, "utf8").split("\n");
  } catch {
    return [];
  }
  return lines.flatMap((line) => {
    const [what, id, pid] = line.split(" ");
    return what === "begins" ? [{ id: id!, pid: Number(pid) }] : [];
  });
}
