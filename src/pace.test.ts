import { expect, test } from "vitest";
import { paceOf } from "./pace.ts";

/** A manual clock, in seconds. */
const clock = () => {
  let seconds = 0;
  return {
    now: () => seconds * 1000,
    pass(more: number) {
      seconds += more;
    },
  };
};

test("no times are given before steps were timed; the first step is not timed, as it warms up", () => {
  const { now, pass } = clock();
  const at = paceOf({ drawing: { steps: 10, weight: 1 } }, now);
  pass(30);
  expect(at("drawing", 1)).toEqual({ done: 1, total: 10 });
  pass(2);
  expect(at("drawing", 2)).toEqual({ done: 2, total: 10, secondsPerStep: 2, secondsLeft: 16 });
  pass(4);
  expect(at("drawing", 3)).toEqual({ done: 3, total: 10, secondsPerStep: 3, secondsLeft: 21 });
});

test("no times are given from too little data, such as steps that arrive together", () => {
  const { now, pass } = clock();
  const at = paceOf({ drawing: { steps: 1000, weight: 1 } }, now);
  at("drawing", 1);
  expect(at("drawing", 2)).toEqual({ done: 2, total: 1000 });
  pass(0.5);
  expect(at("drawing", 3).secondsLeft).toBeUndefined();
  pass(0.5);
  expect(at("drawing", 4).secondsLeft).toBeGreaterThan(0);
});

test("the total covers every stage; a stage not yet timed is estimated by its weight", () => {
  const { now, pass } = clock();
  const at = paceOf({ drawing: { steps: 4, weight: 2 }, training: { steps: 10, weight: 6 } }, now);
  at("drawing", 1);
  pass(3);
  // One step left at 1.5 s, and ten of training at three times that.
  expect(at("drawing", 3)).toEqual({ done: 3, total: 14, secondsPerStep: 1.5, secondsLeft: 1.5 + 10 * 4.5 });
  pass(1.5);
  at("drawing", 4);
  pass(60);
  // Time between stages counts for neither.
  expect(at("training", 1)).toEqual({ done: 5, total: 14, secondsLeft: 9 * 4.5 });
  pass(2);
  expect(at("training", 2)).toMatchObject({ done: 6, total: 14, secondsPerStep: 2, secondsLeft: 16 });
});

test("steps of an earlier run count as done but not towards the rate", () => {
  const { now, pass } = clock();
  const at = paceOf({ training: { steps: 500, weight: 1 } }, now);
  expect(at("training", 301)).toEqual({ done: 301, total: 500 });
  pass(2);
  expect(at("training", 302)).toMatchObject({ done: 302, secondsPerStep: 2, secondsLeft: 396 });
});

test("at the end nothing is left", () => {
  const { now, pass } = clock();
  const at = paceOf({ drawing: { steps: 2, weight: 1 } }, now);
  at("drawing", 1);
  pass(5);
  expect(at("drawing", 2)).toMatchObject({ done: 2, secondsLeft: 0 });
});
