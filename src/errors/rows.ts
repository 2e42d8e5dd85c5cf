/** All codes. */
import { adapterErrors } from "./adapters.ts";
import { experimentErrors } from "./experiments.ts";
import { fileErrors } from "./files.ts";
import { hubErrors } from "./hub.ts";
import { jobErrors } from "./jobs.ts";
import { machineErrors } from "./machine.ts";
import { modelErrors } from "./models.ts";
import { pictureErrors } from "./pictures.ts";
import { requestErrors } from "./requests.ts";
import type { ErrorRow } from "./row.ts";
import { serverErrors } from "./server.ts";
import { studyErrors } from "./studies.ts";
import { trainingErrors } from "./training.ts";

/** The tables by their headings. */
export const errorGroups = {
  Files: fileErrors,
  Models: modelErrors,
  Adapters: adapterErrors,
  Pictures: pictureErrors,
  "Options and settings": requestErrors,
  Training: trainingErrors,
  "Experiments and measuring": experimentErrors,
  Studies: studyErrors,
  "The hub": hubErrors,
  "The machine": machineErrors,
  "Queues and stores": jobErrors,
  Studio: serverErrors,
} as const;

type Groups = (typeof errorGroups)[keyof typeof errorGroups];

/**
 * The code of a {@link TillerError}.
 *
 * @useDeclaredType
 */
export type ErrorCode = Groups extends infer Group ? (Group extends unknown ? keyof Group & string : never) : never;

/** Every code's row. */
export const errorRows = Object.assign({}, ...Object.values(errorGroups)) as Readonly<Record<ErrorCode, ErrorRow>>;
