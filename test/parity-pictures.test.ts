import { describe, expect, test } from "vitest";
import { Pipeline } from "../src/index.ts";
import { adaptersOf, agreement, type PictureCase, pictureCases, reference } from "./fixtures.ts";

const pictures = await reference("pictures.safetensors");

async function generate({ pipeline, variant, request, ...rest }: PictureCase) {
  const { fixture } = await import("./fixtures.ts");
  const loaded = await Pipeline.load(fixture(`pipelines/${pipeline}`), {
    adapters: adaptersOf({ pipeline, request, ...rest }),
    ...(variant !== undefined && { variant }),
    device: "cpu",
  });
  try {
    for await (const event of loaded.generate(request)) if (event.type === "picture") return event;
    throw new Error("no picture came");
  } finally {
    await loaded.close();
  }
}

describe("the same seed gives Diffusers' picture:", () => {
  test.each(pictureCases.map((c) => [c.name, c] as const))("%s", async (name, pictureCase) => {
    const expected = await pictures(name);
    const found = await generate(pictureCase);
    expect([found.height, found.width, 3]).toEqual([...expected.shape]);
    expect(agreement(found.data, expected.data)).toBeGreaterThanOrEqual(0.999);
  });
});
