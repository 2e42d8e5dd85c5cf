/** Workers of the embedded engine in processes of their own, which are told their jobs over IPC. */
import { type ChildProcess, fork } from "node:child_process";
import { TillerError } from "../errors/index.ts";
import { errorFrom } from "./error-from-text.ts";
import { errorText, type Handler, type JobProgress, type JobSpec } from "./job.ts";

type Order = { readonly init: unknown } | { readonly job: JobSpec } | { readonly abort: true };
type Report =
  | { readonly progress: JobProgress }
  | { readonly next: readonly JobSpec[] | undefined }
  | { readonly failed: string; readonly aborted: boolean };

/** Milliseconds that an aborted job may take to end, before its process is killed. */
const patience = 60_000;

export interface ForkedWorker {
  readonly handler: Handler;
  /** Ends the process. */
  close(): Promise<void>;
}

/**
 * A handler that does its jobs in a process that runs `script`, which calls {@link serveParent}. The process is started for the
 * first job, and again if it ended.
 */
export function forkWorker(script: string, init: unknown): ForkedWorker {
  let child: ChildProcess | undefined;
  const started = (): ChildProcess => {
    if (child?.connected) return child;
    child = fork(script, [], { execArgv: [], stdio: ["ignore", "ignore", "inherit", "ipc"] });
    child.send({ init } satisfies Order);
    return child;
  };
  return {
    handler: (job, { signal, progress }) => {
      const own = started();
      return new Promise((done, fail) => {
        let killing: NodeJS.Timeout | undefined;
        const abort = () => {
          if (own.connected) own.send({ abort: true } satisfies Order);
          killing = setTimeout(() => own.kill("SIGKILL"), patience);
        };
        const hear = (report: Report) => {
          if ("progress" in report) return progress(report.progress);
          end();
          if ("next" in report) done({ next: report.next });
          else fail(report.aborted && signal.aborted ? signal.reason : errorFrom(report.failed));
        };
        const ended = (code: number | null, by: NodeJS.Signals | null) => {
          end();
          const how = by === null ? `with code ${code}` : `by ${by}`;
          fail(new TillerError("worker-ended", `a worker process ended ${how} while it did the job ${job.id}.`));
        };
        const end = () => {
          clearTimeout(killing);
          signal.removeEventListener("abort", abort);
          own.off("message", hear).off("exit", ended);
        };
        signal.addEventListener("abort", abort, { once: true });
        own.on("message", hear).on("exit", ended);
        own.send({ job } satisfies Order);
        if (signal.aborted) abort();
      });
    },
    async close() {
      const own = child;
      if (!own || own.exitCode !== null || own.signalCode !== null) return;
      const over = new Promise((done) => own.once("exit", done));
      own.disconnect();
      await over;
    },
  };
}

/** Serves the process that forked this one, until that ends the connection or itself. */
export function serveParent(
  open: (init: unknown) => Promise<{ readonly handler: Handler; close(): Promise<void> }>,
): void {
  let opened: ReturnType<typeof open> | undefined;
  let running: { readonly abort: AbortController; readonly over: Promise<void> } | undefined;
  const send = (report: Report) => {
    if (process.connected) process.send!(report);
  };
  const perform = async (job: JobSpec, abort: AbortController) => {
    try {
      const { handler } = await opened!;
      const { next } = await handler(job, { signal: abort.signal, progress: (progress) => send({ progress }) });
      send({ next });
    } catch (error) {
      send({ failed: errorText(error), aborted: abort.signal.aborted });
    }
  };
  process.on("message", (order: Order) => {
    if ("init" in order) {
      opened = open(order.init);
      opened.catch(() => {});
    } else if ("job" in order) {
      const abort = new AbortController();
      running = { abort, over: perform(order.job, abort) };
    } else running?.abort.abort(new Error("aborted"));
  });
  // Ctrl-C reaches the whole group of processes; the parent decides.
  process.on("SIGINT", () => {});
  process.on("disconnect", async () => {
    running?.abort.abort(new Error("the parent ended"));
    await running?.over;
    await opened?.then(({ close }) => close()).catch(() => {});
    process.exit();
  });
}
