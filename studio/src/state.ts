/** What outlives a reload, and what follows a job. */
import { useCallback, useEffect, useState } from "react";
import { isOver, type Job, jobOf } from "./api.ts";

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

/** A job by its id as it changes, whichever page asked for it; it survives reloads. */
export function useJob(name: string): {
  job: Job | undefined;
  follow: (id: string | undefined) => void;
} {
  const [id, setId] = useKept<string | null>(`job.${name}`, null);
  const [job, setJob] = useState<Job>();
  useEffect(() => {
    setJob(undefined);
    if (id === null) return;
    let gone = false;
    jobOf(id).then(
      (found) => !gone && setJob(found),
      () => !gone && setId(null),
    );
    const events = new EventSource(`/api/jobs/${id}/events`);
    events.addEventListener("job", (event) => {
      const now = JSON.parse((event as MessageEvent<string>).data) as Job;
      setJob(now);
      if (isOver(now)) events.close();
    });
    return () => {
      gone = true;
      events.close();
    };
  }, [id, setId]);
  const follow = useCallback((next: string | undefined) => setId(next ?? null), [setId]);
  return { job, follow };
}

/** Something the server has, asked for again whenever `key` changes. */
export function useAsked<T>(ask: () => Promise<T>, key: unknown): T | undefined {
  const [value, setValue] = useState<T>();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key says when to ask again.
  useEffect(() => {
    let gone = false;
    ask().then(
      (found) => !gone && setValue(found),
      () => {},
    );
    return () => {
      gone = true;
    };
  }, [key]);
  return value;
}
