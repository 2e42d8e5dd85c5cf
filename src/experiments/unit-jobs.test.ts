import { expect, test } from "vitest";
import { keyPattern } from "../jobs/index.ts";
import type { AdapterUnit, Cell, PictureUnit } from "./plan.ts";
import { unitJobs } from "./unit-jobs.ts";

const hash = (digit: string) => digit.repeat(20);
const unit = (digit: string) =>
  ({ folder: `out/pictures/${hash(digit)}`, features: { clip: "out/clip-1.json" } }) as unknown as PictureUnit;
const adapter = (digit: string, classPictures: number) =>
  ({
    ...{ key: hash(digit), folder: `out/adapters/${hash(digit)}` },
    ...{ classFolder: `out/class/${hash("c")}`, classPictures },
  }) as unknown as AdapterUnit;
const cell = (one: AdapterUnit | undefined, ...units: string[]) =>
  ({ adapter: one, units: units.map(unit) }) as unknown as Cell;

test("pictures wait for their adapter, and adapters for the class images that they share", () => {
  const cells = [cell(adapter("a", 2), "1", "2"), cell(adapter("b", 2), "3"), cell(undefined, "4")];
  const jobs = unitJobs(cells, { plan: `plan-${hash("0")}`, model: "m" }, async () => false);
  const ids = new Map(jobs.map(({ job, after }) => [job.id, after]));
  const drawn = jobs.filter(({ work }) => work.kind === "pictures");
  expect(ids.get(`class-${hash("c")}`)).toBeUndefined();
  expect(ids.get(`adapters-${hash("a")}`)).toBe(`class-${hash("c")}`);
  expect(ids.get(`adapters-${hash("b")}`)).toBe(`class-${hash("c")}`);
  expect(drawn.map(({ after }) => after)).toEqual([
    ...[`adapters-${hash("a")}`, `adapters-${hash("a")}`, `adapters-${hash("b")}`],
    undefined,
  ]);
  // Whoever has done a job knows what may be done next.
  const next = (id: string) => jobs.find(({ job }) => job.id === id)!.next.map((job) => job.id);
  expect(next(`class-${hash("c")}`)).toEqual([`adapters-${hash("a")}`, `adapters-${hash("b")}`]);
  expect(next(`adapters-${hash("b")}`)).toEqual([drawn[2]!.job.id]);
  // A cell's pictures come before the next cell's adapter.
  expect(drawn[0]!.job.priority).toBeLessThan(jobs.find(({ job }) => job.id === `adapters-${hash("b")}`)!.job.priority);
  for (const { job } of jobs) expect(job.id).toMatch(keyPattern);
});

test("units that two cells share are one job", () => {
  const jobs = unitJobs([cell(undefined, "1"), cell(undefined, "1")], { plan: "p", model: "m" }, async () => false);
  expect(jobs).toHaveLength(1);
});
