/** Numbers as Prometheus reads them (text exposition format 0.0.4). */
import type { Context } from "hono";
import { type Job, jobStates } from "./jobs.ts";

export interface Family {
  readonly name: string;
  readonly help: string;
  /** Counters only grow, and begin anew with the process. */
  readonly type: "gauge" | "counter";
  readonly samples: readonly (readonly [labels: string, value: number])[];
}

/** The answer to a request for /metrics. */
export const answerWith = (c: Context, families: readonly Family[]): Response =>
  c.text(expositionOf(families), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });

const expositionOf = (families: readonly Family[]): string =>
  families
    .map(({ name, help, type, samples }) =>
      [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} ${type}`,
        ...samples.map(([labels, value]) => `${name}${labels} ${value}`),
      ].join("\n"),
    )
    .join("\n")
    .concat("\n");

/** @param bytes Resident bytes of this process. */
export const residentMemory = (bytes: number): Family => ({
  name: "tiller_resident_memory_bytes",
  help: "Resident memory of the process.",
  type: "gauge",
  samples: [["", bytes]],
});

/**
 * Jobs by state, pictures and seconds of ended picture jobs, and the process's memory. Jobs that were deleted are not counted, so
 * these are gauges.
 *
 * @param memory Resident bytes.
 */
export function familiesOf(jobs: readonly Job[], memory: number): Family[] {
  const drawn = jobs.filter(
    ({ state, request, started, ended }) => state === "done" && "request" in request && started && ended,
  );
  const pictures = drawn.reduce((sum, job) => sum + job.pictures.length, 0);
  const seconds = drawn.reduce((sum, { started, ended }) => sum + (ended! - started!) / 1000, 0);
  const type = "gauge";
  return [
    {
      name: "tiller_jobs",
      help: "Jobs by state.",
      type,
      samples: jobStates.map((state) => [`{state="${state}"}`, jobs.filter((job) => job.state === state).length]),
    },
    { name: "tiller_pictures", help: "Pictures of jobs that are done.", type, samples: [["", pictures]] },
    { name: "tiller_picture_seconds", help: "Seconds that these jobs ran.", type, samples: [["", seconds]] },
    residentMemory(memory),
  ];
}
