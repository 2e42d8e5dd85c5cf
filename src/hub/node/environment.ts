/** The hub's settings from the environment variables that huggingface_hub reads. */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { HUB_URL } from "@huggingface/hub";
import { TillerError } from "../../errors/index.ts";

/** The hub's address, without a trailing slash. */
export const hubAddress = (endpoint: string | undefined): string =>
  (endpoint || process.env.HF_ENDPOINT || HUB_URL).replace(/\/+$/, "");

/** The folder in which huggingface_hub keeps its token, and its cache in `hub/`. */
const home = (): string =>
  place(process.env.HF_HOME) ?? join(place(process.env.XDG_CACHE_HOME) ?? join(homedir(), ".cache"), "huggingface");

export const cacheFolderOf = (): string =>
  place(process.env.HF_HUB_CACHE) ?? place(process.env.HUGGINGFACE_HUB_CACHE) ?? join(home(), "hub");

/**
 * The access token: HF_TOKEN, else the one that `hf auth login` stored in HF_TOKEN_PATH or HF_HOME/token.
 *
 * @throws TillerError if it is not an access token; the message does not contain it.
 */
export async function accessToken(): Promise<string | undefined> {
  if (isOn("HF_HUB_DISABLE_IMPLICIT_TOKEN")) return undefined;
  const variable = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"].find((name) => process.env[name]?.trim());
  const file = place(process.env.HF_TOKEN_PATH) ?? join(home(), "token");
  const token = variable ? process.env[variable]!.trim() : (await readFile(file, "utf8").catch(() => "")).trim();
  if (token === "") return undefined;
  if (token.startsWith("hf_") && !/\s/.test(token)) return token;
  throw new TillerError(
    "hub-token",
    variable
      ? `${variable} is not a hub access token, which begins with "hf_": correct it or unset it.`
      : `${file} does not hold a hub access token, which begins with "hf_": log in with \`hf auth login\`, or remove the file.`,
    { paths: variable ? [] : [file] },
  );
}

export const isOffline = (): boolean => isOn("HF_HUB_OFFLINE") || isOn("TRANSFORMERS_OFFLINE");

/** Whether to fetch files in Xet storage by the hub's plain download. */
export const isXetOff = (): boolean => isOn("HF_HUB_DISABLE_XET");

const isOn = (name: string): boolean => /^(1|on|yes|true)$/i.test(process.env[name] ?? "");

/** A path from the environment, with `~` expanded to the user's home folder. */
const place = (path: string | undefined): string | undefined => path?.replace(/^~(?=$|[\\/])/, homedir()) || undefined;
