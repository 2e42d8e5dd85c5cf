/** The server's files. Names from requests become paths only here. */

import { join } from "node:path";
import { makeFolder } from "../internal.ts";
import { adapterName, checkedName, plainName, uploadedPicture, uploadName } from "./names.ts";

export interface DataFolder {
  job(id: string): string;
  picture(id: string): string;
  adapter(name: string): string;
  upload(id: string): string;
  /** The path prefix of the files from training this adapter on this upload. */
  runs(upload: string, name: string): string;
  uploaded(id: string, name: string): string;
  readonly jobs: string;
  readonly pictures: string;
  readonly adapters: string;
  readonly uploads: string;
  readonly studies: string;
  /** A study's folder. */
  study(id: string): string;
  /** The file of the token that other machines need; it survives restarts. */
  readonly token: string;
  /** Held by the server that uses the folder. */
  readonly lock: string;
}

/**
 * Makes the folder and its subfolders.
 *
 * @throws TillerError if they cannot be made.
 */
export async function openDataFolder(root: string): Promise<DataFolder> {
  const [jobs, pictures, adapters, uploads, studies] = ["jobs", "pictures", "adapters", "uploads", "studies"].map(
    (name) => join(root, name),
  ) as [string, string, string, string, string];
  for (const folder of [jobs, pictures, adapters, uploads, studies]) await makeFolder(folder);
  return {
    token: join(root, "token"),
    lock: join(root, "server.lock"),
    jobs,
    pictures,
    adapters,
    uploads,
    studies,
    job: (id) => join(jobs, `${plain(id)}.json`),
    picture: (id) => join(pictures, `${plain(id)}.png`),
    adapter: (name) => join(adapters, `${plain(name)}.safetensors`),
    upload: (id) => join(uploads, checkedName(id, uploadName)),
    runs: (id, name) => join(uploads, `${checkedName(id, uploadName)}.${checkedName(name, adapterName)}.`),
    uploaded: (id, name) => join(uploads, checkedName(id, uploadName), checkedName(name, uploadedPicture)),
    study: (id) => join(studies, plain(id)),
  };
}

const plain = (name: string): string => checkedName(name, plainName);
