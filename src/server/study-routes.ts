/**
 * The routes of a study's participants. What they are sent tells nothing of methods: addresses are a participant's code, a position and a
 * letter; pictures are pixels alone; and headers are the same for all.
 */
import { readFile } from "node:fs/promises";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { secureHeaders } from "hono/secure-headers";
import { TillerError } from "../index.ts";
import { questions, type Sittings } from "../study/index.ts";
import { answerTo } from "./answer.ts";
import { refuseOtherHosts, refuseOtherPages } from "./protection.ts";
import { endPage, refusalPage, script, setPage, style, welcomePage } from "./study-pages.ts";

/** The largest answer in bytes. */
const largest = 10 << 10;

export interface StudyRoutesOptions {
  /** The study that a participant's code belongs to. @throws TillerError if it belongs to none. */
  readonly studyOf: (code: string) => Promise<Sittings>;
  /** Whether only this machine is answered. */
  readonly loopback: boolean;
}

/** Everything below `/CODE/`. */
export function studyRoutes({ studyOf, loopback }: StudyRoutesOptions): Hono {
  const app = new Hono();
  app.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        imgSrc: ["'self'", "data:"],
        styleSrc: ["'self'"],
        scriptSrc: ["'self'"],
        connectSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
      xFrameOptions: "DENY",
      // Codes stay here; without an origin, a participant's own form would be refused.
      referrerPolicy: "same-origin",
      strictTransportSecurity: false,
    }),
  );
  if (loopback) app.use(refuseOtherHosts);
  app.use(refuseOtherPages);
  app.use(async (c, next) => {
    await next();
    c.header("cache-control", "no-store");
  });

  /** The participant and the study, both known. */
  const sitting = async (c: Context) => {
    const code = c.req.param("code")!;
    return { code, study: await studyOf(code), position: Number(c.req.param("position")) };
  };
  app.get("/:code", (c) => c.redirect(`${encodeURIComponent(c.req.param("code"))}/`));
  app.get("/:code/", async (c) => {
    const { code, study } = await sitting(c);
    return c.html(welcomePage(await study.progress(code)));
  });
  app.get("/:code/study.css", (c) => c.body(style, 200, { "content-type": "text/css; charset=utf-8" }));
  app.get("/:code/keep.js", (c) => c.body(script, 200, { "content-type": "text/javascript; charset=utf-8" }));
  app.get("/:code/end", async (c) => {
    const { code, study } = await sitting(c);
    return c.html(endPage(await study.progress(code)));
  });
  app.post("/:code/end", bounded, async (c) => {
    const { code, study } = await sitting(c);
    await study.end(code);
    return c.redirect("./", 303);
  });
  app.get("/:code/:position{[0-9]+}", async (c) => {
    const { code, study, position } = await sitting(c);
    const progress = await study.progress(code);
    if (progress.ended) return c.redirect("./");
    return c.html(setPage(progress, await study.page(code, position)));
  });
  app.post("/:code/:position{[0-9]+}", bounded, async (c) => {
    const { code, study, position } = await sitting(c);
    const form = await c.req.parseBody().catch(() => ({}) as Record<string, unknown>);
    const given = questions.flatMap((question) => {
      const value = form[question];
      return typeof value === "string" ? [[question, value] as const] : [];
    });
    if (given.length === 0)
      throw new TillerError(
        "study-answer-invalid",
        "No answer was sent: choose a picture or undecided for each question.",
      );
    const whole = await study.answer(code, position, Object.fromEntries(given));
    if (c.req.query("keep") !== undefined) return c.body(null, 204);
    const { sets } = await study.progress(code);
    return c.redirect(String(whole ? (position < sets ? position + 1 : "end") : position), 303);
  });
  app.get("/:code/:position{[0-9]+}/:name{[a-z0-9-]+\\.png}", async (c) => {
    const { code, study, position } = await sitting(c);
    const file = await study.picture(code, position, c.req.param("name").slice(0, -".png".length));
    return c.body(await readFile(file), 200, { "content-type": "image/png" });
  });
  app.onError((error, c) => {
    const { status, message } = answerTo(error);
    return c.html(refusalPage(message), status);
  });
  return app;
}

const bounded = bodyLimit({
  maxSize: largest,
  onError: (c) => {
    if (c.req.header("content-length") !== undefined) c.header("connection", "close");
    throw new TillerError(
      "request-too-large",
      `The answer is longer than ${largest >> 10} KiB: send it from the page.`,
    );
  },
});
