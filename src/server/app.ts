/** The server's routes, put together. */

import { serveStatic } from "@hono/node-server/serve-static";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { secureHeaders } from "hono/secure-headers";
import { TillerError } from "../index.ts";
import { answerTo } from "./answer.ts";
import { communityRoutes } from "./community-form.ts";
import { openAiRoutes } from "./openai-form.ts";
import { apiPage, openApiOf } from "./openapi.ts";
import { answerWith, familiesOf } from "./prometheus.ts";
import { protection } from "./protection.ts";
import { parseBody, type Route, routes, type Services } from "./routes.ts";
import { studyRoutes } from "./study-routes.ts";

export interface AppOptions {
  /** Without a token, only this machine is answered. */
  readonly token?: string | undefined;
  /** The built page's folder. */
  readonly page: string;
}

/** The largest JSON request and upload, in bytes. */
const [largestJson, largestUpload] = [1 << 20, 100 << 20];

export function appOf(services: Services, { token, page }: AppOptions): Hono {
  const app = new Hono();
  const all: readonly Route[] = [...routes, ...openAiRoutes, ...communityRoutes];
  // Before everything else: participants have no token, and headers of their own.
  app.route("/study", studyRoutes({ studyOf: services.studies.sittingsOf, loopback: token === undefined }));
  app.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'self'"],
        imgSrc: ["'self'", "data:", "blob:"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
      xFrameOptions: "DENY",
      // The server itself uses plain HTTP.
      strictTransportSecurity: false,
    }),
  );
  app.use(protection(token));
  const tooLarge = (most: number) =>
    bodyLimit({
      maxSize: most,
      // The rest of the request is not read and the connection is closed. Endless senders are read from for a while longer, or
      // the answer would be lost with the connection.
      onError: (c) => {
        if (c.req.header("content-length") !== undefined) c.header("connection", "close");
        throw new TillerError(
          "request-too-large",
          `The request is longer than ${most / 2 ** 20} MiB: send less at once.`,
        );
      },
    });
  for (const { method, path, body, takes, holdsPictures, handle } of all) {
    const pattern = path.replace("{id}.png", ":file{[^/]+\\.png}").replaceAll(/\{(\w+)\}/g, ":$1");
    app.on(method.toUpperCase(), pattern, tooLarge(takes || holdsPictures ? largestUpload : largestJson), async (c) =>
      handle(c, services, body ? await parseBody(c, body) : undefined),
    );
  }
  app.get("/api/openapi.json", (c) => c.json(openApiOf(all)));
  app.get("/metrics", (c) => answerWith(c, familiesOf(services.jobs.list(), process.memoryUsage.rss())));
  app.get("/api", (c) => c.html(apiPage(all)));
  app.use("*", serveStatic({ root: page }));
  app.notFound((c) => {
    throw new TillerError("not-found", `Nothing is at ${c.req.path}: /api lists the addresses.`);
  });
  app.onError((error, c) => {
    const { status, message, code } = answerTo(error);
    // OpenAI's clients look for an object with a message.
    if (c.req.path.startsWith("/v1/")) {
      return c.json(
        { error: { message, type: status < 500 ? "invalid_request_error" : "server_error", code: code ?? null } },
        status,
      );
    }
    return c.json({ error: message, detail: message, code }, status);
  });
  return app;
}
