/** Listening on a host and port. */
import { serve } from "@hono/node-server";
import type { Hono } from "hono";
import { TillerError } from "../index.ts";

export interface Listening {
  /** Where it listens, with a slash at the end. */
  readonly url: string;
  /** Stops listening, and closes all connections. */
  end(): Promise<void>;
}

/** @throws TillerError if it is no port's number. */
export function refuseNoPort(port: number): void {
  if (!(port >= 0 && port <= 65535)) throw new TillerError("address-invalid", `port ${port} must be 0 to 65535.`);
}

/** The options that named a port and a host. */
const usualOptions = { port: "--port", host: "--host" };

/** @throws TillerError if the port or host is unavailable; it names the option to change. */
export async function listen(
  fetch: Hono["fetch"],
  host: string,
  port: number,
  options = usualOptions,
): Promise<Listening> {
  refuseNoPort(port);
  const server = await new Promise<ReturnType<typeof serve>>((done, fail) => {
    const started = serve({ fetch, hostname: host, port }, () => done(started));
    started.on("error", (error: NodeJS.ErrnoException) => fail(refusedBecause(error, host, port, options)));
  });
  const address = server.address();
  const at = typeof address === "object" && address ? address.port : port;
  const name = host.includes(":") ? `[${host}]` : host === "0.0.0.0" ? "localhost" : host;
  return {
    url: `http://${name}:${at}/`,
    end: () =>
      new Promise<void>((done) => {
        server.close(() => done());
        if ("closeAllConnections" in server) server.closeAllConnections();
      }),
  };
}

/** Why a server cannot listen. */
function refusedBecause(error: NodeJS.ErrnoException, host: string, port: number, options: typeof usualOptions): Error {
  switch (error.code) {
    case "EADDRINUSE":
      return new TillerError("address-invalid", `port ${port} is taken: choose another with ${options.port}.`);
    case "EACCES":
      return new TillerError(
        "address-invalid",
        `port ${port} needs administrator rights: choose one from 1024 on with ${options.port}.`,
      );
    case "ENOTFOUND":
    case "EADDRNOTAVAIL":
    case "EAI_AGAIN":
      return new TillerError(
        "address-invalid",
        `${host} is not an address of this machine: choose another with ${options.host}.`,
      );
    default:
      return error;
  }
}
