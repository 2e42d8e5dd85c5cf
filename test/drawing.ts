/** A tiny model, an adapter, a request and the resulting pictures, for tests of drawing. */
import type { PictureEvent, PictureRequest, Pipeline } from "../src/index.ts";
import { fixture } from "./fixtures.ts";

export const model = fixture("pipelines/sd15");
export const lora = fixture("adapters/lora-peft.safetensors");
export const request: PictureRequest = {
  prompt: "a red cat in the snow",
  steps: 6,
  seed: 3,
  guidance: "pg",
  omega: 0.6,
};

export async function pictures(pipeline: Pipeline, wanted: PictureRequest, batch?: number): Promise<PictureEvent[]> {
  const found: PictureEvent[] = [];
  for await (const event of pipeline.generate(wanted, { batch })) if (event.type === "picture") found.push(event);
  return found;
}

/** Pixels as text, so that a difference is reported in one line. */
export const bytes = (events: readonly PictureEvent[]): string[] =>
  events.map(({ data }) => Buffer.from(data).toString("base64"));
