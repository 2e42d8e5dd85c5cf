/**
 * The difference between two rows of an experiment on the same concepts and prompts, with paired 95 % intervals:
 *
 *     npm run build && node bench/compare.js results/rank "dreambooth, rank 16: pg 0.6" "dreambooth, rank 32: cfg"
 *
 * A row is named as in the table; the fine-tuning method may be left out if there is only one.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { byConcept, combined } from "../dist/experiments/combined.js";
import { intervalOf } from "../dist/experiments/crossed.js";
import { metricNames } from "../dist/metrics/fidelity.js";

const [folder, ...names] = process.argv.slice(2);
if (names.length !== 2) throw new Error("name the experiment's folder and two of its rows");
const { arms } = JSON.parse(await readFile(join(folder, "results.json"), "utf8"));

const [one, other] = names.map((name) => {
  const found = arms.filter((arm) => name === arm.name || name === `${arm.personalisation}: ${arm.name}`);
  if (found.length === 1) return found[0];
  const all = arms.map((arm) => `${arm.personalisation}: ${arm.name}`).join("\n");
  throw new Error(`${found.length} rows are called ${name}; the rows are\n${all}`);
});

console.log(`${names[0]} over ${names[1]}`);
const terms = [
  { prompts: one.prompts, factor: 1 },
  { prompts: other.prompts, factor: -1 },
];
for (const metric of metricNames.filter((name) => one.scores[name] && other.scores[name])) {
  const differences = combined(terms, metric);
  const { mean, low, high } = intervalOf(differences);
  const concepts = [...byConcept(differences).values()];
  const positive = concepts.filter((difference) => difference > 0).length;
  const shown = [mean, low, high].map((value) => value.toFixed(3));
  console.log(
    `${metric}: ${shown[0]} [${shown[1]}, ${shown[2]}], above 0 in ${positive} of ${concepts.length} concepts`,
  );
}
