/** One line of progress on standard error: redrawn in place on a terminal, else a plain line now and then. */
import { SingleBar } from "cli-progress";
import { shortBytes, shortTime } from "./printable.ts";
import type { World } from "./world.ts";

export interface Progress {
  /** Something long goes on; `share` of it, 0 to 1, is done, where that is known; `detail` stands in the place of a percentage. */
  doing(what: string, share?: number, detail?: string): void;
  /** A download: how much there is stands beside how much of it has come. */
  downloading(what: string, received: number, total: number): void;
  /** Steps are counted from the first call on: rate and time left follow. */
  steps(done: number, total: number, what: string, doing?: string): void;
  /** A line that stays. */
  note(line: string): void;
  /** Takes the line away. */
  end(): void;
}

/** Seconds between two lines where they can't be redrawn. */
const quiet = 10;

export function startProgress({ stderr }: Pick<World, "stderr">): Progress {
  const show = stderr.isTTY ? redrawn(stderr) : plain(stderr);
  let started: { at: number; done: number } | undefined;
  return {
    doing: (what, share, detail = share === undefined ? "" : `${Math.floor(share * 100)} %`) =>
      show.line(what, share, detail),
    downloading(what, received, total) {
      const share = total > 0 ? Math.min(1, received / total) : 1;
      show.line(what, share, `${Math.floor(share * 100)} % of ${shortBytes(total)}`);
    },
    steps(done, total, what, doing = "generating") {
      const now = performance.now();
      // The first step also builds and warms up: where there is another one, it alone tells the rate.
      started ??= { at: now, done };
      const rate = (now - started.at) / 1000 / (done - started.done);
      const timing = done > started.done ? `, ${shortRate(rate)}, ${shortTime(rate * (total - done))} left` : "";
      show.line(doing, done / total, `${what}${timing}`);
    },
    note(line) {
      show.clear();
      stderr.write(`${line}\n`);
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
  let last = { what: "", at: Number.NEGATIVE_INFINITY };
  return {
    line(what, _share, detail) {
      const now = performance.now();
      if (what === last.what && now - last.at < quiet * 1000) return;
      last = { what, at: now };
      stream.write(`${what}${detail === "" ? "" : `: ${detail}`}\n`);
    },
    clear() {},
  };
}

/** Fast steps by the second, slow ones in seconds. */
function shortRate(secondsPerStep: number): string {
  return secondsPerStep < 1 ? `${(1 / secondsPerStep).toFixed(1)} steps/s` : `${secondsPerStep.toFixed(1)} s/step`;
}
