/** The run's log: one JSON object a step, and the curve drawn from them. */
import { z } from "zod";
import { appendText, exists } from "#bytes";
import { readText } from "../../bytes/json-file.ts";
import { writeWhole } from "../../bytes/write-whole.ts";
import type { StepDone } from "../optimise/optimise.ts";
import { lossPlot } from "./loss-plot.ts";

/** Bytes of a log: of a million steps. */
const longest = 1 << 30;

export interface LossLog {
  /** @throws TillerError if the disk or the folder refuses. */
  add(done: StepDone & { readonly seconds: number }): Promise<void>;
  /** Writes the curve as an SVG file. */
  draw(file: string): Promise<void>;
}

/** Opens the log, keeping the lines of the first `step` steps and no others. */
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

/** The steps of a log; none if it is not there. */
export async function readLossLog(file: string): Promise<{ step: number; loss: number }[]> {
  const lines = (await exists(file)) ? (await readText(file, longest)).split("\n") : [];
  return lines.map(parsed).filter((entry) => entry !== undefined);
}

const entry = z.looseObject({ step: z.number(), loss: z.number() });

/** A line cut short by a killed run is no entry. */
function parsed(line: string): { step: number; loss: number } | undefined {
  try {
    return entry.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
