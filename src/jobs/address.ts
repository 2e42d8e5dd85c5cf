/** Addresses of queues and stores: which are allowed, and how they are shown. */
import { isIP } from "node:net";
import { TillerError } from "../errors/index.ts";

/** An address without its password, for messages. */
export function masked(address: string): string {
  if (!URL.canParse(address)) return address.replace(/\?.*/s, "").replace(/(?<=\/\/).*@/s, "***@");
  const url = new URL(address);
  const user = url.username === "" && url.password === "" ? "" : `${url.username}:***@`;
  // Parameters may hold passwords too.
  return `${url.protocol}//${user}${url.host}${url.pathname}`;
}

/**
 * @param host Where the address leads: drivers take it from elsewhere if the address has none, or from a parameter.
 * @throws TillerError `connection-insecure` unless the connection is encrypted or stays on this machine.
 */
export function refuseInsecure(url: URL, encrypted: boolean, insecure: boolean, host = url.hostname): void {
  if (encrypted || insecure || isLoopback(host)) return;
  throw new TillerError(
    "connection-insecure",
    `${masked(url.href)} is on another machine and not encrypted: use TLS, or allow it in a network you trust with --insecure-queue.`,
  );
}

/** A Unix socket and no host at all are this machine. */
function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "");
  return (
    bare === "" ||
    /^(?:\/|%2f)/i.test(bare) ||
    bare === "localhost" ||
    bare === "::1" ||
    (isIP(bare) === 4 && bare.startsWith("127."))
  );
}
