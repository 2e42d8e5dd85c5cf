/** Classifies failures of requests to the hub, and words their messages. */
import { HubApiError, InvalidApiResponseFormatError } from "@huggingface/hub";
import { TillerError } from "../../errors/index.ts";

/** `fetch` reports every network failure as a TypeError with the reason in `cause`. */
export function isUnreachable(error: unknown): boolean {
  return (
    (error instanceof TypeError && error.cause !== undefined) ||
    (error instanceof HubApiError && error.statusCode >= 500)
  );
}

/** Whether a retry may help: not if the hub refused the request or the disk failed. */
export function isTransient(error: unknown): boolean {
  if (error instanceof TillerError || isDiskError(error)) return false;
  if (!(error instanceof HubApiError)) return true;
  return error.statusCode >= 500 || error.statusCode === 429 || error.statusCode === 408;
}

const diskErrors = new Set("ENOSPC EDQUOT EACCES EPERM EROFS EIO ENOENT ENOTDIR EISDIR EMFILE ENAMETOOLONG".split(" "));

function isDiskError(error: unknown): boolean {
  return error instanceof Error && diskErrors.has((error as NodeJS.ErrnoException).code ?? "");
}

/** The hub library throws plain strings from streams. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = innermost(error) as NodeJS.ErrnoException;
  return cause === error ? error.message : `${error.message}: ${cause.code ?? cause.message}`;
}

const innermost = (error: Error): Error => (error.cause instanceof Error ? innermost(error.cause) : error);

/** What was requested, as messages name it. */
interface Asked {
  readonly id: string;
  /** `owner/name`, with the revision if one was given. */
  readonly name: string;
  readonly revision?: string | undefined;
  readonly proxy: string | undefined;
}

/** The TillerError for a failure while fetching into `cacheFolder`; other errors are returned unchanged. */
export function explained(
  error: unknown,
  { id, name, revision, proxy }: Asked,
  hubUrl: string,
  cacheFolder: string,
): unknown {
  if (error instanceof TillerError && error.code !== "file-not-written") return error;
  const page = `${hubUrl}/${id}`;
  const by = proxy === undefined ? "" : ` through the proxy ${proxy}`;
  if (error instanceof HubApiError) {
    const { statusCode } = error;
    const sentence =
      statusCode === 401
        ? `${name} is not a local folder or file, and on ${hubUrl} it does not exist, or is private or gated: check the name, accept its terms at ${page}, and set HF_TOKEN to your access token.`
        : statusCode === 403
          ? `${name} is gated: accept its terms at ${page} with the account that HF_TOKEN belongs to.`
          : statusCode === 404
            ? `${name} is not a local folder or file, and ${revision === undefined ? "does not exist" : `there is no ${id}, or it has no revision ${revision},`} on ${hubUrl}: check the name.`
            : `${hubUrl} answered ${statusCode}${by} when asked for ${name}: try again later.`;
    return new TillerError("hub-refused", sentence, { cause: error });
  }
  const refused = error instanceof TillerError ? error.cause : error;
  if (isDiskError(refused)) {
    const { code } = refused as NodeJS.ErrnoException;
    const what = code === "ENOSPC" || code === "EDQUOT" ? "is full" : `could not be written (${code})`;
    return new TillerError(
      "file-not-written",
      `${cacheFolder} ${what}: free space there or set HF_HOME, and run it again to continue.`,
      { paths: [cacheFolder], cause: error },
    );
  }
  if (isUnreachable(error)) {
    // undici gives a proxy's status only in its message.
    if (/\b407\b/.test(String((error as Error).cause)))
      return new TillerError(
        "hub-unreachable",
        `The proxy ${proxy} requires a user name and password: put them in its address, http://NAME:PASSWORD@HOST:PORT.`,
        { cause: error },
      );
    return new TillerError(
      "hub-unreachable",
      `${name} is not a local folder or file, and ${hubUrl} could not be reached${by} (${causeOf(error)}): check the name and the network.`,
      { cause: error },
    );
  }
  if (error instanceof SyntaxError || error instanceof InvalidApiResponseFormatError) {
    return new TillerError(
      "hub-unreachable",
      `${hubUrl} does not answer like the hub${by}: check HF_ENDPOINT and the network.`,
      { cause: error },
    );
  }
  return error;
}
