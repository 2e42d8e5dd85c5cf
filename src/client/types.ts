/** What the server takes and gives, by name. */
import type { Answer, Body } from "./routes.ts";

type JobBody = Body<"post /api/jobs">;
type Element<List extends readonly unknown[]> = List[number];

/** A request for pictures: what is left open has the server's default. */
export interface PicturesJob extends Exclude<JobBody, { kind: "training" }> {}

/** Settings that take the place of a request's for some of its pictures. */
export interface Variation extends Element<NonNullable<PicturesJob["variations"]>> {}

/** A request to learn a subject from an upload. */
export interface TrainingJob extends Extract<JobBody, { kind: "training" }> {}

/** What a job can be asked for with. */
export type JobRequest = PicturesJob | TrainingJob;

/** A job: what was asked for, how far it is, and what came of it. */
export interface Job extends Answer<"get /api/jobs/{id}"> {}

/** A picture of the server, with its recipe. */
export interface GalleryPicture extends Answer<"get /api/pictures/{id}"> {}

/** Some of the server's pictures, newest first, and how many there are in all. */
export interface GalleryPage extends Answer<"get /api/pictures"> {}

/** Pictures that were brought to the server. */
export interface Upload extends Answer<"post /api/uploads"> {}

/** What a picture is made with where a request leaves it open; empty if the model is still to be downloaded. */
export interface Defaults extends Answer<"get /api/defaults"> {}

/** A guidance method that the server has, with its settings. */
export interface GuidanceMethod extends Element<Answer<"get /api/methods">> {}

/** A sampler that the server has. */
export interface Sampler extends Element<Answer<"get /api/samplers">> {}

/** A metric that the server has. */
export interface Metric extends Element<Answer<"get /api/metrics">> {}

/** A picture's scores, by the metrics' names. */
export interface Scores extends Element<Answer<"get /api/jobs/{id}/scores">> {}

/** A study, without its answers. */
export interface Study extends Answer<"get /api/studies/{id}"> {}

/** A study in a list, with how many took part. */
export interface StudySummary extends Element<Answer<"get /api/studies">> {}

/** What a study is made of. */
export interface StudyRequest extends Body<"post /api/studies"> {}

/** What one person chose: of each set an arm for each question, or null for undecided. */
export interface Answers extends Body<"post /api/studies/{id}/answers"> {}

/** Each arm's share of a study's answers. */
export interface Shares extends Answer<"get /api/studies/{id}/results"> {}
