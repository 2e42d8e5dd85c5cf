/** What somebody who can write to the queue and the store may try, and what a worker says to it. */
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeFolder } from "#bytes";
import { parseExperiment } from "../src/experiments/experiment.ts";
import { allowedModels, openExperimentWorker } from "../src/experiments/fleet.ts";
import { identitiesOf } from "../src/experiments/networks.ts";
import { sharePlan } from "../src/experiments/shared-plan.ts";
import { wholeExperiment } from "../src/experiments/whole.ts";
import { embeddedModel } from "../src/index.ts";
import { type JobSpec, type Jobs, openFolderStore, openJobs, placeIn, queueOf, type Store } from "../src/jobs/index.ts";
import { tiller } from "./fake-world.ts";
import { redisHere, type Server, startRedis } from "./fleet/servers.ts";
import { refusal } from "./refusal.ts";
import { skipped } from "./skipped.ts";

const without = skipped(redisHere(), "redis-server is not installed, so hostile jobs are not tested.");
const hash = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 20);
const unit = (name: string) => `pictures-${hash(name)}`;

describe.skipIf(without)("a worker", () => {
  let folder: string;
  let server: Server;
  let store: Store;
  let jobs: Jobs;
  let raw: Queue;
  let redis: Redis;
  let queue: string;
  let worker: ReturnType<typeof openExperimentWorker>;
  const warnings: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tiller-fleet-"));
    server = await startRedis();
    store = openFolderStore(join(folder, "store"));
    jobs = await openJobs(server.url, { onWarning: (warning) => warnings.push(warning), idle: 50 });
    const allowed = await allowedModels([embeddedModel]);
    queue = queueOf("draw", [...allowed.keys()][0]!);
    redis = new Redis(server.url, { maxRetriesPerRequest: null });
    raw = new Queue(queue, { connection: redis, prefix: "tiller" });
    worker = openExperimentWorker({ store, allowed });
    jobs.work([queue], worker.handler);
  });
  afterAll(async () => {
    await jobs.close();
    await worker.close();
    await raw.close();
    redis.disconnect();
    await server.end();
    await rm(folder, { recursive: true });
  });

  /** What became of a job that was put into Redis past Tiller. */
  const fate = async (id: string, data: unknown, kind = "draw") => {
    await raw.add(kind, data, { jobId: id });
    const state = async () => (await jobs.states([{ id, queue } as JobSpec])).get(id)?.state;
    await expect.poll(state, { interval: 20 }).toBe("failed");
    const { error } = (await jobs.states([{ id, queue }])).get(id)!;
    expect(error!.message).toMatch(/^[^\n]*\.$/);
    expect(error!.message).not.toContain(folder);
    return error;
  };
  /** A description of an experiment in the store, changed by somebody who knows how keys are made. */
  const forged = async (change: (plan: Plan) => unknown): Promise<string> => {
    const experiment = await wholeExperiment(
      parseExperiment({
        ...{ name: "own", personalisation: [{ method: "dreambooth", steps: 2, prior: false }] },
        ...{ guidance: [{ method: "cfg", scale: 2 }], prompts: ["snow"], pictures: 1, steps: 1 },
        concepts: ["red_teapot"],
      }),
    );
    const key = await sharePlan({ experiment, named: experiment, identities: await identitiesOf(experiment) }, store);
    const plan: Plan = JSON.parse(await readFile(join(placeIn(store.name, key), "plan.json"), "utf8"));
    const changed = change(plan);
    return publish(typeof changed === "string" ? changed : JSON.stringify(plan));
  };
  const publish = async (text: string, key = `plan-${hash(text)}`) => {
    const place = join(folder, key);
    await makeFolder(place);
    await writeFile(join(place, "plan.json"), text);
    await store.publish(key, place);
    return key;
  };

  test.each<[string, string, unknown, string, string?]>([
    ["a path as its name", "../../etc/passwd", { data: {} }, "id"],
    ["a path as its experiment", unit("path"), { data: { plan: "../../etc" } }, "names no experiment"],
    ["an option that there is not", unit("more"), { data: { plan: `plan-${hash("")}`, out: "/etc" } }, "no experiment"],
    ["3 KB", unit("long"), { data: { plan: "x".repeat(3000) } }, "2048"],
    ["nothing", unit("null"), null, "names no experiment"],
    ["a kind that there is not", unit("kind"), { data: {} }, "kind", "shell"],
  ])("refuses a job with %s", async (_, id, data, fact, kind) => {
    expect(await fate(id, data, kind)).toEqual(refusal("job-invalid", fact));
  });

  test("refuses a unit that its experiment does not have", async () => {
    const plan = await forged(() => {});
    expect(await fate(unit("strange"), { data: { plan } })).toEqual(refusal("job-invalid", unit("strange")));
  });

  const own = { name: "cat", class: "cat", live: true };
  test.each<[string, (plan: Plan) => unknown, string, string]>([
    ["is not JSON", () => "{", "store-damaged", "plan-"],
    ["has another form", (plan) => Object.assign(plan, { form: 2 }), "store-damaged", "plan-"],
    [
      "needs a model that is not allowed",
      ({ identities }) => Object.assign(identities, { model: "0".repeat(64) }),
      "model-not-allowed",
      "dinghy",
    ],
    [
      "names a folder of the worker",
      ({ experiment }) => Object.assign(experiment, { concepts: [{ ...own, images: "/etc" }] }),
      "store-damaged",
      "plan-",
    ],
    [
      "names a path as a key of the store",
      ({ experiment, files }) => {
        Object.assign(experiment, { concepts: [{ ...own, images: "/etc" }] });
        Object.assign(files, { "/etc": { key: "../../../etc" } });
      },
      "store-damaged",
      "plan-",
    ],
    [
      "asks for pictures of too many pixels",
      ({ experiment }) => Object.assign(experiment.personalisation[0]!, { resolution: 80_000 }),
      "work-too-large",
      "80000 pixels",
    ],
    [
      "asks for too many steps",
      ({ experiment }) => Object.assign(experiment, { pictures: 10_000, steps: 1000 }),
      "work-too-large",
      "10000000 steps",
    ],
  ])("refuses an experiment that %s", async (name, change, code, fact) => {
    const plan = await forged(change);
    expect(await fate(unit(name), { data: { plan } })).toEqual(refusal(code as "store-damaged", fact));
  });

  test("refuses what has other contents than its key or its list of files says, or leads elsewhere", async () => {
    const other = await publish("{}", `plan-${hash("another")}`);
    expect(await fate(unit("other"), { data: { plan: other } })).toEqual(refusal("store-damaged", other));
    for (const file of [
      { name: "plan.json", bytes: 2, sha256: "0".repeat(64) },
      { name: "../plan.json", bytes: 2, sha256: "0".repeat(64) },
      { name: "plan.json", bytes: 2 ** 40, sha256: "0".repeat(64) },
    ]) {
      const key = await publish("{}", `plan-${hash(JSON.stringify(file))}`);
      await writeFile(join(placeIn(store.name, key), ".manifest.json"), JSON.stringify({ files: [file] }));
      expect(await fate(unit(key), { data: { plan: key } })).toEqual(refusal("store-damaged", key));
    }
  });

  test("says why Redis refuses it, and shows the password nowhere", async () => {
    const refused = await openJobs(server.url.replace("//", "//tiller:s3cr3t@")).catch((error) => error);
    expect(refused).toEqual(refusal("queue-unreachable", "WRONGPASS"));
    expect(inspect(refused, { depth: null, showHidden: true })).not.toContain("s3cr3t");
  });

  test("and tiller queue go on, and no name in a queue reaches the terminal as it is", async () => {
    const clear = "\u001b[2J";
    await raw.add(clear, { data: {} }, { jobId: `${clear}1`, delay: 1e6 });
    const broken = await raw.add("draw", { data: {} }, { jobId: unit("broken"), delay: 1e6 });
    await redis.hset(`tiller:${queue}:${broken.id}`, "data", `{${clear}`);
    await redis.sadd("tiller:queues", `${clear}2`, "a:b");
    const failed = await raw.add("draw", { data: {} }, { jobId: unit("failed"), delay: 1e6 });
    await redis.hset(`tiller:${queue}:${failed.id}`, "failedReason", `constructor: ${clear}`);
    await redis.zrem(`tiller:${queue}:delayed`, failed.id!);
    await redis.zadd(`tiller:${queue}:failed`, Date.now(), failed.id!);
    for (const words of [["status"], ["status", "--json"], ["cancel", "--all"]]) {
      const { code, stdout, stderr } = await tiller(["queue", ...words, "--queue", server.url]);
      expect(code).toBe(0);
      expect(stdout + stderr).not.toContain("\u001b");
    }
    expect(warnings.filter((warning) => !warning.includes("none of Tiller's"))).toEqual([]);
  });
});

interface Plan {
  readonly identities: object;
  readonly files: object;
  readonly experiment: { readonly personalisation: readonly object[] };
}
