/** Addresses of queues and stores: which are allowed, and how they are shown. */
import { isIP } from "node:net";
import { TillerError } from "../errors/index.ts";

/** An address without its password, for messages. */
export function masked(address: string): string {
  if (!URL.canParse(address)) return address;
  const url = new URL(address);
  const user = url.username === "" && url.password === "" ? "" : `${url.username}:***@`;
  // Parameters may hold passwords too.
  return `${url.protocol}//${user}${url.host}${url.pathname}`;
}

/** @throws TillerError `connection-insecure` unless the connection is encrypted or stays on this machine. */
export function refuseInsecure(url: URL, encrypted: boolean, insecure: boolean): void {
  if (encrypted || insecure || isLoopback(url.hostname)) return;
  throw new TillerError(
    "connection-insecure",
    `${masked(url.href)} is on another machine and not encrypted: use TLS, or allow it in a network you trust with --insecure-queue.`,
  );
}

/** An address with neither host nor port, such as a Unix socket's, is this machine. */
function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "");
  return bare === "" || bare === "localhost" || bare === "::1" || (isIP(bare) === 4 && bare.startsWith("127."));
}
