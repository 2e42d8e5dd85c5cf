/**
 * Draws pictures on the WebGPU device as a process of its own, since a driver is found when a process starts and may take
 * the process with it. Prints { device, detail, pictures: base64[] } for requests given as JSON.
 *
 *     node test/webgpu-pictures.js MODEL '[{ "adapters": [], "request": {} }]'
 */
import { Pipeline, probeDevice } from "../dist/index.js";

const [model = "", cases = "[]"] = process.argv.slice(2);
const { detail } = await probeDevice("webgpu");
const pictures = [];
for (const { adapters, request } of JSON.parse(cases)) {
  const pipeline = await Pipeline.load(model, { adapters, device: "webgpu" });
  for await (const event of pipeline.generate(request)) {
    if (event.type === "picture") pictures.push(Buffer.from(event.data).toString("base64"));
  }
  await pipeline.close();
}
console.log(JSON.stringify({ detail, pictures }));
process.exit(0);
