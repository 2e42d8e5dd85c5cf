/** A study's file (JSON): what it asks, and whose pictures it shows. */
import { z } from "zod";
import { jsonObject, readJson } from "../bytes/json-file.ts";
import { TillerError } from "../errors/index.ts";
import { seedSchema } from "../experiments/experiment.ts";
import { wrongSetting } from "../wrong-setting.ts";
import { undecided } from "./study.ts";

/** Participants see pictures as A, B, C …, so there can be no more than letters. */
const mostMethods = 8;

const name = z.string().trim().min(1).max(60);

const methodsSchema = z
  .record(name, z.string().min(1))
  .refine((methods) => Object.keys(methods).length >= 2, "must name at least two methods")
  .refine((methods) => Object.keys(methods).length <= mostMethods, `must name at most ${mostMethods} methods`)
  .refine((methods) => !(undecided in methods), `must not name a method ${undecided}, which is an answer`);

const common = {
  /** What it is called in the results: "SANA, DB-LoRA". */
  name,
  /** How many sets; those of the study by default. */
  sets: z.number().int().positive().max(1000).optional(),
};

/** The rows of an experiment, by the name of each method. */
const fromResultsSchema = z.strictObject({
  ...common,
  /** The experiment's folder. */
  results: z.string().min(1),
  /** Which of its fine-tuning methods, if it has several. */
  fineTuning: z.string().optional(),
  methods: methodsSchema,
});

/** Folders of pictures by the name of each method, each with a folder for each subject. */
const fromFoldersSchema = z.strictObject({
  ...common,
  /** The folder of the subjects' own pictures, with a folder for each subject. */
  references: z.string().min(1),
  /** A word of the prompts that participants do not see: the subject's token. */
  token: z.string().regex(/^\S*$/, "must be one word").default(""),
  methods: methodsSchema,
});

const studyFileSchema = z.strictObject({
  /** The heading that participants see. */
  title: z.string().trim().min(1).max(300).default("Which picture?"),
  /** What the choice of sets, and every participant's order, are drawn from. */
  seed: seedSchema,
  /** Sets of each setting. */
  sets: z.number().int().positive().max(1000).default(15),
  /** Pictures of the subject beside each set. */
  references: z.number().int().positive().max(8).default(1),
  settings: z.array(z.union([fromResultsSchema, fromFoldersSchema])).min(1),
});

/** A study's file with its defaults. */
export type StudyFile = z.output<typeof studyFileSchema>;
export type FromResults = z.output<typeof fromResultsSchema>;
export type FromFolders = z.output<typeof fromFoldersSchema>;

/** @throws TillerError if the file cannot be read, or naming the first wrong setting. */
export async function readStudyFile(file: string): Promise<StudyFile> {
  const parsed = studyFileSchema.safeParse(await readJson(file, jsonObject));
  if (!parsed.success) throw invalid(file, wrongSetting(parsed.error));
  const names = parsed.data.settings.map((one) => one.name);
  const twice = names.find((one, i) => names.indexOf(one) !== i);
  if (twice !== undefined) throw invalid(file, `settings: ${twice} is listed twice`);
  return parsed.data;
}

const invalid = (file: string, why: string) => new TillerError("study-invalid", `${file}: ${why}.`, { paths: [file] });
