/** Checks names from requests that become file and folder names, safely on every operating system. */
import { TillerError } from "../index.ts";

interface NameForm {
  readonly form: RegExp;
  /** Continues a sentence after "use". */
  readonly is: string;
}

/** No dots or spaces at either end: Windows drops them at the end, and a leading dot hides a file. */
export const plainName: NameForm = {
  form: /^[\w-](?:[\w. -]{0,78}[\w-])?$/,
  is: "up to 80 letters, digits, dashes and underscores, with dots and spaces between them",
};

export const adapterName: NameForm = { form: /^[\w-]{1,40}$/, is: "up to 40 letters, digits, dashes and underscores" };

/** Training runs are beside the uploads: their names have dots, an upload's has none. */
export const uploadName: NameForm = { form: /^[\w-]{1,64}$/, is: "the id that the server gave the upload" };

export const uploadedPicture: NameForm = { form: /^\d\d\.png$/, is: "two digits and .png" };

/** Device names, which Windows reserves in every folder and with any extension. */
const device = /^(?:con|prn|aux|nul|com\d|lpt\d) *(?:\.|$)/i;

/** @throws TillerError `name-invalid` unless the name matches the form and is valid on every system. */
export function checkedName(name: string, { form, is }: NameForm): string {
  const shown = JSON.stringify(name.slice(0, 80));
  if (!form.test(name)) throw new TillerError("name-invalid", `${shown} cannot be a name here: use ${is}.`);
  if (device.test(name)) throw new TillerError("name-invalid", `${shown} is a device's name on Windows: use another.`);
  return name;
}
