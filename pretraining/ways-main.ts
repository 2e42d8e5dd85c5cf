/**
 * Whether pictures made in another way are as good: in another number type, with averaged attention, with fewer evaluations,
 * or with adapters that were trained differently.
 *
 *     npm run bench:ways -- OUT WAY WAY...
 *
 * A WAY is NAME=PRECISION:ADAPTERS, with `+averaged` (attention) and `+third` (evaluations, for pg) after the precision as
 * wanted; the first WAY is the baseline. ADAPTERS is a folder with an adapter CONCEPT.safetensors for each of the sixteen
 * concepts. Each concept, prompt and guidance is drawn once at the same seed in every way; pictures already in OUT stay.
 * Prints PSNR from the baseline, and for each metric and for the judge (whether its first answer is the right theme, the
 * right kind) the means and the differences with 95 % intervals, paired by prompt.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { exists } from "#bytes";
import { readPixels } from "#images";
import { conceptsOf } from "../src/experiments/concepts.ts";
import { type Interval, intervalOf } from "../src/experiments/crossed.ts";
import { parseExperiment } from "../src/experiments/experiment.ts";
import { wholeExperiment } from "../src/experiments/whole.ts";
import { embeddedFolder } from "../src/families/embedded.ts";
import { everyThird } from "../src/guidance/index.ts";
import { openClip, openViT } from "../src/metrics/encoders.ts";
import { mean } from "../src/metrics/features.ts";
import { type EncodedBy, scoresOf, usualMetrics } from "../src/metrics/fidelity.ts";
import { Pipeline } from "../src/pipelines/pipeline.ts";
import { encodePng } from "../src/recipe/png.ts";
import { type PrecisionName, startEngine } from "../src/runtime/index.ts";
import { firstOf, kindsOf, themesTold, toldTo } from "./judge.ts";

const [out, ...asked] = process.argv.slice(2);
if (out === undefined || asked.length === 0) throw new Error("usage: npm run bench:ways -- OUT WAY WAY...");
const ways = asked.map((way) => {
  const [, name, how, adapters] = /^([^=]+)=([^:]+):(.+)$/.exec(way) ?? [];
  const [precision, ...more] = how?.split("+") ?? [];
  const strange = more.find((one) => one !== "averaged" && one !== "third");
  if (name === undefined || strange !== undefined)
    throw new Error(`${way}: write NAME=PRECISION[+averaged][+third]:ADAPTERS.`);
  return {
    name,
    load: {
      precision: precision as PrecisionName,
      attention: more.includes("averaged") ? "averaged" : "exact",
    } as const,
    evaluations: more.includes("third") ? everyThird : {},
    adapters: resolve(adapters!),
  };
});
/** As in experiments/sixteen.json. */
const guidances = {
  none: { guidance: "none" },
  cfg: { guidance: "cfg", scale: 2.5 },
  "pg 0": { guidance: "pg", scale: 2.5, omega: 0 },
  "pg 0.6": { guidance: "pg", scale: 2.5, omega: 0.6 },
} as const;
type GuidanceName = keyof typeof guidances;
const names = Object.keys(guidances) as GuidanceName[];

const experiment = await wholeExperiment(
  parseExperiment({
    name: "ways",
    personalisation: [{ method: "dreambooth" }],
    guidance: [{ method: "cfg" }],
  }),
);
const concepts = await conceptsOf(experiment, join(out, "references"));
const pictureOf = (way: string, guidance: GuidanceName, concept: string, prompt: number) =>
  join(out, way, guidance, concept, `${prompt}.png`);

const all = ways.length * concepts.reduce((sum, { prompts }) => sum + names.length * prompts.length, 0);
let drawn = 0;
for (const { name, load, evaluations, adapters } of ways) {
  const pipeline = await Pipeline.load("dinghy", {
    ...load,
    adapters: [join(adapters, `${concepts[0]!.name}.safetensors`)],
  });
  for (const [c, concept] of concepts.entries()) {
    await pipeline.setAdapters([join(adapters, `${concept.name}.safetensors`)]);
    for (const guidance of names) {
      for (const [p, prompt] of concept.prompts.entries()) {
        drawn++;
        const file = pictureOf(name, guidance, concept.name, p);
        if (await exists(file)) continue;
        await mkdir(join(file, ".."), { recursive: true });
        const request = {
          prompt: prompt.about(`sks ${concept.class}`),
          seed: 1000 * c + p,
          sampler: "dpm++",
          steps: 6,
          ...guidances[guidance],
          ...(guidance.startsWith("pg") && evaluations),
        } as const;
        for await (const event of pipeline.generate(request)) {
          if (event.type === "picture") await writeFile(file, await encodePng(event, event.recipe));
        }
      }
    }
    console.error(`${name}: ${concept.name}, ${drawn} of ${all} pictures`);
  }
  await pipeline.close();
}

const engine = await startEngine();
const folder = embeddedFolder;
const clip = await openClip(engine, join(folder, "clip"), join(folder, "tokenizer"), "dreambooth");
const told = toldTo(clip);
const dino = await openViT(engine, join(folder, "vit"), "dreambooth");
const featuresOf = async (file: string): Promise<EncodedBy> => {
  const pixels = [await readPixels(file)];
  return { clip: (await clip.pictures(pixels))[0]!, dino: (await dino.pictures(pixels))[0]! };
};

const columns = [...usualMetrics, "theme", "kind"] as const;
type Measured = Readonly<Partial<Record<(typeof columns)[number], number>>>;
/** By way and guidance: for each concept, what each prompt's picture comes to. */
const measured = new Map<string, Measured[][]>();
const at = (way: string, guidance: GuidanceName) => `${way} ${guidance}`;
for (const concept of concepts) {
  const references: EncodedBy[] = [];
  for (let i = 0; await exists(join(concept.images!, `${i}.png`)); i++)
    references.push(await featuresOf(join(concept.images!, `${i}.png`)));
  const texts = await clip.texts(concept.prompts.map(({ about }) => about(concept.class)));
  for (const { name } of ways) {
    for (const guidance of names) {
      const values: Measured[] = [];
      for (const [p, prompt] of concept.prompts.entries()) {
        const features = await featuresOf(pictureOf(name, guidance, concept.name, p));
        const theme = firstOf(features.clip!, await told(themesTold(concept.class)));
        const kind = firstOf(features.clip!, await told(kindsOf(concept.class, prompt.name)));
        values.push({
          ...scoresOf(usualMetrics, features, references, { clip: texts[p]! }),
          theme: Number(theme === prompt.name),
          kind: Number(kind === concept.class),
        });
      }
      measured.set(at(name, guidance), [...(measured.get(at(name, guidance)) ?? []), values]);
    }
  }
}
await engine.close();

/** Decibels of the mean squared error of each pair of pictures; equal ones count as 99. */
async function psnrOf(a: string, b: string): Promise<number> {
  const [{ data: left }, { data: right }] = [await readPixels(a), await readPixels(b)];
  const error = left.reduce((sum, value, i) => sum + (value - right[i]!) ** 2, 0) / left.length;
  return error === 0 ? 99 : Math.min(99, 10 * Math.log10(255 ** 2 / error));
}
const [first, ...others] = ways;
const rounded = ({ mean, low, high }: Interval) =>
  `${mean < 0 ? "" : "+"}${mean.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
console.log(`| way | guidance | pictures | PSNR, median (5 %) | ${columns.join(" | ")} |`);
console.log(`| --- | --- | --- | --- | ${columns.map(() => "---").join(" | ")} |`);
for (const guidance of names) {
  const base = measured.get(at(first!.name, guidance))!;
  const means = columns.map((column) => mean(base.map((values) => mean(values.map((one) => one[column]!)))).toFixed(3));
  console.log(`| ${first!.name} | ${guidance} | ${base.flat().length} | | ${means.join(" | ")} |`);
  for (const { name } of others) {
    const here = measured.get(at(name, guidance))!;
    const decibels: number[] = [];
    for (const concept of concepts)
      for (const p of concept.prompts.keys())
        decibels.push(
          await psnrOf(pictureOf(first!.name, guidance, concept.name, p), pictureOf(name, guidance, concept.name, p)),
        );
    decibels.sort((a, b) => a - b);
    const share = (part: number) => decibels[Math.floor(part * (decibels.length - 1))]!.toFixed(1);
    const differences = columns.map((column) =>
      rounded(
        intervalOf(
          here.flatMap((values, c) =>
            values.map((one, p) => ({
              concept: concepts[c]!.name,
              prompt: concepts[c]!.prompts[p]!.name,
              value: one[column]! - base[c]![p]![column]!,
            })),
          ),
        ),
      ),
    );
    console.log(
      `| ${name} | ${guidance} | ${decibels.length} | ${share(0.5)} (${share(0.05)}) dB | ${differences.join(" | ")} |`,
    );
  }
}
