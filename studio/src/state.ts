/** What outlives a reload, and what follows a job. */
import { useCallback, useEffect, useRef, useState } from "react";
import { isOver, type Job, jobOf, NotFound, NotSignedIn } from "./api.ts";

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
  const latest = useRef(value);
  // Kept at once, not when the page is next drawn: it may have been left by then.
  const keep = useCallback(
    (next: T | ((before: T) => T)) => {
      latest.current = typeof next === "function" ? (next as (before: T) => T)(latest.current) : next;
      try {
        localStorage.setItem(key, JSON.stringify(latest.current));
      } catch {
        // A browser that keeps nothing shows the page all the same.
      }
      setValue(latest.current);
    },
    [key],
  );
  return [value, keep];
}

/** Work that is not begun a second time before it has ended. */
export function useOneAtATime(): {
  readonly busy: boolean;
  readonly alone: (work: () => Promise<void>) => Promise<void>;
} {
  const [busy, setBusy] = useState(false);
  const at = useRef(false);
  const alone = useCallback(async (work: () => Promise<void>) => {
    if (at.current) return;
    at.current = true;
    setBusy(true);
    try {
      await work();
    } finally {
      at.current = false;
      setBusy(false);
    }
  }, []);
  return { busy, alone };
}

export interface Followed {
  readonly job: Job | undefined;
  /** Why nothing is heard of it at the moment; empty while there is. */
  readonly lost: string;
  readonly follow: (id: string) => void;
}

/** Milliseconds between two looks at a waiting job's place, or for a server that went away. */
const patience = 2000;

/** A job by its id as it changes, whichever page asked for it; it survives reloads, and a server that is away for a while. */
export function useJob(name: string): Followed {
  const [id, setId] = useKept<string | null>(`job.${name}`, null);
  const [job, setJob] = useState<Job>();
  const [lost, setLost] = useState("");
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    if (attempt === 0) setJob(undefined);
    if (id === null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    // The stream's first event is the job as it is now; it takes up again by itself after the server was away.
    const events = new EventSource(`/api/jobs/${id}/events`);
    events.addEventListener("job", (event) => {
      const now = JSON.parse((event as MessageEvent<string>).data) as Job;
      setJob(now);
      setLost("");
      if (isOver(now)) events.close();
    });
    events.addEventListener("error", () => {
      setLost("the server does not answer; waiting for it");
      if (events.readyState !== EventSource.CLOSED) return;
      jobOf(id).then(
        () => setAttempt((before) => before + 1),
        (error) => {
          if (error instanceof NotFound) return setId(null);
          if (error instanceof NotSignedIn) setLost(error.message);
          timer = setTimeout(() => setAttempt((before) => before + 1), patience);
        },
      );
    });
    return () => {
      events.close();
      clearTimeout(timer);
    };
  }, [id, setId, attempt]);

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

  const follow = useCallback(
    (next: string) => {
      setAttempt(0);
      setLost("");
      setId(next);
    },
    [setId],
  );
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
