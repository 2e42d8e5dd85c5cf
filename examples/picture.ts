/** Draws a picture: node examples/picture.ts "a cat on the beach" cat.png (Node 22.18 or later; Node 20 needs a build or tsx). */
import { writeFile } from "node:fs/promises";
import { encodePng, Pipeline } from "tillerjs";

const [prompt = "a cat on the beach", file = "picture.png"] = process.argv.slice(2);
const pipeline = await Pipeline.load("dinghy");
for await (const event of pipeline.generate({ prompt, seed: 7 })) {
  if (event.type === "picture") await writeFile(file, await encodePng(event, event.recipe));
}
await pipeline.close();
