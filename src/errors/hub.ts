import { rows } from "./row.ts";

export const hubErrors = rows({
  "hub-refused": {
    kind: "failed",
    what: "The hub refused a download.",
    why: "The id or its revision does not exist, is private, or is gated behind terms.",
    fix: "Check the name, accept its terms on the hub, and set `HF_TOKEN` to your access token.",
  },
  "hub-unreachable": {
    kind: "failed",
    what: "The hub could not be reached, or something else answered in its place.",
    why: "There is no network, a proxy is in the way, or `HF_ENDPOINT` is wrong.",
    fix: "Check the network, `HF_ENDPOINT` and the proxies (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`), or pass a local folder.",
  },
  "hub-offline": {
    kind: "failed",
    what: "The model is not in the cache, and `HF_HUB_OFFLINE` is set.",
    why: "It keeps Tiller off the network.",
    fix: "Unset `HF_HUB_OFFLINE`, or pass a local folder.",
  },
  "hub-token": {
    kind: "failed",
    what: "`HF_TOKEN`, or the file that `hf auth login` left, holds no hub access token.",
    why: 'Tokens begin with "hf_".',
    fix: "Correct it or unset it; log in again, or remove the file.",
  },
  "hub-download-failed": {
    kind: "failed",
    what: "A download broke off.",
    why: "The connection failed several times, or what arrived does not have the file's hash.",
    fix: "Run the same command again: it continues where it stopped.",
  },
  "hub-changed": {
    kind: "failed",
    what: "A repository changed during the download.",
    why: "A file that was listed is no longer there.",
    fix: "Try again.",
  },
});
