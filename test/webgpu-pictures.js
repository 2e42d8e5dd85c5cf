/**
 * Draws pictures on the WebGPU device in a separate process, because drivers are loaded at process start and may crash it. Prints
 * { detail, pictures: base64[], warnings, operators } for requests given as JSON.
 *
 *     node test/webgpu-pictures.js MODEL '[{ "adapters": [], "request": {} }]'
 */

// A computed URL, so that type checking also works without a build.
const build = new URL("../dist/index.js", import.meta.url).href;
/** @type {typeof import("../src/index.ts")} */
const { Pipeline, probeDevice } = await import(build);

const [model = "", cases = "[]"] = process.argv.slice(2);
const { ok, detail } = await probeDevice("webgpu");
/** @type {string[]} */
const pictures = [];
const warnings = new Set();
const operators = new Set();
// One pipeline whose adapters are replaced: building networks on the device takes most of the time.
const [first, ...rest] = JSON.parse(cases);
if (first) {
  const pipeline = await Pipeline.load(model, { adapters: first.adapters, device: "webgpu", profile: true });
  for (const one of [first, ...rest]) {
    if (one !== first) await pipeline.setAdapters(one.adapters);
    for await (const event of pipeline.generate(one.request)) {
      if (event.type === "picture") pictures.push(Buffer.from(event.data).toString("base64"));
      if (event.type === "warning") warnings.add(event.message);
    }
  }
  for (const { operator } of await pipeline.close()) operators.add(operator);
}
console.log(JSON.stringify({ ok, detail, pictures, warnings: [...warnings], operators: [...operators] }));
process.exit(0);
