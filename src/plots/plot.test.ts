/** The positions of a plot's points, and the document. */
import { expect, test } from "vitest";
import { around, createPlot } from "./plot.ts";
import { dot, letters, line } from "./svg.ts";

const ink = { text: "#000", faint: "#999" };
const frame = {
  width: 500,
  height: 300,
  x: { name: "steps", range: [0, 10] as const },
  y: { name: "a < b", range: [-1, 1] as const },
  ink,
};

test("greater is to the right and up, and the scale is linear", () => {
  const { at } = createPlot(frame);
  const [low, middle, high] = [at([0, -1]), at([5, 0]), at([10, 1])];
  expect(low[0]).toBeGreaterThan(0);
  expect(high[0]).toBeLessThan(500);
  expect(high[1]).toBeGreaterThan(0);
  expect(low[1]).toBeLessThan(300);
  expect(low[0]).toBeLessThan(high[0]);
  expect(low[1]).toBeGreaterThan(high[1]);
  expect(middle).toEqual([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2]);
});

test("a tick's label is at its value", () => {
  const plot = createPlot(frame);
  const svg = plot.document([]);
  for (const [tick, point] of [
    ["5", plot.at([5, -1])],
    ["10", plot.at([10, -1])],
  ] as const)
    expect(svg).toMatch(new RegExp(`<text x="${point[0]}"[^>]*>${tick}</text>`));
  expect(svg).toMatch(new RegExp(`<text[^>]* y="${plot.at([0, 0.5])[1]}"[^>]*>0\\.5</text>`));
});

test("tick labels are outside the axes, axis titles centred farther out, all within the picture", () => {
  const plot = createPlot(frame);
  const texts = [
    ...plot.document([]).matchAll(/<text x="([^"]+)" y="([^"]+)"[^>]*?( transform="rotate[^>]*)?>([^<]*)</g),
  ].map(([, x, y, turned, text]) => ({ x: Number(x), y: Number(y), turned: turned !== undefined, text: text! }));
  const [left, bottom] = plot.at([0, -1]);
  const [right, top] = plot.at([10, 1]);
  const [steps, other] = ["steps", "a &lt; b"].map((name) => texts.find(({ text }) => text === name)!);
  expect(steps).toMatchObject({ x: (left + right) / 2, turned: false });
  expect(other).toMatchObject({ y: (top + bottom) / 2, turned: true });
  const along = texts.filter(({ text }) => ["0", "5", "10"].includes(text));
  const upwards = texts.filter(({ text }) => text.includes("."));
  expect([along.length, upwards.length]).toEqual([3, 5]);
  for (const { y, turned } of along) {
    expect(turned).toBe(false);
    expect(y).toBeGreaterThan(bottom);
    expect(y).toBeLessThan(steps!.y);
  }
  for (const { x } of upwards) {
    expect(x).toBeLessThan(left);
    expect(x).toBeGreaterThan(other!.x);
  }
  expect(steps!.y).toBeLessThan(300);
  expect(other!.x).toBeGreaterThan(0);
});

test("a line is solid and opaque by default", () => {
  const stroke = { colour: "#c30", width: 2 };
  const plain = '<polyline points="1,2 3,4" fill="none" stroke="#c30" stroke-width="2" stroke-linejoin="round"';
  const points = [
    [1, 2],
    [3, 4],
  ] as const;
  expect(line(points, stroke)).toBe(`${plain}/>`);
  expect(line(points, { ...stroke, opacity: 0.3, dashed: true })).toBe(
    `${plain} stroke-opacity="0.3" stroke-dasharray="5 4"/>`,
  );
});

test("parts are drawn over the axes in order, names are escaped, the background is drawn if given", () => {
  const [from, to] = [
    [1, 2],
    [3, 4.06],
  ] as const;
  const parts = [line([from, to], { colour: "#c30", width: 2 }), dot(to, 5, "#c30")];
  const plain = createPlot(frame).document(parts);
  expect(plain).toContain(">a &lt; b</text>");
  expect(plain.indexOf("1,2 3,4.1")).toBeGreaterThan(plain.indexOf("a &lt; b"));
  expect(plain.indexOf("<circle")).toBeGreaterThan(plain.indexOf("1,2 3,4.1"));
  expect(plain).not.toContain("<rect");
  expect(createPlot({ ...frame, ink: { ...ink, paper: "#fff" } }).document([])).toContain('<rect width="500"');
});

test("vertical text is rotated about its own position", () => {
  expect(letters([16, 40], '"loss"', { colour: "#000", size: 12, anchor: "middle", upwards: true })).toBe(
    '<text x="16" y="40" dy="0.35em" font-size="12" fill="#000" text-anchor="middle" transform="rotate(-90 16 40)">&quot;loss&quot;</text>',
  );
});

test("a range covers its points with a margin, and is never empty", () => {
  const points = [
    [0, 5],
    [10, 7],
  ] as const;
  expect(around(points, 0, 0.1)).toEqual([-1, 11]);
  expect(around(points, 1, 0)).toEqual([5, 7]);
  expect(around([[3, 5]], 0, 0)).toEqual([2.7, 3.3]);
  expect(around([[0, 5]], 0, 0.1)).toEqual([-1, 1]);
});
