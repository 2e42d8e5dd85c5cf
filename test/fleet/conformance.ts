/**
 * What every engine must do, with every store. Workers are processes of their own where the engine has a server, and handlers in
 * this process where it has none.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { TillerError } from "../../src/errors/index.ts";
import {
  digestOf,
  type JobSpec,
  type Jobs,
  openJobs,
  openStore,
  type Planned,
  reconcile,
} from "../../src/jobs/index.ts";
import type { Server } from "./servers.ts";
import { attemptsIn, draw, expectResults, planOf, queues, unreachable, worker } from "./work.ts";

/** Locks of two seconds instead of a minute, so that a test of a lost one does not take minutes. */
const settings = { lock: 2000, renew: 400, backoff: 100, look: 100, idle: 100 };
export interface Scale {
  /** Jobs of the larger tests, and how often workers are killed in them. */
  readonly jobs: number;
  readonly kills: number;
}

/** Tests of how an engine treats jobs. */
export function testEngine(name: string, start: (() => Promise<Server>) | undefined): void {
  describe(name, () => {
    let server: Server | undefined;
    let jobs: Jobs;
    beforeAll(async () => {
      server = await start?.();
    });
    afterAll(() => server?.end());
    beforeEach(async () => {
      jobs = await openJobs(server?.url, settings);
    });
    afterEach(() => jobs.close());

    const ended = async (all: readonly JobSpec[]) => {
      await expect
        .poll(
          async () => {
            const states = await jobs.states(all);
            return all.every(({ id }) => ["done", "failed", "cancelled"].includes(states.get(id)?.state ?? ""));
          },
          { interval: 50 },
        )
        .toBe(true);
      return jobs.states(all);
    };

    test("does jobs by priority, then by age, and those that a handler names", async () => {
      const order: string[] = [];
      const [late, first, second, after] = [
        draw("late", 0, 9),
        draw("first", 0, 1),
        draw("second", 0, 1),
        draw("after", 0, 1),
      ];
      await jobs.ensure([late, first, second]);
      jobs.work(queues, async ({ id }) => {
        order.push(id);
        return { next: id === first.id ? [after] : [] };
      });
      const states = await ended([late, first, second, after]);
      expect([...states.values()].map(({ state }) => state)).toEqual(["done", "done", "done", "done"]);
      expect(order).toEqual([first.id, second.id, after.id, late.id]);
    });

    test("tries a failing job three times, a wrong call once, and again when it is asked for", async () => {
      const [failing, wrong] = [draw("failing", 0), draw("wrong", 0)];
      const tries = new Map<string, number>();
      await jobs.ensure([failing, wrong]);
      jobs.work(queues, async ({ id }) => {
        tries.set(id, (tries.get(id) ?? 0) + 1);
        if (id === wrong.id) throw new TillerError("size-invalid", "the size is wrong.");
        if (tries.get(id)! < 5) throw new TillerError("network-failed", "there is no memory.");
        return {};
      });
      let states = await ended([failing, wrong]);
      expect(states.get(failing.id)).toMatchObject({ state: "failed", error: { code: "network-failed" } });
      expect(states.get(wrong.id)).toMatchObject({ state: "failed", error: { code: "size-invalid" } });
      expect(tries).toEqual(
        new Map([
          [failing.id, 3],
          [wrong.id, 1],
        ]),
      );
      await jobs.ensure([failing]);
      states = await ended([failing]);
      expect(states.get(failing.id)).toMatchObject({ state: "done" });
      expect(tries.get(failing.id)).toBe(5);
    });

    test("repeats a job that is done when it is asked for again, and no other", async () => {
      const [again, once] = [draw("again", 0), draw("once", 0)];
      const done: string[] = [];
      await jobs.ensure([again, once]);
      jobs.work(queues, async ({ id }) => {
        done.push(id);
        return {};
      });
      await ended([again, once]);
      await jobs.ensure([again]);
      await expect.poll(() => done.length, { interval: 50 }).toBe(3);
      expect(done.filter((id) => id === again.id)).toHaveLength(2);
    });

    test("cancels waiting jobs and running ones, within a step", async () => {
      const [running, waiting] = [draw("running", 0, 1), draw("waiting", 0, 2)];
      let began = () => {};
      const begun = new Promise<void>((done) => {
        began = done;
      });
      const started: string[] = [];
      await jobs.ensure([running, waiting]);
      jobs.work(queues, async ({ id }, { signal }) => {
        started.push(id);
        began();
        for (;;) {
          signal.throwIfAborted();
          await new Promise((done) => setTimeout(done, 10));
        }
      });
      await begun;
      await jobs.cancel([running, waiting]);
      const states = await ended([running, waiting]);
      expect([...states.values()].map(({ state }) => state)).toEqual(["cancelled", "cancelled"]);
      // The waiting one is not started either: another job passes it.
      const next = draw("next", 0, 3);
      await jobs.ensure([next]);
      await expect.poll(() => started.includes(next.id), { interval: 50 }).toBe(true);
      expect(started).toEqual([running.id, next.id]);
      await jobs.cancel([next]);
    });

    test("gives the job of a worker that stops to another", async () => {
      const job = draw("handed over", 0);
      let began = () => {};
      const begun = new Promise<void>((done) => {
        began = done;
      });
      await jobs.ensure([job]);
      const first = jobs.work(queues, async (_, { signal }) => {
        began();
        for (;;) {
          signal.throwIfAborted();
          await new Promise((done) => setTimeout(done, 10));
        }
      });
      await begun;
      await first.close();
      jobs.work(queues, async () => ({}));
      expect((await ended([job])).get(job.id)).toMatchObject({ state: "done" });
    });

    test("tells of progress and counts jobs by state", async () => {
      const [one, two] = [draw("counted", 0, 1), draw("not yet", 0, 2)];
      const heard: unknown[] = [];
      const unsubscribe = jobs.events(({ id, progress }) => {
        if (id === one.id && progress) heard.push(progress);
      });
      await jobs.ensure([one, two]);
      const before = (await jobs.counts()).get(queues[0]!)!;
      expect(before.waiting).toBeGreaterThanOrEqual(2);
      const progress = { done: 1, total: 2, what: "drawing", detail: "a cat" };
      const working = jobs.work(queues, async (_, at) => {
        at.progress(progress);
        await new Promise((done) => setTimeout(done, 500));
        return {};
      });
      await ended([one, two]);
      await working.close();
      unsubscribe();
      expect(heard).toContainEqual(progress);
      const after = (await jobs.counts()).get(queues[0]!)!;
      // Those of other tests may have been taken too.
      expect(after.waiting).toBeLessThanOrEqual(before.waiting - 2);
      expect([after.running, after.done]).toEqual([0, before.done + 2]);
    });

    test("refuses jobs that are too long or not keys", async () => {
      await expect(jobs.ensure([{ ...draw("long", 0), data: "x".repeat(3000) }])).rejects.toMatchObject({
        code: "job-invalid",
      });
      await expect(jobs.ensure([{ ...draw("path", 0), id: "../etc" }])).rejects.toMatchObject({ code: "job-invalid" });
    });
  });
}

/** Tests with worker processes that are killed and stopped, on a server that is killed and wiped. */
export function testFleet(
  name: string,
  parts: {
    readonly queue: () => Promise<Server>;
    readonly store: () => Promise<Server | undefined>;
    wipe(url: string): Promise<void>;
  },
  { jobs: size, kills }: Scale,
): void {
  describe(name, () => {
    let queue: Server;
    let bucket: Server | undefined;
    let folder: string;
    let place: string;
    let log: string;
    let jobs: Jobs;
    const running = new Set<ChildProcess>();
    const broken: number[] = [];
    beforeAll(async () => {
      [queue, bucket] = await Promise.all([parts.queue(), parts.store()]);
    });
    afterAll(async () => {
      await queue.end();
      await bucket?.end();
    });
    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), "tiller-fleet-"));
      place = bucket ? bucket.url.replace("runs", digestOf(folder)) : join(folder, "store");
      log = join(folder, "log");
      jobs = await openJobs(queue.url, settings);
    });
    afterEach(async () => {
      const left = [...running];
      running.clear();
      for (const child of left) child.kill("SIGKILL");
      await jobs.close();
      // None ended by itself, as an unhandled rejection would end it.
      expect(broken).toEqual([]);
      rmSync(folder, { recursive: true, force: true });
    });

    /** A worker; as a supervisor would, this starts another if it finds no server. */
    const work = (): ChildProcess => {
      const child = spawn(process.execPath, [worker, queue.url, place, log, JSON.stringify(settings)], {
        stdio: ["ignore", "ignore", "inherit"],
      });
      running.add(child);
      child.once("exit", (code) => {
        if (running.delete(child) && code === unreachable) work();
        else if (code) broken.push(code);
      });
      return child;
    };
    const planned = async (many: number, milliseconds: number): Promise<Planned[]> =>
      planOf(await openStore(place), folder, many, milliseconds);
    const results = async (plan: readonly Planned[]): Promise<void> =>
      expectResults(plan, await openStore(place), join(folder, "fetched"));
    const attempts = () => attemptsIn(log).length;

    test("workers killed at random moments, and the server once, lose nothing", async () => {
      const plan = await planned(size, 20);
      const workers = [work(), work(), work()];
      const whole = reconcile(jobs, plan, { every: 1000 });
      for (let i = 0; i < kills; i++) {
        await new Promise((done) => setTimeout(done, 300 + Math.random() * 700));
        workers[i % 3]!.kill("SIGKILL");
        workers[i % 3] = work();
        if (i !== 1) continue;
        await queue.kill();
        await new Promise((done) => setTimeout(done, 300));
        await queue.restart();
      }
      expect((await whole).missing).toEqual(new Map());
      await results(plan);
    });

    test("calls, workers and listeners that begin while the server is away wait for it", async () => {
      const [one] = await planned(1, 0);
      const done: string[] = [];
      jobs.events(({ id, state }) => state === "done" && done.push(id));
      await queue.kill();
      const pause = new Promise((over) => setTimeout(over, 700));
      const calls = [jobs.states([one!.job]), jobs.counts(), jobs.ensure([one!.job])];
      // Long enough for the listener's first look.
      jobs.work(queues, async () => ({ next: await new Promise((over) => setTimeout(() => over([]), 300)) }));
      // Longer than an attempt, which fails at once.
      expect(await Promise.race([...calls, pause])).toBeUndefined();
      await queue.restart();
      await Promise.all(calls);
      await expect.poll(() => done, { interval: 50 }).toEqual([one!.job.id]);
      expect((await jobs.states([one!.job])).get(one!.job.id)).toMatchObject({ state: "done" });
    });

    test("nobody has to wait for a server that is away", async () => {
      const [one] = await planned(1, 0);
      jobs.work(queues, async () => ({}));
      await jobs.states([one!.job]);
      await queue.kill();
      const stop = new AbortController();
      const whole = expect(reconcile(jobs, [one!], { signal: stop.signal })).rejects.toThrow("stopped");
      const call = expect(jobs.ensure([one!.job])).rejects.toThrow("left");
      stop.abort(new Error("stopped"));
      await whole;
      await jobs.close();
      await call;
      await queue.restart();
    });

    test("a wiped queue is filled again", async () => {
      const plan = await planned(size / 2, 20);
      work();
      const whole = reconcile(jobs, plan, { every: 500 });
      await expect.poll(attempts, { interval: 20 }).toBeGreaterThan(size / 8);
      await parts.wipe(queue.url);
      expect((await whole).missing).toEqual(new Map());
      await results(plan);
    });

    test("a worker that was stopped past its lock changes nothing when it wakes", async () => {
      const [one] = await planned(1, 1500);
      const zombie = work();
      const whole = reconcile(jobs, [one!], { every: 500 });
      await expect.poll(attempts, { interval: 20 }).toBe(1);
      zombie.kill("SIGSTOP");
      const other = work();
      expect((await whole).missing).toEqual(new Map());
      const store = await openStore(place);
      await store.fetch(one!.job.id, join(folder, "before"));
      zombie.kill("SIGCONT");
      // Longer than the rest of its job.
      await new Promise((done) => setTimeout(done, 2500));
      await store.fetch(one!.job.id, join(folder, "after"));
      const [before, after] = ["before", "after"].map((name) => readFileSync(join(folder, name, "who"), "utf8"));
      expect([before, after]).toEqual([String(other.pid), String(other.pid)]);
      expect(attemptsIn(log).filter(({ id }) => id === one!.job.id)).toHaveLength(2);
    });

    test("a worker that is asked to end gives its job back at once", async () => {
      const [one] = await planned(1, 60_000);
      const first = work();
      await jobs.ensure([one!.job]);
      await expect.poll(attempts, { interval: 20 }).toBe(1);
      const over = once(first, "exit");
      first.kill("SIGTERM");
      expect(await over).toEqual([0, null]);
      const states = await jobs.states([one!.job]);
      expect(states.get(one!.job.id)).toMatchObject({ state: "waiting" });
      await jobs.cancel([one!.job]);
    });
  });
}
