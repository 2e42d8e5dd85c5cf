/** Node's module hooks for TypeScript: its types are stripped by Vite as it is read. Node 20 cannot do that by itself. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { transformWithOxc } from "vite";

/** @type {import("node:module").ResolveHook} */
export const resolve = (specifier, context, next) =>
  // Subpath imports that have a source and a build: the source.
  next(specifier, { ...context, conditions: [...context.conditions, "tiller-source"] });

/** @type {import("node:module").LoadHook} */
export async function load(url, context, next) {
  if (!url.endsWith(".ts")) return next(url, context);
  const file = fileURLToPath(url);
  const { code, map } = await transformWithOxc(await readFile(file, "utf8"), file);
  const inlined = Buffer.from(JSON.stringify(map)).toString("base64");
  const source = `${code}\n//# sourceMappingURL=data:application/json;base64,${inlined}`;
  return { format: "module", source, shortCircuit: true };
}
