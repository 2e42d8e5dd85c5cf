/** Access control: this machine's own pages and programs, or whoever has the token. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import { every } from "hono/combine";
import { getCookie, setCookie } from "hono/cookie";
import { TillerError } from "../index.ts";

const cookie = "tiller_token";
const loopback = new Set(["localhost", "127.0.0.1", "[::1]", "::1"]);

/** Whether a host's name is this machine's own. */
export const isLoopback = (host: string): boolean => loopback.has(host);

/** Answers loopback host names only, which prevents DNS rebinding. */
export const refuseOtherHosts: MiddlewareHandler = async (c, next) => {
  const name = hostIn(c).replace(/:\d+$/, "");
  if (!isLoopback(name)) {
    throw new TillerError(
      "host-not-allowed",
      `This server answers this machine only, not ${name}: use http://localhost, or start it with --host.`,
    );
  }
  await next();
};

/** Refuses pages of other origins. */
export const refuseOtherPages: MiddlewareHandler = async (c, next) => {
  if (isOfAnotherPage(c, hostIn(c))) {
    throw new TillerError(
      "origin-not-allowed",
      "Pages of other websites are not answered: open this server's own page.",
    );
  }
  await next();
};

/**
 * Without a token only loopback host names are answered. With one, every request must have it: as `Authorization: Bearer`, as the
 * password of `Authorization: Basic` (the only way the web UI's clients know), or once as `?token=`, which a cookie then remembers.
 * Pages of other origins are refused either way.
 *
 * Hono's `csrf` is both too lax and too strict: it lets other pages read and send JSON, and refuses forms from programs, which
 * send no origin.
 */
export const protection = (token: string | undefined): MiddlewareHandler =>
  every(...(token === undefined ? [refuseOtherHosts] : []), refuseOtherPages, ...(token ? [requireToken(token)] : []));

const requireToken =
  (token: string): MiddlewareHandler =>
  async (c, next) => {
    const given = new URL(c.req.url).searchParams.get("token");
    const sent = c.req.header("authorization") ?? "";
    const bearer = /^Bearer (.+)$/i.exec(sent)?.[1];
    const basic = /^Basic (.+)$/i.exec(sent)?.[1];
    const password =
      basic &&
      Buffer.from(basic, "base64")
        .toString()
        .replace(/^[^:]*:/, "");
    if (![given, bearer, password, getCookie(c, cookie)].some((one) => one && same(one, token))) {
      // Browsers then ask for it.
      c.header("www-authenticate", 'Basic realm="tiller studio: the token is the password"');
      throw new TillerError(
        "token-invalid",
        "The token is missing or wrong: tiller studio printed it when it started.",
      );
    }
    if (given !== null) setCookie(c, cookie, token, { httpOnly: true, sameSite: "Strict", path: "/" });
    await next();
  };

const hostIn = ({ req }: Context): string => req.header("host") ?? new URL(req.url).host;

const hostOf = (origin: string) => (URL.canParse(origin) ? new URL(origin).host : undefined);

/**
 * Whether the request comes from a page of another origin. Browsers send `Origin` when a page sends data, and `Sec-Fetch-Site`
 * even when it only loads something; programs send neither. Following a link is an act of the user, not of the page that has it.
 */
function isOfAnotherPage({ req }: Context, host: string): boolean {
  const origin = req.header("origin");
  if (origin !== undefined && hostOf(origin) !== host) return true;
  const [site, mode, dest] = ["site", "mode", "dest"].map((name) => req.header(`sec-fetch-${name}`));
  if (site === undefined || site === "same-origin" || site === "none") return false;
  return !(req.method === "GET" && mode === "navigate" && dest === "document");
}

/** Compares in constant time; digests, because they have equal length. */
const same = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b));

const digest = (text: string) => createHash("sha256").update(text).digest();
