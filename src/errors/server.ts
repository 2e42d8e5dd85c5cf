import { rows } from "./row.ts";

export const serverErrors = rows({
  "address-invalid": {
    kind: "usage",
    what: "Studio cannot listen on the host or port.",
    why: "The port is taken or reserved, or the host is not this machine's.",
    fix: "Choose others with `--port` and `--host`.",
  },
  "model-name-twice": {
    kind: "usage",
    what: "Two models have the same name.",
    why: "Studio names models by their folders.",
    fix: "Rename one of the folders, or leave one out.",
  },
  "model-unknown": {
    kind: "usage",
    what: "The server has no model of this name.",
    why: "Models are those given with `--model` when the server started.",
    fix: "Choose one that the message names.",
  },
  "adapter-unknown": {
    kind: "usage",
    what: "The server has no adapter of this name.",
    why: "Adapters are those trained or uploaded here.",
    fix: "`GET /api/adapters` lists them.",
  },
  "name-invalid": {
    kind: "usage",
    what: "A name in the request is not a valid file name.",
    why: "Names consist of letters, digits, dashes and underscores, with dots and spaces only in between, and must not be a Windows device name such as `con`.",
    fix: "Use a name that the server gave, or the characters that the message names.",
  },
  "request-invalid": {
    kind: "usage",
    what: "The request's body cannot be used.",
    why: "It is not JSON, not marked as JSON, or a field is wrong.",
    fix: "Send `content-type: application/json` and correct the field that the message names; `/api` describes them.",
  },
  "upload-invalid": {
    kind: "usage",
    what: "The upload has no pictures, or too many.",
    why: "It must be a multipart form of picture files.",
    fix: "Send up to the number that the message names.",
  },
  "pictures-gone": {
    kind: "usage",
    what: "The pictures that the request is about do not exist.",
    why: "They were deleted, or the job makes none.",
    fix: "Upload or draw them again.",
  },
  "picture-in-study": {
    kind: "usage",
    what: "A picture cannot be deleted.",
    why: "A study shows it.",
    fix: "Delete the study first.",
  },
  "study-mismatch": {
    kind: "usage",
    what: "A study's pictures or answers do not fit it.",
    why: "They are about other pictures, or the same set was answered twice.",
    fix: "Send one answer for each set of the study.",
  },
  "job-cancelled": {
    kind: "usage",
    status: 409,
    what: "The job that the request waited for was cancelled.",
    why: "Someone cancelled it in Studio or through the API.",
    fix: "Send the request again.",
  },
  "job-failed": {
    kind: "failed",
    what: "The job that the request waited for failed.",
    why: "The server ended several times while it ran, or an earlier version of Tiller ran it.",
    fix: "Send the request again; if the server ends again, use a smaller size or fewer pictures.",
  },
  "work-too-large": {
    kind: "usage",
    what: "One request asks for more drawing than the server takes.",
    why: "Its pictures times steps times megapixels are more than `--max-work`, 20,000 by default: about 1,500 pictures of 512 x 512 in 50 steps.",
    fix: "Ask for fewer pictures, fewer steps or a smaller size, or start the server with a larger `--max-work`.",
  },
  "queue-full": {
    kind: "usage",
    status: 429,
    what: "Too many jobs are waiting.",
    why: "The queue is bounded.",
    fix: "Try again when some are done.",
  },
});
