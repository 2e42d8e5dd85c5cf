/** The part of an experiment file that says what is drawn: concepts, styles, sources of edits, and prompts. */
import { z } from "zod";

const whole = z.number().int().positive();

const named = {
  name: z.string().regex(/^[\w.-]+$/, "must be made of letters, digits, dots, dashes and underscores"),
  /** The folder of its pictures. */
  images: z.string(),
  /** Existing adapters that belong to it. */
  adapters: z.array(z.string()).optional(),
};

export const ownConceptSchema = z.strictObject({
  ...named,
  /** The class noun: `cat`. */
  class: z.string().min(1),
  /** Whether it is a person or an animal, whose prompts include clothes. */
  live: z.boolean(),
});

/** A style: its pictures, and the words after each prompt that ask for it. */
export const styleConceptSchema = z.strictObject({
  ...named,
  /** `in digital art style`. */
  style: z.string().regex(/\S/, "must not be empty"),
});

/** Pictures to be edited; each is a concept, and its instructions are its prompts. */
export const editsSchema = z.strictObject({
  /** The folder of the pictures. */
  images: z.string(),
  /** Instructions for every picture; without them, each picture's caption is its only one. */
  instructions: z.array(z.string().regex(/\S/, "must not be empty")).min(1).optional(),
});

/** `none`: prompts alone, without a subject. */
export const conceptsSchema = z
  .union([z.enum(["all", "none"]), z.array(z.union([z.string(), ownConceptSchema, styleConceptSchema])).min(1)])
  .default("all");

/** A file of prompts without a subject: how many of them, evenly spaced. */
const promptsFileSchema = z.strictObject({ file: z.string(), count: whole.optional() });

export const promptsSchema = z
  .union([z.literal("all"), whole, z.array(z.string()).min(1), promptsFileSchema])
  .default("all");

export type Concepts = z.output<typeof conceptsSchema>;
export type Edits = z.output<typeof editsSchema>;
export type Prompts = z.output<typeof promptsSchema>;
