/** Studio's studies: made from a comparison, answered at participants' own addresses. */

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { TillerError } from "../index.ts";
import { exists, withoutToken } from "../internal.ts";
import { kept } from "../kept.ts";
import {
  countsOf,
  holdsStudy,
  openSittings,
  participantStates,
  participantsOf,
  readParticipant,
  readStudy,
  type Sittings,
  unknownParticipant,
  writeStudy,
} from "../study/index.ts";
import type { DataFolder } from "./data-folder.ts";
import { newId } from "./ids.ts";
import type { Job } from "./jobs.ts";

export const studyRequestSchema = z.strictObject({
  /** The heading that participants see. */
  title: z.string().trim().min(1).max(300),
  /** A finished job with `seeds` pictures of each arm, one arm after the other. */
  job: z.string(),
  /** What is compared, by name. */
  arms: z.array(z.string().trim().min(1).max(60)).min(2).max(8),
  /** Pictures of each arm. */
  seeds: z.number().int().min(1).max(64),
  /** An upload with pictures of the subject. */
  references: z.string(),
  /** The subject's token, a word that participants do not see. */
  token: z.string().max(60).optional(),
});

export const invitationSchema = z.strictObject({
  /** How many more participants. */
  count: z.number().int().min(1).max(1000),
});

const participantsSchema = z.object({
  /** Everyone invited. */
  invited: z.number(),
  /** Those who have answered something. */
  begun: z.number(),
  /** Those who have finished: only they count. */
  finished: z.number(),
});

export const studySchema = z.object({
  /** Its id. */
  id: z.string(),
  /** The heading that participants see. */
  title: z.string(),
  /** What is compared, by name. */
  methods: z.array(z.string()),
  /** How many sets of pictures there are. */
  sets: z.number(),
  /** How many take part. */
  participants: participantsSchema,
});

export const participantSchema = z.object({
  /** Counted from 1. */
  number: z.number(),
  /** The path of the participant's own page. */
  address: z.string(),
  /** How far the participant is. */
  state: z.enum(participantStates),
});

const shareSchema = z.object({
  /** The method, or "undecided". */
  choice: z.string(),
  /** 0 to 1, averaged over participants; null without any. */
  share: z.number().nullable(),
  /** Lower bound of the 95 % interval, by participant; null with fewer than two. */
  low: z.number().nullable(),
  /** Upper bound. */
  high: z.number().nullable(),
  /** The paper's, where it has the same setting. */
  published: z.number().optional(),
});

export const sharesSchema = z.object({
  /** The heading that participants see. */
  title: z.string(),
  /** How many take part. */
  participants: participantsSchema,
  /** The shares of each setting; undecided comes last. */
  settings: z.array(
    z.object({
      /** Its name. */
      setting: z.string(),
      /** How many sets of pictures it has. */
      sets: z.number(),
      /** Closest to the subject. */
      subject: z.array(shareSchema),
      /** Closest to the text. */
      text: z.array(shareSchema),
    }),
  ),
});

type StudyTold = z.output<typeof studySchema>;

export interface Studies {
  /** @throws TillerError if the job or the upload does not have the pictures. */
  make(request: z.output<typeof studyRequestSchema>, job: Job): Promise<StudyTold>;
  /** Newest first. */
  list(): Promise<StudyTold[]>;
  get(id: string): Promise<StudyTold>;
  /** The study's folder; undefined if there is no such study. */
  folder(id: string): Promise<string | undefined>;
  /** The study of a participant. @throws TillerError if the code is nobody's. */
  sittingsOf(code: string): Promise<Sittings>;
}

export function studiesIn(data: DataFolder): Studies {
  // Answers of a participant are written in order only by one of these.
  const opened = new Map<string, Promise<Sittings>>();

  async function get(id: string): Promise<StudyTold> {
    const folder = data.study(id);
    const study = await readStudy(folder);
    const participants = countsOf(await participantsOf(folder));
    const methods = study.settings.flatMap((setting) => setting.methods);
    return { id, title: study.title, methods, sets: study.sets.length, participants };
  }

  const ids = async () => {
    const entries = await readdir(data.studies, { withFileTypes: true });
    const names = entries.filter((one) => one.isDirectory() && /^[\w-]+$/.test(one.name)).map(({ name }) => name);
    const whole = await Promise.all(names.map((name) => holdsStudy(data.study(name))));
    return names.filter((_, i) => whole[i]).sort();
  };

  return {
    get,
    async make({ title, arms, seeds, references, token = "" }, job) {
      if (job.request.kind !== "pictures" || job.pictures.length !== arms.length * seeds) {
        throw new TillerError("study-invalid", "the job's pictures do not match these arms and seeds.");
      }
      if (new Set(arms).size < arms.length) throw new TillerError("study-invalid", "two arms have the same name.");
      const files = job.pictures.map((id) => data.picture(id));
      for (const file of files) {
        if (!(await exists(file)))
          throw new TillerError("pictures-gone", "a picture of this comparison was deleted: draw it again.");
      }
      const own = await picturesOf(data, references);
      const { prompt } = job.request.request;
      const sets = Array.from({ length: seeds }, (_, seed) => ({
        subject: "subject",
        text: withoutToken(prompt, token),
        pictures: arms.map((_, arm) => files[arm * seeds + seed]!),
        references: own.slice(0, 1),
      }));
      const id = newId();
      const setting = { name: "comparison", methods: [...arms] };
      // Nobody can foresee an order that is drawn from the time.
      await writeStudy({ title, seed: Date.now() }, [{ setting, sets }], data.study(id));
      return get(id);
    },
    async list() {
      const all: StudyTold[] = [];
      for (const id of (await ids()).reverse()) {
        // A damaged study does not hide the others.
        const one = await get(id).catch(() => undefined);
        if (one) all.push(one);
      }
      return all;
    },
    async folder(id) {
      const folder = data.study(id);
      return (await holdsStudy(folder)) ? folder : undefined;
    },
    async sittingsOf(code) {
      for (const id of await ids()) {
        if (!(await readParticipant(data.study(id), code))) continue;
        return kept(opened, id, () => openSittings(data.study(id)));
      }
      throw unknownParticipant();
    },
  };
}

/** The files of an upload. */
async function picturesOf(data: DataFolder, upload: string): Promise<string[]> {
  const folder = data.upload(upload);
  const names = (await exists(folder)) ? (await readdir(folder)).filter((name) => name.endsWith(".png")).sort() : [];
  if (names.length > 0) return names.map((name) => join(folder, name));
  throw new TillerError("pictures-gone", "the subject's pictures are gone: upload them again.");
}
