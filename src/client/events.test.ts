import { expect, test } from "vitest";
import { eventsIn, type ServerEvent } from "./events.ts";

const streamed = (pieces: readonly Uint8Array[]) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });

async function read(stream: ReadableStream<Uint8Array>): Promise<ServerEvent[]> {
  const events: ServerEvent[] = [];
  for await (const event of eventsIn(stream)) events.push(event);
  return events;
}

const text =
  'event: job\ndata: {"what":"“é”"}\n\n: a comment\ndata: two\r\ndata: lines\r\n\r\nevent: alive\ndata: \n\ndata: cut';
const due = [
  { event: "job", data: '{"what":"“é”"}' },
  { event: "message", data: "two\nlines" },
  { event: "alive", data: "" },
];

test("events are the same however the stream is split; an incomplete last one is dropped", async () => {
  const bytes = new TextEncoder().encode(text);
  for (let length = 1; length <= bytes.length; length++) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / length) }, (_, i) =>
      bytes.subarray(i * length, (i + 1) * length),
    );
    expect(await read(streamed(pieces)), `${length} bytes at a time`).toEqual(due);
  }
});

test("leaving the loop early closes the stream", async () => {
  let closed = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode("data: one\n\n")),
    cancel() {
      closed = true;
    },
  });
  for await (const _ of eventsIn(endless)) break;
  expect(closed).toBe(true);
});
