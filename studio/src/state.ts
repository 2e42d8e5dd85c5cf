/** State that survives reloads, and hooks that follow jobs. */
import { useCallback, useEffect, useRef, useState } from "react";
import type { ApiError, Job } from "tillerjs/client";
import { tiller } from "./tiller.ts";

/** State stored in the browser under a name. */
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
  // Stored at once, not on the next render, because the page may be left before that.
  const keep = useCallback(
    (next: T | ((before: T) => T)) => {
      latest.current = typeof next === "function" ? (next as (before: T) => T)(latest.current) : next;
      try {
        localStorage.setItem(key, JSON.stringify(latest.current));
      } catch {
        // The page works without browser storage, too.
      }
      setValue(latest.current);
    },
    [key],
  );
  return [value, keep];
}

/** Runs work only if it is not already running. */
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
  /** Why there are no updates at the moment; empty if there are. */
  readonly lost: string;
  readonly follow: (id: string) => void;
}

/** Milliseconds between polls of a waiting job's position, or of an unreachable server. */
const patience = 2000;

/** Follows a job across pages, reloads and temporary server outages. */
export function useJob(name: string): Followed {
  const [id, setId] = useKept<string | null>(`job.${name}`, null);
  const [job, setJob] = useState<Job>();
  const [lost, setLost] = useState("");
  useEffect(() => {
    setJob(undefined);
    setLost("");
    if (id === null) return;
    const gone = new AbortController();
    const watch = async (): Promise<void> => {
      try {
        for await (const now of tiller.jobs.watch(id, { signal: gone.signal })) {
          if (gone.signal.aborted) return;
          setJob(now);
          setLost("");
        }
      } catch (error) {
        if (gone.signal.aborted) return;
        const { status, message } = error as ApiError;
        if (status === 404) return setId(null);
        setLost(status === 401 ? message : "the server does not answer; retrying");
        setTimeout(watch, patience);
      }
    };
    void watch();
    return () => gone.abort();
  }, [id, setId]);

  // A waiting job gets no event when those before it end.
  const waits = job?.state === "queued";
  useEffect(() => {
    if (!waits || id === null) return;
    const look = () =>
      tiller.jobs.get(id).then(
        (now) => setJob((before) => (before?.state === "queued" && now.state === "queued" ? now : before)),
        () => {},
      );
    const timer = setInterval(look, patience);
    return () => clearInterval(timer);
  }, [waits, id]);

  const follow = useCallback(
    (next: string) => {
      setLost("");
      setId(next);
    },
    [setId],
  );
  return { job, lost, follow };
}

/** A value from the server, requested again whenever `key` changes, or the error. */
export function useAsked<T>(ask: () => Promise<T>, key: unknown): { value: T | undefined; problem: Error | undefined } {
  const [state, setState] = useState<{ value: T | undefined; problem: Error | undefined }>({
    value: undefined,
    problem: undefined,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key says when to request again.
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
