/**
 * Runs a script of this folder, TypeScript as it is:
 *
 *     node pretraining/run.js NAME [ARGUMENT...]
 *
 * A build would need models/, package.json and the worker's file once more where it lies; read from its source, all of src/
 * finds them where they are.
 */
import { register } from "node:module";

register("./typescript.js", import.meta.url);
process.setSourceMapsEnabled(true);
const [name] = process.argv.splice(2, 1);
await import(new URL(`${name}.ts`, import.meta.url).href);
