/** BullMQ's connection to a server, of either kind. */
import type { Queue, QueueEvents, Worker, WorkerOptions } from "bullmq";

/** Keys on Redis begin with this word and a colon, and tables on PostgreSQL are in the schema of this name. */
export const namespace = "tiller";

export interface BullConnection {
  queue(name: string): Queue;
  /** A worker that fetches only when it is told to. */
  worker(name: string, options: Partial<WorkerOptions>): Worker;
  /** A listener that begins when it is told to. */
  events(name: string): QueueEvents;
  /** Remembers that a queue is used. */
  remember(names: readonly string[]): Promise<void>;
  /** The queues that were ever used. */
  names(): Promise<string[]>;
  /** What is dangerous about the server's configuration, one sentence each. */
  readonly warnings: readonly string[];
  close(): Promise<void>;
}
