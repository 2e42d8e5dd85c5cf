import { rows } from "./row.ts";

export const jobErrors = rows({
  "job-invalid": {
    kind: "usage",
    what: "A job, or a key of the store, does not have the expected form.",
    why: "It was put into the queue by another program or another version of Tiller, or its data is too long.",
    fix: "Use the same version of Tiller everywhere, and a Redis user or database that only Tiller writes to.",
  },
  "connection-insecure": {
    kind: "usage",
    what: "The connection to a queue or a store on another machine is not encrypted.",
    why: "Anyone on the way could read the password and add jobs.",
    fix: "Use `rediss://`, `sslmode=verify-full` or `https://`; in a network that you trust, `--insecure-queue`.",
  },
  "queue-unreachable": {
    kind: "failed",
    what: "The queue's server cannot be used.",
    why: "It is not running, the address or the password is wrong, or its user may not do what is needed; the message says which.",
    fix: "Start it, or correct the address in `TILLER_QUEUE` or `--queue`; docs/fleet.md has the rights that are needed.",
  },
  "queue-needed": {
    kind: "usage",
    what: "The command needs a queue or a store.",
    why: "Workers on other machines meet at a server and a store.",
    fix: "Name them with `--queue` and `--store`, or in `TILLER_QUEUE` and `TILLER_STORE`.",
  },
  "package-missing": {
    kind: "failed",
    what: "An optional package is not installed.",
    why: "Queues on Redis or PostgreSQL and stores on S3 need packages that nothing else needs.",
    fix: "Run the `npm install` in the message.",
  },
  "store-refused": {
    kind: "failed",
    what: "The store's server refused a request, or does not answer.",
    why: "The credentials, the bucket or the region is wrong, or the server is away; the message has its own code.",
    fix: "Check `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION` and the address.",
  },
  "store-damaged": {
    kind: "failed",
    what: "A result in the store is damaged: a file is missing or has another hash.",
    why: "It was changed or cut short outside Tiller.",
    fix: "Remove the result that the message names: it is made again.",
  },
  "result-missing": {
    kind: "failed",
    what: "A result that should be in the store is not.",
    why: "It was removed while a job needed it.",
    fix: "Run the experiment again: what is missing is made.",
  },
  "model-not-allowed": {
    kind: "failed",
    what: "A job needs a model or encoders that this worker may not open.",
    why: "A worker opens only what it was started with.",
    fix: "Start the worker with `--allow-model` and the same files.",
  },
  "worker-ended": {
    kind: "failed",
    what: "A worker process ended while it did a job.",
    why: "It was killed, usually for lack of memory.",
    fix: "Use fewer workers, a smaller size or fewer pictures at once.",
  },
});
