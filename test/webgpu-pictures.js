/**
 * Draws pictures on the WebGPU device as a process of its own, since a driver is found when a process starts and may take
 * the process with it. Prints { detail, pictures: base64[], warnings, operators } for requests given as JSON.
 *
 *     node test/webgpu-pictures.js MODEL '[{ "adapters": [], "request": {} }]'
 */

// Named so that types are checked before there is a build, too.
const build = new URL("../dist/index.js", import.meta.url).href;
/** @type {typeof import("../src/index.ts")} */
const { Pipeline, probeDevice } = await import(build);

const [model = "", cases = "[]"] = process.argv.slice(2);
const { ok, detail } = await probeDevice("webgpu");
/** @type {string[]} */
const pictures = [];
const warnings = new Set();
const operators = new Set();
// One pipeline that takes other adapters: most of the time goes into building networks on the device.
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
