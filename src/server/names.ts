/** Names from requests that become names of files and folders, on whatever system the server runs. */
import { TillerError } from "../index.ts";

interface NameForm {
  readonly form: RegExp;
  /** As a sentence goes on after "use". */
  readonly is: string;
}

/** Dots and spaces stand in between only: Windows drops them at an end, and a dot in front hides a file. */
export const plainName: NameForm = {
  form: /^[\w-](?:[\w. -]{0,78}[\w-])?$/,
  is: "up to 80 letters, digits, dashes and underscores, with dots and spaces between them",
};

export const adapterName: NameForm = { form: /^[\w-]{1,40}$/, is: "up to 40 letters, digits, dashes and underscores" };

/** Runs of training lie beside the uploads: they have dots in their names, an upload has none. */
export const uploadName: NameForm = { form: /^[\w-]{1,64}$/, is: "the id that an upload was answered with" };

export const uploadedPicture: NameForm = { form: /^\d\d\.png$/, is: "a number of two digits and .png" };

/** Windows has these in every folder, whatever extension follows. */
const device = /^(?:con|prn|aux|nul|com\d|lpt\d) *(?:\.|$)/i;

/** @throws TillerError `name-invalid` unless the name is of the form, and a file's on every system. */
export function checkedName(name: string, { form, is }: NameForm): string {
  const shown = JSON.stringify(name.slice(0, 80));
  if (!form.test(name)) throw new TillerError("name-invalid", `${shown} cannot be a name here: use ${is}.`);
  if (device.test(name)) throw new TillerError("name-invalid", `${shown} is a device's name on Windows: use another.`);
  return name;
}
