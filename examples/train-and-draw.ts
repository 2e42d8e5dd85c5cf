/** Learns a subject from its pictures and draws it in a new scene: node examples/train-and-draw.ts --images my-dog --class dog (Node 22.18 or later). */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { encodePng, Pipeline, train } from "tillerjs";

const { images, out, steps, ...subject } = parseArgs({
  options: {
    images: { type: "string", default: "my-dog" },
    class: { type: "string", default: "dog" },
    out: { type: "string", default: "my-dog.safetensors" },
    steps: { type: "string", default: "400" },
  },
}).values;

const model = "dinghy";
// Good settings for dinghy; other models use the method's defaults.
const settings = { rank: 16, learningRate: 1.5e-3, batch: 2, priorCount: 16 };
const request = { model, images, token: "sks", class: subject.class, out, steps: Number(steps), ...settings };
for await (const event of train("dreambooth", request)) {
  if (event.type === "step") console.log(`step ${event.step} of ${event.steps}, loss ${event.loss.toFixed(3)}`);
}

const pipeline = await Pipeline.load(model, { adapters: [out] });
const prompt = `a sks ${subject.class} in the snow`;
for await (const event of pipeline.generate({ prompt, guidance: "pg", omega: 0.6, scale: 2.5 })) {
  if (event.type === "picture") await writeFile(`${out}.png`, await encodePng(event, event.recipe));
}
await pipeline.close();
