/** Node module hooks that strip TypeScript types with Vite, because Node 20 cannot. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { transformWithOxc } from "vite";

/** @type {import("node:module").ResolveHook} */
export const resolve = (specifier, context, next) =>
  // Resolves subpath imports to the source, not the build.
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
