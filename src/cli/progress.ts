/** One line of progress on standard error: redrawn in place on a terminal, else a plain line now and then. */
import { SingleBar } from "cli-progress";
import type { Pace } from "../index.ts";
import { paceText } from "../internal.ts";
import { printable, shortBytes } from "./printable.ts";
import type { World } from "./world.ts";

export interface Progress {
  /** Shows an operation with the `share` done, 0 to 1, if known; `detail` replaces the percentage. */
  doing(what: string, share?: number, detail?: string): void;
  /** The same with steps, rate and time left. */
  steps(what: string, pace: Pace, detail?: string): void;
  /** A download, with its size and the bytes received. */
  downloading(what: string, received: number, total: number): void;
  /** A line that stays. */
  note(line: string): void;
  /** Clears the line. */
  end(): void;
}

/** Seconds between lines that cannot be redrawn, and before the first: short work needs none. */
const quiet = 10;

export function startProgress({ stderr }: Pick<World, "stderr">): Progress {
  const shown = stderr.isTTY ? redrawn(stderr) : plain(stderr);
  // A worker's words come from a queue.
  const show: Display = {
    line: (what, share, detail) => shown.line(printable(what), share, printable(detail)),
    clear: () => shown.clear(),
  };
  return {
    doing: (what, share, detail = share === undefined ? "" : `${Math.floor(share * 100)} %`) =>
      show.line(what, share, detail),
    // Details come last, because a narrow terminal cuts the end.
    steps: (what, pace, detail) =>
      show.line(what, pace.done / pace.total, detail ? `${paceText(pace)}, ${detail}` : paceText(pace)),
    downloading(what, received, total) {
      const share = total > 0 ? Math.min(1, received / total) : 1;
      show.line(what, share, `${Math.floor(share * 100)} % of ${shortBytes(total)}`);
    },
    note(line) {
      show.clear();
      stderr.write(`${printable(line)}\n`);
    },
    end: () => show.clear(),
  };
}

interface Display {
  line(what: string, share: number | undefined, detail: string): void;
  clear(): void;
}

function redrawn(stream: NodeJS.WritableStream): Display {
  let bar: SingleBar | undefined;
  return {
    line(what, share, detail) {
      const payload = { what, detail };
      if (!bar) {
        bar = new SingleBar({
          stream,
          format: "{what} {bar} {detail}",
          barsize: 24,
          barCompleteChar: "\u2588",
          barIncompleteChar: "\u2591",
          clearOnComplete: true,
          gracefulExit: false,
          emptyOnZero: true,
        });
        bar.start(1, share ?? 0, payload);
      } else {
        bar.update(share ?? 0, payload);
      }
    },
    clear() {
      bar?.stop();
      bar = undefined;
    },
  };
}

function plain(stream: NodeJS.WritableStream): Display {
  let last = performance.now();
  return {
    line(what, _share, detail) {
      const now = performance.now();
      if (now - last < quiet * 1000) return;
      last = now;
      stream.write(`${what}${detail === "" ? "" : `: ${detail}`}\n`);
    },
    clear() {},
  };
}
