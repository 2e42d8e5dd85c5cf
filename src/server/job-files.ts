/** Jobs on disk, as an earlier server left them. */
import { readdir, readFile } from "node:fs/promises";
import { withoutPlaces } from "./answer.ts";
import type { DataFolder } from "./data-folder.ts";
import { type Job, jobSchema } from "./jobs.ts";

/** The most starts of one job by the server itself; one that crashed it each time is not retried. */
const mostStarts = 3;

/** A job that the server was doing itself when it ended, or that waited. */
export function takenUp(job: Job): Job {
  // Training resumes from its checkpoint and keeps its samples; drawing starts over.
  const pictures = job.request.kind === "training" ? job.pictures : [];
  if (job.starts < mostStarts) return { ...job, state: "queued", pictures, progress: undefined };
  return {
    ...job,
    state: "failed",
    ended: Date.now(),
    code: "job-failed",
    error: `the server crashed ${mostStarts} times while this job ran.`,
  };
}

/** The jobs that an earlier server kept, oldest first. */
export async function readJobs(data: DataFolder): Promise<Job[]> {
  const jobs: Job[] = [];
  for (const name of await readdir(data.jobs)) {
    const id = name.slice(0, -5);
    // Ignore other files, such as a user's copy of a job.
    if (!name.endsWith(".json") || !jobSchema.shape.id.safeParse(id).success) continue;
    // Jobs that are damaged or from an incompatible version are not run again.
    const parsed = jobSchema.safeParse(fromJson(await readFile(data.job(id), "utf8")));
    if (parsed.success && parsed.data.id === id) jobs.push(withoutOldWords(parsed.data));
  }
  return jobs.sort((a, b) => a.created - b.created || a.id.localeCompare(b.id));
}

/** Failures without a code come from versions that showed clients the raw error message. */
function withoutOldWords(job: Job): Job {
  const warnings = job.warnings.map((warning) => withoutPlaces(warning));
  if (job.state !== "failed" || job.code !== undefined || job.defect) return { ...job, warnings };
  return {
    ...job,
    warnings,
    code: "job-failed",
    error: "the job failed under an earlier version of Tiller: send it again.",
  };
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
