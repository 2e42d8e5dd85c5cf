/** Results as one self-contained HTML page. */
import { join } from "node:path";
import { withSource } from "#bytes";
import { encodersOf, type MetricName, metricLabels, metricsOf } from "../metrics/fidelity.ts";
import { escaped } from "../plots/svg.ts";
import { type Chart, chartsOf } from "./charts.ts";
import { type BenchConcept, referenceFiles } from "./concepts.ts";
import { fidelityPlane } from "./fidelity-plane.ts";
import { sentenceOf } from "./finding-sentence.ts";
import { intervalChart } from "./interval-chart.ts";
import type { PromptResult } from "./prompt-result.ts";
import { style } from "./report-style.ts";
import type { ArmResult, Results } from "./results.ts";
import { pairsTable, resultsTable, type Table } from "./table.ts";

/** Options of a report. */
export interface ReportOptions {
  /** The page's title. */
  readonly title: string;
  /** A few sentences under the title. */
  readonly lead: string;
  /** Commands that reproduce the results. */
  readonly commands: readonly string[];
  /** The most concepts and prompts in the grid, 4 and 8 by default; if there are more, an evenly spaced selection. */
  readonly grid?: { readonly concepts: number; readonly prompts: number };
}

interface ReportSource {
  readonly concepts: readonly BenchConcept[];
  /** The experiment's folder. */
  readonly folder: string;
}

export async function report(results: Results, options: ReportOptions & ReportSource): Promise<string> {
  const { title, lead, concepts, folder, commands, grid = { concepts: 4, prompts: 8 } } = options;
  const { experiment, units, tiller, versions, identities, arms } = results;
  const shown = ({ name }: BenchConcept) => arms[0]?.prompts.some(({ concept }) => concept === name) ?? true;
  const unfinished =
    units.done < units.total ? `<p class="note">${units.done} of ${units.total} units are finished.</p>` : "";
  const inPlane = (["dino", "clipT"] as const).every((name) => experiment.metrics.includes(name));
  const found = sentenceOf(results);
  const planes = [
    ["light", { text: "#1d1c1a", faint: "#8b867d", point: "#1d1c1a", curve: "#c2410c" }],
    ["dark", { text: "#ece9e4", faint: "#8f8a81", point: "#ece9e4", curve: "#fb923c" }],
  ] as const;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escaped(title)}</h1>
${
  found === undefined
    ? ""
    : `<p class="lead"><strong>${escaped(found)}</strong></p>
`
}<p class="lead">${escaped(lead)}</p>
${unfinished}
${await referencesOf(spread(concepts.filter(shown), grid.concepts))}
<h2>Fidelity to the subject and to the text</h2>
${
  inPlane
    ? `<figure>${planes.map(([theme, ink]) => `<div class="${theme}">${fidelityPlane(arms, ink)}</div>`).join("\n")}
<figcaption>Higher is closer to the subject's pictures, further right is closer to the prompt. A curve joins the omegas of a method and ends in its baseline, which it equals at omega 1; the dashed line is the Pareto front.</figcaption></figure>`
    : ""
}
${table(resultsTable(results), 2)}
<p class="note">Intervals are 95 % each, paired over concepts, prompts and seeds, and not corrected for their number: of twenty one misses by chance.</p>
${chartsOf(results)
  .map((chart) => figure(chart, planes))
  .join("\n")}
${results.pairs ? `<h2>Differences</h2>\n${table(pairsTable(results), 3)}` : ""}
<h2>The same seeds under each method</h2>
${await gridsOf(arms, grid, folder)}
<h2>By concept</h2>
${breakdown(arms, experiment, "concept")}
<h2>By prompt</h2>
${breakdown(arms, experiment, "prompt")}
<h2>How this was made</h2>
<pre>${escaped(commands.join("\n"))}</pre>
<p class="note">Drawn ${drawnBy(experiment)}. Tiller ${escaped(tiller)}, ONNX Runtime ${escaped(versions.onnxruntime)}, Node ${escaped(versions.node)}; model ${escaped(experiment.model)} (${short(identities.model)}), measured with ${encodersOf(
    experiment.metrics,
  )
    .map(({ name }, i) => `${name} ${short(identities.encoders[i]!)}`)
    .join(
      " and ",
    )}; ${experiment.steps} steps of ${experiment.sampler}; ${experiment.pictures} pictures a prompt, seeds ${experiment.seed} to ${experiment.seed + experiment.pictures - 1}. ${scoresNote(experiment)} Intervals hold 95 % of means over other concepts, prompts and seeds like these; differences are of the same prompts and seeds. The paper's numbers are DINO, CLIP-I and CLIP-T of Stable Diffusion 1.5 on photographs at its own scale, for orientation.</p>
</main>
</body>
</html>
`;
}

/** A chart of what was measured, and the paper's beside it, which has its own scale. */
function figure(
  { metric, over, measured, paper }: Chart,
  planes: readonly (readonly [string, { readonly text: string; readonly faint: string }])[],
): string {
  const names = { x: over, y: metric };
  const drawn = planes.map(([theme, ink]) => {
    const ours = intervalChart(measured, names, ink);
    const theirs = paper.length > 0 ? intervalChart(paper, { x: over, y: `${metric}, the paper's` }, ink, half) : "";
    return `<div class="${theme}">${ours}${theirs}</div>`;
  });
  return `<h3>${escaped(metric)} over ${escaped(over)}</h3>\n<figure>${drawn.join("\n")}</figure>`;
}

const half = { width: 520, height: 360 };

/** For example "by OpenVINO in bfloat16". */
const drawnBy = ({ computed: { engine, precision } }: Results["experiment"]): string =>
  `by ${engine === "openvino" ? "OpenVINO" : "ONNX Runtime"} in ${precision}`;

async function referencesOf(concepts: readonly BenchConcept[]): Promise<string> {
  const rows = await Promise.all(
    concepts.map(async (concept) => {
      const { name } = concept;
      const pictures = await Promise.all((await referenceFiles(concept)).map((file) => picture(file, name)));
      if (pictures.length === 0) return "";
      const what = concept.class === "" ? "reference pictures" : "instance images";
      return `<div class="strip">${pictures.join("")}</div><p class="note">${escaped(name)}: ${what}</p>`;
    }),
  );
  return rows.join("\n");
}

/** A table whose first `names` columns are names. */
function table({ heads, rows: cells }: Table, names: number): string {
  const rows = cells.map((row) => {
    const shown = row.map(({ text, interval }, i) => {
      const tag = i < names ? "th" : "td";
      return `<${tag}>${escaped(text)}${interval ? `<br><small>${escaped(interval)}</small>` : ""}</${tag}>`;
    });
    return `<tr>${shown.join("")}</tr>`;
  });
  return `<div class="wide"><table><thead><tr>${heads.map((head) => `<th>${escaped(head)}</th>`).join("")}</tr></thead><tbody>${rows.join("\n")}</tbody></table></div>`;
}

/** For each concept and fine-tuning method, a grid at one seed: a row per guidance method, a column per prompt. */
async function gridsOf(
  arms: readonly ArmResult[],
  most: { concepts: number; prompts: number },
  root: string,
): Promise<string> {
  const parts: string[] = [];
  for (const personalisation of new Set(arms.map((arm) => arm.personalisation))) {
    const those = arms.filter((arm) => arm.personalisation === personalisation);
    const concepts = [...new Set(those[0]!.prompts.map(({ concept }) => concept))];
    for (const concept of spread(concepts, most.concepts)) {
      const of = (arm: ArmResult): PromptResult[] => arm.prompts.filter((prompt) => prompt.concept === concept);
      const prompts = spread(of(those[0]!), most.prompts).map(({ prompt }) => prompt);
      const rows = await Promise.all(
        those.map(async (arm) => {
          const cells = await Promise.all(
            of(arm)
              .filter(({ prompt }) => prompts.includes(prompt))
              .map(({ folder, seeds, prompt }) =>
                picture(join(root, folder, `${seeds[0]}.png`), `${arm.name}: ${prompt}`),
              ),
          );
          return `<tr><th>${escaped(arm.name)}</th>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
        }),
      );
      const heads = prompts.map((prompt) => `<th>${escaped(prompt)}</th>`).join("");
      parts.push(
        `<h3>${escaped(concept)}, ${escaped(personalisation)}</h3><div class="wide"><table class="grid"><thead><tr><th></th>${heads}</tr></thead><tbody>${rows.join("\n")}</tbody></table></div>`,
      );
    }
  }
  return parts.join("\n");
}

/** What each score compares, such as "DINO and CLIP-I compare with the subject's pictures". */
function scoresNote({ metrics, text }: Results["experiment"]): string {
  const words = text === "class" ? "the subject named by its class" : "with the subject's token";
  const parts = [
    [metricLabels("subject", metrics), "with the subject's pictures"],
    [metricLabels("text", metrics), `with the prompt (${words})`],
  ].flatMap(([labels, what]) => (labels === "" ? [] : `${labels} ${what}`));
  return `Scores compare: ${parts.join(", ")}.`;
}

/**
 * Every method for every concept over all prompts, or for every prompt over all concepts: the first metric that compares with the
 * subject and the first that compares with the text.
 */
function breakdown(arms: readonly ArmResult[], { metrics }: Results["experiment"], by: "concept" | "prompt"): string {
  const shown = (["subject", "text"] as const).flatMap((of) => metricsOf(metrics).find((one) => one.of === of) ?? []);
  const names = [...new Set(arms.flatMap((arm) => arm.prompts.map((one) => one[by])))];
  const heads = arms.map((arm) => `<th>${escaped(`${arm.personalisation}: ${arm.name}`)}</th>`).join("");
  const rows = names.map((name) => {
    const cells = arms.map((arm) => {
      const those = arm.prompts.filter((one) => one[by] === name);
      const mean = (metric: MetricName) => those.reduce((sum, { scores }) => sum + scores[metric]!, 0) / those.length;
      return `<td>${those.length === 0 ? "" : shown.map(({ name }) => mean(name).toFixed(3)).join(" · ")}</td>`;
    });
    return `<tr><th>${escaped(name)}</th>${cells.join("")}</tr>`;
  });
  return `<p class="note">${shown.map(({ label }) => label).join(" · ")}</p><div class="wide"><table><thead><tr><th>${by}</th>${heads}</tr></thead><tbody>${rows.join("\n")}</tbody></table></div>`;
}

/** Embeds the picture, small enough for a page of hundreds. */
async function picture(file: string, alt: string): Promise<string> {
  const bytes = await withSource(file, ({ size, read }) => read(0, size));
  // Loaded here: most commands write no report.
  const { default: sharp } = await import("sharp");
  const webp = await sharp(bytes)
    .autoOrient()
    .resize({ width: 256, withoutEnlargement: true })
    .webp({ quality: 86 })
    .toBuffer();
  return `<img src="data:image/webp;base64,${webp.toString("base64")}" alt="${escaped(alt)}" title="${escaped(alt)}" loading="lazy">`;
}

/** Up to `count` of them, evenly spaced. */
function spread<T>(all: readonly T[], count: number): T[] {
  if (all.length <= count) return [...all];
  return Array.from({ length: count }, (_, i) => all[Math.floor(((i + 0.5) * all.length) / count)]!);
}

/** Shortens a digest for display. */
const short = (identity: string): string => escaped(/^[0-9a-f]{64}$/.test(identity) ? identity.slice(0, 12) : identity);
