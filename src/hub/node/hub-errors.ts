/** What can go wrong between here and the hub, told apart and put in sentences. */
import { HubApiError, InvalidApiResponseFormatError } from "@huggingface/hub";
import { TillerError } from "../../errors/index.ts";

/** `fetch` reports every network failure as a TypeError with the reason in `cause`. */
export function isUnreachable(error: unknown): boolean {
  return (
    (error instanceof TypeError && error.cause !== undefined) ||
    (error instanceof HubApiError && error.statusCode >= 500)
  );
}

/** Whether asking again may help: not if the hub refused, nor if the disk did. */
export function isTransient(error: unknown): boolean {
  if (error instanceof TillerError || isDiskError(error)) return false;
  if (!(error instanceof HubApiError)) return true;
  return error.statusCode >= 500 || error.statusCode === 429 || error.statusCode === 408;
}

const diskErrors = new Set("ENOSPC EDQUOT EACCES EPERM EROFS EIO ENOENT ENOTDIR EISDIR EMFILE ENAMETOOLONG".split(" "));

function isDiskError(error: unknown): boolean {
  return error instanceof Error && diskErrors.has((error as NodeJS.ErrnoException).code ?? "");
}

/** The hub's library throws bare messages out of a stream. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
  return code ? `${error.message} (${code})` : error.message;
}

/** The sentence for a failure while fetching `id` into `cacheFolder`; what is no such failure is given back as it is. */
export function explained(error: unknown, id: string, hubUrl: string, cacheFolder: string): unknown {
  if (error instanceof TillerError && error.code !== "file-not-written") return error;
  const page = `${hubUrl}/${id}`;
  if (error instanceof HubApiError) {
    const { statusCode } = error;
    const sentence =
      statusCode === 401
        ? `${id} is no folder or file here, and on ${hubUrl} it does not exist, or is private or gated: check the name, accept its terms at ${page}, and set HF_TOKEN to your access token.`
        : statusCode === 403
          ? `${id} is gated: accept its terms at ${page} with the account that HF_TOKEN belongs to.`
          : statusCode === 404
            ? `${id} is no folder or file here, and does not exist on ${hubUrl}: check the name.`
            : `${hubUrl} answered ${statusCode} when asked for ${id}: try again later.`;
    return new TillerError("hub-refused", sentence, { cause: error });
  }
  const refused = error instanceof TillerError ? error.cause : error;
  if (isDiskError(refused)) {
    const { code } = refused as NodeJS.ErrnoException;
    return new TillerError(
      "file-not-written",
      `${cacheFolder} could not be written (${code}): free space there or set HF_HOME.`,
      { paths: [cacheFolder], cause: error },
    );
  }
  if (isUnreachable(error)) {
    return new TillerError(
      "hub-unreachable",
      `${id} is no folder or file here, and ${hubUrl} could not be reached for it (${causeOf(error)}): check the name and the network.`,
      { cause: error },
    );
  }
  if (error instanceof SyntaxError || error instanceof InvalidApiResponseFormatError) {
    return new TillerError(
      "hub-unreachable",
      `${hubUrl} does not answer as the hub does: check HF_ENDPOINT and the network.`,
      { cause: error },
    );
  }
  return error;
}
