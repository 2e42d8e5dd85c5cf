/** Requests to one server, typed by its routes. */
import { ApiError, errorOf } from "./error.ts";
import type { Answer, Body, RouteName } from "./routes.ts";

/** The parts of a request besides its path. */
interface Asked<Given> {
  /** Replaces `{id}` in the path. */
  readonly id?: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: Given;
  readonly form?: FormData;
  readonly signal?: AbortSignal | undefined;
}

export interface Connection {
  /** The URL of a path, with `{id}` filled in. */
  url(path: string, asked?: Pick<Asked<never>, "id" | "query">): string;
  /** Requests JSON. @throws ApiError */
  ask<R extends RouteName>(route: R, asked?: Asked<Body<R>>): Promise<Answer<R>>;
  /** Requests anything else. @throws ApiError */
  open(path: string, asked?: Pick<Asked<never>, "id" | "signal">): Promise<Response>;
}

/** @param address The URL that the server prints, with its token if any; "" in the server's own pages. */
export function connect(address: string | URL): Connection {
  const { base, token } = parsed(address);
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };

  const url: Connection["url"] = (path, { id = "", query = {} } = {}) => {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
    return `${base}${path.replace("{id}", encodeURIComponent(id))}${search.size > 0 ? `?${search}` : ""}`;
  };

  async function send(address: string, init: RequestInit, signal: AbortSignal | undefined): Promise<Response> {
    const answer = await fetch(address, { ...init, ...(signal && { signal }) }).catch((cause) => {
      signal?.throwIfAborted();
      throw new ApiError("the server does not answer: is it still running?", { cause });
    });
    if (!answer.ok) throw await errorOf(answer);
    return answer;
  }

  return {
    url,
    async ask<R extends RouteName>(route: R, asked: Asked<Body<R>> = {}) {
      const [method, path] = route.split(" ") as [string, string];
      const { body, form, signal } = asked;
      const json = body !== undefined && { "content-type": "application/json" };
      const content = form ?? (json && JSON.stringify(body));
      const init = {
        method: method.toUpperCase(),
        headers: { ...headers, ...json },
        ...(content && { body: content }),
      };
      const answer = await send(url(path, asked), init, signal);
      if (answer.status === 204) return undefined as Answer<R>;
      return (await answer.json().catch((cause) => {
        signal?.throwIfAborted();
        throw new ApiError("the server's answer is not JSON: is it Tiller's?", { status: answer.status, cause });
      })) as Answer<R>;
    },
    open: (path, { id, signal } = {}) => send(url(path, id === undefined ? {} : { id }), { headers }, signal),
  };
}

function parsed(address: string | URL): { base: string; token: string | null } {
  if (address === "") return { base: "", token: null };
  const url = new URL(address);
  return { base: `${url.origin}${url.pathname}`.replace(/\/$/, ""), token: url.searchParams.get("token") };
}
