/** SHA-256 from the browser, which needs all the data at once. */
import type { StartedHash } from "../port.ts";

export function startHash(): StartedHash {
  const parts: BlobPart[] = [];
  return {
    update: (data) => void parts.push(data as BlobPart),
    async digest() {
      const sum = await crypto.subtle.digest("SHA-256", await new Blob(parts).arrayBuffer());
      return Array.from(new Uint8Array(sum), (byte) => byte.toString(16).padStart(2, "0")).join("");
    },
  };
}
