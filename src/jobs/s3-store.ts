/**
 * A store in a bucket of S3 or a server that speaks its protocol. Files are objects named by their key and hash; a result is a
 * manifest that lists them, written last and only if there is none. So two workers that finish the same result never mix.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "#bytes";
import { writeWhole } from "../bytes/write-whole.ts";
import { TillerError } from "../errors/index.ts";
import { masked, refuseInsecure } from "./address.ts";
import {
  checkedKey,
  damaged,
  filesOf,
  largestManifest,
  lastOfAll,
  manifestText,
  missing,
  parseManifest,
} from "./manifest.ts";
import { optional } from "./optional-package.ts";
import type { Store } from "./store.ts";

/** Attempts to reach the server. */
const attempts = 5;

/**
 * Opens `s3://bucket/prefix`, with `?endpoint=` and `&region=` for other servers than Amazon's. Credentials, and the defaults of
 * both, come from the variables that Amazon's own tools read.
 *
 * @throws TillerError if the address is wrong or not encrypted, or if there are no credentials.
 */
export async function openS3Store(
  where: string,
  { insecure = false, env = process.env }: { readonly insecure?: boolean; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Store> {
  const url = URL.canParse(where) ? new URL(where) : undefined;
  if (!url?.hostname) {
    throw new TillerError("address-invalid", `${masked(where)} is not a store: write s3://bucket/prefix, or a folder.`);
  }
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN } = env;
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new TillerError(
      "store-refused",
      "there are no credentials for the store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    );
  }
  const region = url.searchParams.get("region") ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? "us-east-1";
  const endpoint = url.searchParams.get("endpoint") ?? env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL;
  const base = endpoint
    ? `${endpoint.replace(/\/$/, "")}/${url.hostname}`
    : `https://${url.hostname}.s3.${region}.amazonaws.com`;
  refuseInsecure(new URL(base), base.startsWith("https:"), insecure);
  const prefix = url.pathname.replace(/^\/|\/$/g, "");
  const at = (name: string) => `${base}/${prefix === "" ? "" : `${prefix}/`}${name}`;
  const { AwsClient } = await optional("aws4fetch", () => import("aws4fetch"));
  const client = new AwsClient({
    ...{ accessKeyId, secretAccessKey, region, service: "s3", retries: attempts },
    ...(AWS_SESSION_TOKEN !== undefined && { sessionToken: AWS_SESSION_TOKEN }),
  });
  const name = `s3://${url.hostname}/${prefix}`;

  /** A request; network failures are repeated, as aws4fetch repeats the server's own. */
  const ask = async (object: string, init: RequestInit, expected: readonly number[]): Promise<Response> => {
    for (let i = 1; ; i++) {
      let response: Response;
      try {
        response = await client.fetch(at(object), init);
      } catch (error) {
        if (i < attempts) {
          await wait(200 * 2 ** i);
          continue;
        }
        throw new TillerError("store-refused", `${name} does not answer: ${reasonOf(error)}.`, { cause: error });
      }
      if (expected.includes(response.status)) return response;
      const text = await response.text();
      const code = /<Code>([^<]{1,80})</.exec(text)?.[1] ?? "no code";
      throw new TillerError("store-refused", `${name} refused ${init.method} with ${response.status} ${code}.`);
    }
  };
  const read = async (object: string, most: number): Promise<Buffer | undefined> => {
    const response = await ask(object, { method: "GET" }, [200, 404]);
    if (response.status === 404) {
      await response.arrayBuffer();
      return undefined;
    }
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of response.body ?? []) {
      bytes += part.length;
      if (bytes > most) throw damaged(object, `it is longer than ${most} bytes`);
      parts.push(part);
    }
    return Buffer.concat(parts);
  };
  /** Writes an object, and compares what the server says it has. Returns false if it was there and `first` is asked for. */
  const write = async (object: string, bytes: Uint8Array, first: boolean): Promise<boolean> => {
    const headers = { "content-type": "application/octet-stream", ...(first && { "if-none-match": "*" }) };
    let response: Response;
    for (let i = 1; ; i++) {
      // 409: another worker is just writing it, and may not succeed.
      response = await ask(
        object,
        { method: "PUT", headers, body: bytes as Uint8Array<ArrayBuffer> },
        i < attempts ? [200, 409, 412] : [200, 412],
      );
      await response.arrayBuffer();
      if (response.status === 412) return false;
      if (response.status === 200) break;
      await wait(200 * 2 ** i);
    }
    const etag = /^"([0-9a-f]{32})"$/.exec(response.headers.get("etag") ?? "")?.[1];
    // With a key of KMS the tag is no hash.
    const encrypted = response.headers.get("x-amz-server-side-encryption")?.startsWith("aws:kms") ?? false;
    if (etag !== undefined && !encrypted && etag !== createHash("md5").update(bytes).digest("hex"))
      throw damaged(object, "the server received something else");
    return true;
  };
  const part = (key: string, sha256: string) => `files/${key}/${sha256}`;
  const result = (key: string) => `results/${checkedKey(key)}.json`;
  const listed = async (key: string) => {
    const manifest = await read(result(key), largestManifest);
    return manifest && parseManifest(manifest.toString(), key);
  };
  const erase = (object: string) => ask(object, { method: "DELETE" }, [200, 204, 404]);
  const put = async (key: string, from: string, first: boolean) => {
    const before = first ? [] : ((await listed(key)) ?? []);
    const files = await filesOf(from);
    for (const { name: file, sha256 } of files) await write(part(key, sha256), await readFile(join(from, file)), true);
    const written = await write(result(key), Buffer.from(manifestText(files)), first);
    const kept = new Set(files.map(({ sha256 }) => sha256));
    for (const { sha256 } of before) if (!kept.has(sha256)) await erase(part(key, sha256));
    return written;
  };
  return {
    name,
    async has(key) {
      const { status } = await ask(result(key), { method: "HEAD" }, [200, 404]);
      return status === 200;
    },
    async fetch(key, into) {
      const files = await listed(key);
      if (!files) throw missing(key);
      await makeFolder(into);
      for (const { name: file, bytes, sha256 } of lastOfAll(files)) {
        const contents = await read(part(key, sha256), bytes);
        if (!contents) throw damaged(key, `${file} is missing`);
        if (createHash("sha256").update(contents).digest("hex") !== sha256)
          throw damaged(key, `${file} has another hash`);
        await makeFolder(join(into, file, ".."));
        await writeWhole(join(into, file), contents);
      }
    },
    publish: (key, from) => put(key, from, true),
    async replace(key, from) {
      await put(key, from, false);
    },
    async remove(key) {
      const files = await listed(key);
      await erase(result(key));
      for (const { sha256 } of files ?? []) await erase(part(key, sha256));
    },
  };
}

const wait = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message : String(cause);
}
