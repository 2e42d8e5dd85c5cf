#!/usr/bin/env node
/** The `tiller` command: ties the command line to this process. */
import { Pipeline, probeDevice } from "../index.ts";
import { run } from "./run.ts";

const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    if (interruption.signal.aborted) process.exit(130);
    interruption.abort();
  });
}
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // The reader has gone (`tiller inspect … | head`): what is left to say is dropped, the work goes on.
    if (error.code !== "EPIPE") throw error;
  });
}

process.exitCode = await run(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interruption.signal,
  loadPipeline: Pipeline.load,
  probeDevice,
});
