/** The run's log: one JSON object per step, and the loss curve drawn from it. */
import { z } from "zod";
import { appendText, exists } from "#bytes";
import { readText } from "../../bytes/json-file.ts";
import { writeWhole } from "../../bytes/write-whole.ts";
import type { StepDone } from "../optimise/optimise.ts";
import { lossPlot } from "./loss-plot.ts";

/** The largest log in bytes: enough for a million steps. */
const longest = 1 << 30;

export interface LossLog {
  /** @throws TillerError if the file cannot be written. */
  add(done: StepDone & { readonly seconds: number }): Promise<void>;
  /** Writes the curve as an SVG file. */
  draw(file: string): Promise<void>;
}

/** Opens the log, keeping only the lines of the first `step` steps. */
export async function openLossLog(file: string, step: number): Promise<LossLog> {
  const entries = (await readLossLog(file)).filter((entry) => entry.step <= step);
  await writeWhole(file, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
  return {
    async add(done) {
      entries.push(done);
      await appendText(file, `${JSON.stringify(done)}\n`);
    },
    draw: (svg) => writeWhole(svg, lossPlot(entries)),
  };
}

/** The steps of a log; none if there is no log. */
export async function readLossLog(file: string): Promise<{ step: number; loss: number }[]> {
  const lines = (await exists(file)) ? (await readText(file, longest)).split("\n") : [];
  return lines.map(parsed).filter((entry) => entry !== undefined);
}

const entry = z.looseObject({ step: z.number(), loss: z.number() });

/** Undefined for a line cut short by a killed run. */
function parsed(line: string): { step: number; loss: number } | undefined {
  try {
    return entry.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
