/** Who may ask: this machine's own pages and programs, or whoever has the token. */
import type { MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";

const cookie = "tiller_token";
const loopback = new Set(["localhost", "127.0.0.1", "[::1]", "::1"]);

/**
 * Without a token only names of this machine are answered, so that no stranger's name can be made to point here. With one,
 * every request must bring it: as `Authorization: Bearer`, as the password of `Authorization: Basic` (the community's
 * clients know no other), or once as `?token=`, which a cookie then remembers. Pages of other origins are refused either way.
 */
export const protection =
  (token: string | undefined): MiddlewareHandler =>
  async (c, next) => {
    const url = new URL(c.req.url);
    const host = c.req.header("host") ?? url.host;
    const name = host.replace(/:\d+$/, "");
    if (token === undefined && !loopback.has(name))
      return c.json({ error: "this server answers its own machine" }, 403);
    const origin = c.req.header("origin");
    if (origin !== undefined && hostOf(origin) !== host) {
      return c.json({ error: "pages of other origins are not answered" }, 403);
    }
    if (token !== undefined) {
      const given = url.searchParams.get("token");
      const sent = c.req.header("authorization") ?? "";
      const bearer = /^Bearer (.+)$/i.exec(sent)?.[1];
      const basic = /^Basic (.+)$/i.exec(sent)?.[1];
      const password =
        basic &&
        Buffer.from(basic, "base64")
          .toString()
          .replace(/^[^:]*:/, "");
      if (![given, bearer, password, getCookie(c, cookie)].some((one) => one && same(one, token))) {
        return c.json({ error: "the token is missing or wrong: see what tiller studio printed" }, 401, {
          "www-authenticate": 'Basic realm="tiller studio: the token is the password"',
        });
      }
      if (given !== null) setCookie(c, cookie, token, { httpOnly: true, sameSite: "Strict", path: "/" });
    }
    await next();
  };

const hostOf = (origin: string) => (URL.canParse(origin) ? new URL(origin).host : undefined);

/** Compares in a time that does not tell how much is right. */
function same(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < b.length; i++) difference |= (a.charCodeAt(i) || 0) ^ b.charCodeAt(i);
  return difference === 0;
}
