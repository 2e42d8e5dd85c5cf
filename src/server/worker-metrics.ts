/** A worker's own /metrics for Prometheus. */
import { Hono } from "hono";
import { TillerError } from "../index.ts";
import type { JobKind } from "../jobs/index.ts";
import { listen } from "./listen.ts";
import { answerWith, type Family, residentMemory } from "./prometheus.ts";

const outcomes = ["done", "failed", "stopped"] as const;
export type Outcome = (typeof outcomes)[number];

export interface WorkerMetrics {
  /** Where they are. */
  readonly url: string;
  /** Counts a job that begins; what it returns counts its end and the pictures that it drew. */
  begins(kind: JobKind): (outcome: Outcome, pictures: number) => void;
  close(): Promise<void>;
}

/** What a worker has done of one kind of job. */
interface Totals extends Record<Outcome, number> {
  running: number;
  pictures: number;
  seconds: number;
}

/**
 * Serves /metrics at `address`: a port of this machine alone, or host:port.
 *
 * @throws TillerError if that is no address, or is taken.
 */
export async function openWorkerMetrics(address: string, kinds: readonly JobKind[]): Promise<WorkerMetrics> {
  const [, host = "127.0.0.1", port] = /^(?:(.+):)?(\d+)$/.exec(address) ?? [];
  if (port === undefined)
    throw new TillerError("address-invalid", `--metrics ${address} must be a port or host:port, as in 9464.`);
  const all = new Map<JobKind, Totals>();
  for (const kind of kinds) all.set(kind, { running: 0, done: 0, failed: 0, stopped: 0, pictures: 0, seconds: 0 });

  const ofEach = (name: string, help: string, type: Family["type"], of: keyof Totals): Family => ({
    ...{ name, help, type },
    samples: [...all].map(([kind, totals]) => [`{kind="${kind}"}`, totals[of]]),
  });
  const app = new Hono().get("/metrics", (c) =>
    answerWith(c, [
      ofEach("tiller_worker_running", "Jobs that it does now.", "gauge", "running"),
      {
        ...{ name: "tiller_worker_jobs_total", help: "Jobs that ended.", type: "counter" },
        samples: [...all].flatMap(([kind, totals]) =>
          outcomes.map((outcome) => [`{kind="${kind}",outcome="${outcome}"}`, totals[outcome]] as const),
        ),
      },
      ofEach("tiller_worker_pictures_total", "Pictures that jobs drew.", "counter", "pictures"),
      ofEach("tiller_worker_seconds_total", "Seconds that jobs took.", "counter", "seconds"),
      residentMemory(process.memoryUsage.rss()),
    ]),
  );
  const listening = await listen(app.fetch, host, Number(port), { port: "--metrics", host: "--metrics" });
  return {
    url: `${listening.url}metrics`,
    begins(kind) {
      const began = performance.now();
      const totals = all.get(kind)!;
      totals.running++;
      return (outcome, pictures) => {
        totals.running--;
        totals[outcome]++;
        totals.pictures += pictures;
        totals.seconds += (performance.now() - began) / 1000;
      };
    },
    close: listening.end,
  };
}
