/** Scores of a job's pictures against uploaded pictures of the subject. */
import { embeddedModel, openScorer, type ScorerOptions, type Scores, TillerError } from "../index.ts";
import { exists, withoutToken } from "../internal.ts";
import { kept } from "../kept.ts";
import type { DataFolder } from "./data-folder.ts";
import type { Job } from "./jobs.ts";
import type { Models } from "./models.ts";

export interface Scoring {
  /** One for each picture so far, in order. */
  scores(job: Job, references: string, token: string): Promise<Scores[]>;
  close(): Promise<void>;
}

/** Loads the encoders on first use, and caches scores. */
export function scoringIn(data: DataFolder, models: Models, options: ScorerOptions): Scoring {
  let session: ReturnType<typeof openScorer> | undefined;
  const known = new Map<string, Promise<Scores>>();
  return {
    async scores({ request, pictures }, references, token) {
      if (request.kind !== "pictures") throw new TillerError("pictures-gone", "this job makes no pictures.");
      const own = options.clip === undefined || options.dino === undefined;
      if (own && models.get(request.model).source !== embeddedModel) {
        throw new TillerError(
          "encoders-needed",
          "dinghy's small encoders can only measure dinghy's pictures: for others start tiller studio with --clip and --dino.",
        );
      }
      const folder = data.upload(references);
      if (!(await exists(folder)))
        throw new TillerError("pictures-gone", "these pictures are no longer here: upload them again.");
      session ??= openScorer(options).catch((error) => {
        session = undefined;
        throw error;
      });
      const { score } = await session;
      const text = withoutToken(request.request.prompt, token);
      const all: Scores[] = [];
      // One at a time: a job's pictures may not fit in memory together.
      for (const id of pictures) {
        const key = `${id} ${references} ${text}`;
        all.push(await kept(known, key, () => score(data.picture(id), folder, text)));
      }
      return all;
    },
    async close() {
      await (await session)?.close();
    },
  };
}
