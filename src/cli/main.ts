#!/usr/bin/env node
/** The `tiller` command: ties the command line to this process. */
import { Pipeline, probeDevice, train } from "../index.ts";
import { interruptionOf } from "./interruption.ts";
import { run } from "./run.ts";

for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // The reader has gone (`tiller inspect … | head`): what is left to say is dropped, the work goes on.
    if (error.code !== "EPIPE") throw error;
  });
}

process.exitCode = await run(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interruptionOf(process),
  loadPipeline: Pipeline.load,
  train,
  probeDevice,
});
// Interrupted while a model was loading: that work would keep the process until it is through.
if (process.exitCode === 130) process.stdout.write("", () => process.exit());
