/** Where the server keeps what it has. No name from a request reaches the disk but through here. */

import { join } from "node:path";
import { TillerError } from "../index.ts";
import { makeFolder } from "../internal.ts";

export interface DataFolder {
  job(id: string): string;
  picture(id: string): string;
  adapter(name: string): string;
  upload(id: string): string;
  uploaded(id: string, name: string): string;
  readonly jobs: string;
  readonly pictures: string;
  readonly adapters: string;
  readonly uploads: string;
  readonly studies: string;
  study(id: string): string;
  /** What a server of other machines asks for, the same after a restart. */
  readonly token: string;
  /** Held by the server that works here. */
  readonly lock: string;
}

/**
 * Makes the folder and those in it.
 *
 * @throws TillerError if it cannot be made.
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
    upload: (id) => join(uploads, plain(id)),
    // Runs of training lie beside the uploads; theirs are not names of pictures.
    uploaded: (id, name) => join(uploads, strict(id, /^[\w-]{1,64}$/), strict(name, /^\d\d\.png$/)),
    study: (id) => join(studies, `${plain(id)}.json`),
  };
}

/** @throws TillerError unless the name is a plain one: no separators, no dots in front. */
const plain = (name: string): string => strict(name, /^[\w-][\w. -]{0,79}$/);

function strict(name: string, form: RegExp): string {
  if (form.test(name)) return name;
  throw new TillerError("name-invalid", `${JSON.stringify(name.slice(0, 80))} is not a name on this server.`);
}
