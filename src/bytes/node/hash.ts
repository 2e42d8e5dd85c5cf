/** SHA-256 from OpenSSL. */
import { createHash } from "node:crypto";
import type { StartedHash } from "../port.ts";

export function startHash(): StartedHash {
  const hash = createHash("sha256");
  return { update: (data) => void hash.update(data), digest: async () => hash.digest("hex") };
}
