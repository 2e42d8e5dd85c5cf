/** What outlives a reload, and what follows a job. */
import { useCallback, useEffect, useState } from "react";
import { isOver, type Job, jobOf, NotFound } from "./api.ts";

/** State kept in the browser under a name. */
export function useKept<T>(name: string, usual: T): [T, (value: T | ((before: T) => T)) => void] {
  const key = `tiller.${name}`;
  const [value, setValue] = useState<T>(() => {
    try {
      const kept = JSON.parse(localStorage.getItem(key) ?? "null") as T | null;
      if (kept === null) return usual;
      return typeof usual === "object" && usual !== null && !Array.isArray(usual) ? { ...usual, ...kept } : kept;
    } catch {
      return usual;
    }
  });
  useEffect(() => {
    localStorage.setItem(key, JSON.stringify(value));
  }, [key, value]);
  return [value, setValue];
}

export interface Followed {
  readonly job: Job | undefined;
  /** The server does not answer at the moment. */
  readonly lost: boolean;
  readonly follow: (id: string) => void;
}

/** Milliseconds between two looks at a waiting job's place. */
const patience = 2000;

/** A job by its id as it changes, whichever page asked for it; it survives reloads, and a server that is away for a while. */
export function useJob(name: string): Followed {
  const [id, setId] = useKept<string | null>(`job.${name}`, null);
  const [job, setJob] = useState<Job>();
  const [lost, setLost] = useState(false);
  useEffect(() => {
    setJob(undefined);
    setLost(false);
    if (id === null) return;
    // The stream's first event is the job as it is now; it takes up again by itself after the server was away.
    const events = new EventSource(`/api/jobs/${id}/events`);
    events.addEventListener("job", (event) => {
      const now = JSON.parse((event as MessageEvent<string>).data) as Job;
      setJob(now);
      setLost(false);
      if (isOver(now)) events.close();
    });
    events.addEventListener("error", () => {
      setLost(true);
      if (events.readyState !== EventSource.CLOSED) return;
      jobOf(id).catch((error) => {
        if (error instanceof NotFound) setId(null);
      });
    });
    return () => events.close();
  }, [id, setId]);

  // A job that waits is not told when those before it end.
  const waits = job?.state === "queued";
  useEffect(() => {
    if (!waits || id === null) return;
    const look = () =>
      jobOf(id).then(
        (now) => setJob((before) => (before?.state === "queued" && now.state === "queued" ? now : before)),
        () => {},
      );
    const timer = setInterval(look, patience);
    return () => clearInterval(timer);
  }, [waits, id]);

  const follow = useCallback((next: string) => setId(next), [setId]);
  return { job, lost, follow };
}

/** Something the server has, asked for again whenever `key` changes; or why it cannot be had. */
export function useAsked<T>(ask: () => Promise<T>, key: unknown): { value: T | undefined; problem: Error | undefined } {
  const [state, setState] = useState<{ value: T | undefined; problem: Error | undefined }>({
    value: undefined,
    problem: undefined,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key says when to ask again.
  useEffect(() => {
    let gone = false;
    ask().then(
      (value) => !gone && setState({ value, problem: undefined }),
      (problem: Error) => !gone && setState(({ value }) => ({ value, problem })),
    );
    return () => {
      gone = true;
    };
  }, [key]);
  return state;
}
