/** Against the values of SciPy 1.17.1 (scipy.stats.t). */
import { expect, test } from "vitest";
import { studentQuantile, studentTail } from "./student.ts";

test.each([
  [0.025, 1, 12.706204736174705],
  [0.025, 3, 3.1824463052837086],
  [0.025, 15, 2.131449545559776],
  [0.025, 2.7, 3.3921483831737524],
  [0.0005, 30, 3.645958635042021],
  [0.05, 10000.0, 1.6450060180692432],
  [0.5, 7, 0.0],
])("the %d quantile with %d degrees of freedom", (tail, freedom, due) => {
  expect(studentQuantile(tail, freedom)).toBeCloseTo(due, 8);
});

test.each([
  [0, 3, 0.5],
  [2, 1, 0.14758361765043326],
  [-1.5, 4.4, 0.8991784082482479],
  [6, 15, 1.216327275551927e-5],
  [12, 29, 4.5303541665685913e-13],
  [3, 500, 0.0014172459064255715],
])("the probability of more than %d with %d degrees of freedom", (t, freedom, due) => {
  // Relative, because small probabilities are corrected for many comparisons.
  expect(studentTail(t, freedom) / due).toBeCloseTo(1, 8);
});
