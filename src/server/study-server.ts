/** A server of one study, and of nothing else. */
import { join } from "node:path";
import { Hono } from "hono";
import { TillerError } from "../index.ts";
import { hold } from "../internal.ts";
import { openSittings } from "../study/index.ts";
import { listen } from "./listen.ts";
import { isLoopback } from "./protection.ts";
import { refusalPage } from "./study-pages.ts";
import { studyRoutes } from "./study-routes.ts";

/** Options of a study's server. */
export interface StudyServerOptions {
  /** The folder that `tiller study make` wrote. */
  readonly folder: string;
  /** Loopback by default. Elsewhere, participants' addresses are all that protects their answers. */
  readonly host?: string | undefined;
  /** 0 for any free port. */
  readonly port: number;
}

/** A running server of a study. */
export interface StudyServer {
  /** A participant's address is this and the participant's code. */
  readonly url: string;
  /** Stops the server; answers are kept. */
  close(): Promise<void>;
}

/**
 * Serves a study to its participants.
 *
 * @throws TillerError if the folder has no study or is served already, or the port or host is unavailable.
 */
export async function startStudy({ folder, host = "127.0.0.1", port }: StudyServerOptions): Promise<StudyServer> {
  const sittings = await openSittings(folder);
  const lock = join(folder, "server.lock");
  const release = await hold(lock);
  if (!release)
    throw new TillerError(
      "folder-in-use",
      `another server uses ${folder}: stop it; if there is none, remove ${lock}.`,
      { paths: [folder, lock] },
    );
  const app = new Hono();
  app.route("/", studyRoutes({ studyOf: async () => sittings, loopback: isLoopback(host) }));
  app.notFound((c) => c.html(refusalPage("Nothing is here: open the whole address as it was given to you."), 404));
  const listening = await listen(app.fetch, host, port).catch(async (error: unknown) => {
    await release();
    throw error;
  });
  return {
    url: listening.url,
    async close() {
      await listening.end();
      await release();
    },
  };
}
