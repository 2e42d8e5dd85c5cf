/**
 * Runs a TypeScript script of this folder without a build:
 *
 *     node pretraining/run.js NAME [ARGUMENT...]
 *
 * A build would need copies of models/, package.json and the worker beside it; run from source, src/ finds them in place.
 */
import { register } from "node:module";

register("./typescript.js", import.meta.url);
process.setSourceMapsEnabled(true);
const [name] = process.argv.splice(2, 1);
await import(new URL(`${name}.ts`, import.meta.url).href);
