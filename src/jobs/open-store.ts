/** Opens stores by their addresses. */
import { TillerError } from "../errors/index.ts";
import { openFolderStore } from "./folder-store.ts";
import type { Store } from "./store.ts";

/**
 * Opens a store: a folder, or `s3://bucket/prefix`.
 *
 * @throws TillerError if it is neither, or the bucket's server may not be used.
 */
export async function openStore(where: string, options: { readonly insecure?: boolean } = {}): Promise<Store> {
  if (where.startsWith("s3://")) return (await import("./s3-store.ts")).openS3Store(where, options);
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(where)) {
    throw new TillerError(
      "address-invalid",
      `${where.split("://")[0]}:// is not a store: name a folder, or s3://bucket/prefix.`,
    );
  }
  return openFolderStore(where);
}
