/** Names for the server's request and answer types. */
import type { Answer, Body } from "./routes.ts";

type JobBody = Body<"post /api/jobs">;
type Element<List extends readonly unknown[]> = List[number];

/** A request for pictures; omitted fields get the server's defaults. */
export interface PicturesJob extends Exclude<JobBody, { kind: "training" }> {}

/** Settings that replace the request's for some of its pictures. */
export interface Variation extends Element<NonNullable<PicturesJob["variations"]>> {}

/** A request to learn a subject from an upload. */
export interface TrainingJob extends Extract<JobBody, { kind: "training" }> {}

/** A request for a job. */
export type JobRequest = PicturesJob | TrainingJob;

/** A job: its request, progress and result. */
export interface Job extends Answer<"get /api/jobs/{id}"> {}

/** A picture of the server, with its recipe. */
export interface GalleryPicture extends Answer<"get /api/pictures/{id}"> {}

/** A page of the server's pictures, newest first, and their total number. */
export interface GalleryPage extends Answer<"get /api/pictures"> {}

/** Uploaded pictures. */
export interface Upload extends Answer<"post /api/uploads"> {}

/** The defaults of picture requests; empty if the model has not been downloaded yet. */
export interface Defaults extends Answer<"get /api/defaults"> {}

/** A guidance method with its settings. */
export interface GuidanceMethod extends Element<Answer<"get /api/methods">> {}

/** A sampler. */
export interface Sampler extends Element<Answer<"get /api/samplers">> {}

/** A number type that the server's machine can compute in. */
export interface Precision extends Element<Answer<"get /api/precisions">> {}

/** A metric. */
export interface Metric extends Element<Answer<"get /api/metrics">> {}

/** A picture's scores, by the metrics' names. */
export interface Scores extends Element<Answer<"get /api/jobs/{id}/scores">> {}

/** A study, without its answers. */
export interface Study extends Answer<"get /api/studies/{id}"> {}

/** A request for a study. */
export interface StudyRequest extends Body<"post /api/studies"> {}

/** A participant of a study: the path of their own page, and how far they are. */
export interface Participant extends Element<Answer<"get /api/studies/{id}/participants">> {}

/** Each method's share of a study's answers. */
export interface Shares extends Answer<"get /api/studies/{id}/results"> {}
