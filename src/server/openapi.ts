/** The API's description, as OpenAPI and as a page. */

import { z } from "zod";
import { version } from "../index.ts";
import type { Route } from "./routes.ts";

const ownError = { type: "object", properties: { error: { type: "string" } } };
/** The format OpenAI's clients expect. */
const openAiError = {
  type: "object",
  properties: { error: { type: "object", properties: { message: { type: "string" } } } },
};

/** A form with picture files. */
const pictures = {
  type: "object",
  properties: { pictures: { type: "array", items: { type: "string", contentMediaType: "application/octet-stream" } } },
};

export function openApiOf(routes: readonly Route[]): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { method, path, summary, body, answer, type, takes, form, query = {}, status = 200 } of routes) {
    const parameters = [
      ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
        name,
        in: "path",
        required: true,
        schema: { type: "string" },
      })),
      ...Object.entries(query).map(([name, description]) => ({
        name,
        in: "query",
        description,
        schema: { type: "string" },
      })),
    ];
    const content = body
      ? { "application/json": { schema: jsonSchema(body) } }
      : takes
        ? { [takes]: { schema: form ?? pictures } }
        : undefined;
    paths[path] = {
      ...paths[path],
      [method]: {
        summary,
        ...(parameters.length > 0 && { parameters }),
        ...(content && { requestBody: { required: true, content } }),
        responses: {
          [status]: {
            description: "Success.",
            ...(answer && { content: { "application/json": { schema: jsonSchema(answer, "output") } } }),
            ...(type && { content: { [type]: {} } }),
          },
          "4XX": {
            description: "The error, in one sentence.",
            content: {
              "application/json": { schema: path.startsWith("/v1/") ? openAiError : ownError },
            },
          },
        },
      },
    };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Tiller Studio", version, description: "Personalises text-to-image models and steers them." },
    paths,
    // Required only with --host.
    components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
    security: [{}, { token: [] }],
  };
}

const jsonSchema = (schema: z.ZodType, io: "input" | "output" = "input") =>
  z.toJSONSchema(schema, { io, unrepresentable: "any" });

/** The description as a page: each route with its inputs and outputs. */
export function apiPage(routes: readonly Route[]): string {
  const sections = routes.map(({ method, path, summary, body, answer, takes, type, query = {} }) => {
    const asked = Object.entries(query).map(([name, what]) => `<code>?${escaped(name)}=</code> ${escaped(what)}`);
    const part = (title: string, schema: z.ZodType | undefined, other: string | undefined, io: "input" | "output") =>
      schema
        ? `<details><summary>${title}</summary><pre>${escaped(JSON.stringify(jsonSchema(schema, io), null, 2))}</pre></details>`
        : other
          ? `<p>${title}: <code>${escaped(other)}</code></p>`
          : "";
    return `<section><h2><code>${method.toUpperCase()} ${escaped(path)}</code></h2><p>${escaped(summary)}.</p>${asked.length > 0 ? `<p>${asked.join("; ")}</p>` : ""}${part("takes", body, takes, "input")}${part("gives", answer, type, "output")}</section>`;
  });
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Tiller's API</title><style>
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}h2{font-size:1rem;margin:2rem 0 .25rem}p{margin:.25rem 0}pre{overflow:auto;font-size:.8rem;padding:.75rem;border:1px solid #8884;border-radius:6px}
</style></head><body><h1>Tiller's API</h1><p>Also as <a href="/api/openapi.json">OpenAPI</a>.</p>${sections.join("\n")}</body></html>`;
}

const escaped = (text: string): string =>
  text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]!);
