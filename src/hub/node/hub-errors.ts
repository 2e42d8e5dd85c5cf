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
  const cause = innermost(error) as NodeJS.ErrnoException;
  return cause === error ? error.message : `${error.message}: ${cause.code ?? cause.message}`;
}

const innermost = (error: Error): Error => (error.cause instanceof Error ? innermost(error.cause) : error);

/** What was asked for, as the sentences name it. */
interface Asked {
  readonly id: string;
  /** `owner/name`, at its revision where one was given. */
  readonly name: string;
  readonly revision?: string | undefined;
  readonly proxy: string | undefined;
}

/** The sentence for a failure while fetching into `cacheFolder`; what is no such failure is given back as it is. */
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
        ? `${name} is no folder or file here, and on ${hubUrl} it does not exist, or is private or gated: check the name, accept its terms at ${page}, and set HF_TOKEN to your access token.`
        : statusCode === 403
          ? `${name} is gated: accept its terms at ${page} with the account that HF_TOKEN belongs to.`
          : statusCode === 404
            ? `${name} is no folder or file here, and ${revision === undefined ? "does not exist" : `there is no ${id}, or none of the revision ${revision},`} on ${hubUrl}: check the name.`
            : `${hubUrl} answered ${statusCode}${by} when asked for ${name}: try again later.`;
    return new TillerError("hub-refused", sentence, { cause: error });
  }
  const refused = error instanceof TillerError ? error.cause : error;
  if (isDiskError(refused)) {
    const { code } = refused as NodeJS.ErrnoException;
    const what = code === "ENOSPC" || code === "EDQUOT" ? "is full" : `could not be written (${code})`;
    return new TillerError(
      "file-not-written",
      `${cacheFolder} ${what}: free space there or set HF_HOME, and run it again to go on.`,
      { paths: [cacheFolder], cause: error },
    );
  }
  if (isUnreachable(error)) {
    // undici says in words what a proxy answered.
    if (/\b407\b/.test(String((error as Error).cause)))
      return new TillerError(
        "hub-unreachable",
        `The proxy ${proxy} asks for a name and a password: write them into its address, http://NAME:PASSWORD@HOST:PORT.`,
        { cause: error },
      );
    return new TillerError(
      "hub-unreachable",
      `${name} is no folder or file here, and ${hubUrl} could not be reached for it${by} (${causeOf(error)}): check the name and the network.`,
      { cause: error },
    );
  }
  if (error instanceof SyntaxError || error instanceof InvalidApiResponseFormatError) {
    return new TillerError(
      "hub-unreachable",
      `${hubUrl} does not answer as the hub does${by}: check HF_ENDPOINT and the network.`,
      { cause: error },
    );
  }
  return error;
}
