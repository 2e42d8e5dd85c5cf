/** Packages that are installed only by those who use them. */
import { TillerError } from "../errors/index.ts";

/** @throws TillerError `package-missing` that says how to install it. */
export async function optional<T>(names: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new TillerError("package-missing", `this needs packages that are not installed: npm install ${names}.`, {
      cause: error,
    });
  }
}
