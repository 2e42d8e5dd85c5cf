/** Short hashes of texts, for keys. */
import { createHash } from "node:crypto";

/** The end of a key: twenty hexadecimal digits of a text's SHA-256. */
export const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 20);
