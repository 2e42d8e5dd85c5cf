/** The server's state as Prometheus reads it (text exposition format 0.0.4). */
import { type Job, jobStates } from "./jobs.ts";

interface Family {
  readonly name: string;
  readonly help: string;
  readonly samples: readonly (readonly [labels: string, value: number])[];
}

/**
 * Jobs by state, pictures and seconds of ended picture jobs, and the process's memory. Jobs that were deleted are not counted, so
 * these are gauges.
 *
 * @param memory Resident bytes.
 */
export function prometheusOf(jobs: readonly Job[], memory: number): string {
  const drawn = jobs.filter(
    ({ state, request, started, ended }) => state === "done" && "request" in request && started && ended,
  );
  const pictures = drawn.reduce((sum, job) => sum + job.pictures.length, 0);
  const seconds = drawn.reduce((sum, { started, ended }) => sum + (ended! - started!) / 1000, 0);
  const families: Family[] = [
    {
      name: "tiller_jobs",
      help: "Jobs by state.",
      samples: jobStates.map((state) => [`{state="${state}"}`, jobs.filter((job) => job.state === state).length]),
    },
    { name: "tiller_pictures", help: "Pictures of jobs that are done.", samples: [["", pictures]] },
    { name: "tiller_picture_seconds", help: "Seconds that these jobs ran.", samples: [["", seconds]] },
    { name: "tiller_resident_memory_bytes", help: "Resident memory of the server's process.", samples: [["", memory]] },
  ];
  return families
    .map(({ name, help, samples }) =>
      [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} gauge`,
        ...samples.map(([labels, value]) => `${name}${labels} ${value}`),
      ].join("\n"),
    )
    .join("\n")
    .concat("\n");
}
