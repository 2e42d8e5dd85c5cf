/** Training that another worker continues: its state is in the store while it runs, and after it was stopped. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { TillerError } from "../index.ts";
import { exists, makeFolder, runFolderOf } from "../internal.ts";
import { digestOf, type Store, withCopies } from "../jobs/index.ts";
import type { DataFolder } from "./data-folder.ts";
import type { TrainingJobRequest } from "./jobs.ts";
import type { Order } from "./order.ts";
import { type RunJob, runOf } from "./run-job.ts";

/** Milliseconds between copies into the store. */
const every = 60_000;

/** What training continues from. */
const files = ["checkpoint.safetensors", "log.jsonl"] as const;

/** The same, with its state in the store: the same request with the same pictures and model continues it. */
export function withCheckpoint(
  run: RunJob,
  request: TrainingJobRequest,
  { models, uploads }: Pick<Order, "models" | "uploads">,
  data: DataFolder,
  store: Store,
): RunJob {
  const { upload, ...asked } = request;
  const digest = digestOf(JSON.stringify([asked, models, uploads[upload]]));
  const [checkpoint, classImages] = [`checkpoint-${digest}`, `drawn-${digest}`];
  const folder = runFolderOf(runOf(request, data).run);
  const drawn = join(folder, "class");
  let [given, givenClass] = [performance.now(), false];

  async function bring(): Promise<boolean> {
    if (await store.has(classImages)) {
      await store.fetch(classImages, drawn);
      givenClass = true;
    }
    if (!(await store.has(checkpoint))) return false;
    await store.fetch(checkpoint, folder);
    return true;
  }
  async function give(): Promise<void> {
    given = performance.now();
    if (!(await exists(join(folder, files[0])))) return;
    if (!givenClass && (await exists(drawn))) {
      const names = (await readdir(drawn)).filter((name) => !name.startsWith("."));
      const all = Object.fromEntries(names.map((name) => [name, join(drawn, name)]));
      await withCopies(all, (copies) => store.publish(classImages, copies));
      givenClass = true;
    }
    const all = Object.fromEntries(files.map((name) => [name, join(folder, name)]));
    await withCopies(all, (copies) => store.replace(checkpoint, copies));
  }

  return async (job, change, signal) => {
    let giving: Promise<void> | undefined;
    const attempt = () =>
      run(
        job,
        (changes) => {
          change(changes);
          if (giving || performance.now() - given < every) return;
          // Training goes on if the store is away.
          giving = give()
            .catch(() => {})
            .finally(() => {
              giving = undefined;
            });
        },
        signal,
      );
    const brought = await bring();
    let outcome: Awaited<ReturnType<RunJob>>;
    try {
      outcome = await attempt().catch(async (error: unknown) => {
        const foreign =
          error instanceof TillerError && (error.code === "resume-mismatch" || error.code === "checkpoint-invalid");
        if (!brought || !foreign || signal.aborted) throw error;
        // It was made under another name of the model: begin anew.
        await rm(folder, { recursive: true, force: true });
        await makeFolder(folder);
        return attempt();
      });
    } catch (error) {
      await giving;
      if (signal.aborted) await give().catch(() => {});
      throw error;
    }
    await giving;
    for (const key of [checkpoint, classImages]) await store.remove(key);
    return outcome;
  };
}
