/** Requests through the environment's proxies, as in curl and Python's libraries; Node's own fetch ignores them. */

const first = (...names: readonly string[]): string | undefined =>
  names.map((name) => process.env[name]?.trim()).find((value) => value);

/** A proxy address for undici: with a scheme; with both socks5 and socks5h the proxy resolves names. */
function address(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  return /^\w+:\/\//.test(value) ? value.replace(/^socks5h:/i, "socks5:") : `http://${value}`;
}

/** A proxy's address without any user name and password. */
function told(proxy: string | undefined): string | undefined {
  if (proxy === undefined) return undefined;
  try {
    const { protocol, host } = new URL(proxy);
    return `${protocol}//${host}`;
  } catch {
    return "whose address is not valid";
  }
}

/** Milliseconds to wait for a response to begin; undici retries forever if a proxy closes every connection. */
const patience = 60_000;

const noAnswer = (): TypeError =>
  new TypeError("fetch failed", { cause: Object.assign(new Error("no answer"), { code: "ETIMEDOUT" }) });

export interface ProxiedFetch {
  readonly fetch: typeof fetch;
  /** The proxy for requests to the hub, for messages. */
  readonly proxy?: string | undefined;
}

/**
 * A `fetch` that goes through HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, except to the hosts of NO_PROXY, in upper or lower case.
 * Node's own if none is set.
 */
export async function proxiedFetch(hubUrl: string): Promise<ProxiedFetch> {
  const any = first("all_proxy", "ALL_PROXY");
  const httpProxy = address(first("http_proxy", "HTTP_PROXY") ?? any);
  const httpsProxy = address(first("https_proxy", "HTTPS_PROXY") ?? any);
  if (httpProxy === undefined && httpsProxy === undefined) return { fetch };
  const undici = await import("undici");
  const noProxy = first("no_proxy", "NO_PROXY");
  const dispatcher = new undici.EnvHttpProxyAgent({
    // For http, proxies expect requests with the full address; CONNECT is for https.
    proxyTunnel: false,
    ...(httpProxy && { httpProxy }),
    ...(httpsProxy && { httpsProxy }),
    ...(noProxy && { noProxy }),
  });
  const proxied = async (input: string | URL | Request, init?: RequestInit) => {
    const silent = new AbortController();
    const timer = setTimeout(() => silent.abort(noAnswer()), patience);
    const signal = init?.signal ? AbortSignal.any([init.signal, silent.signal]) : silent.signal;
    try {
      return await undici.fetch(input as string, { ...(init as object), signal, dispatcher });
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    fetch: proxied as unknown as typeof fetch,
    proxy: told(hubUrl.startsWith("http:") ? httpProxy : (httpsProxy ?? httpProxy)),
  };
}
