/** Parses server-sent events (HTML standard) from an answer's body. */

export interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/** Yields each event until the stream ends. Leaving the loop early closes the stream. */
export async function* eventsIn(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      // An event ends in an empty line.
      const blocks = (rest + decoder.decode(value, { stream: true })).split(/\r?\n\r?\n/);
      rest = blocks.pop()!;
      for (const block of blocks) yield eventOf(block);
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function eventOf(block: string): ServerEvent {
  const fields = block.split(/\r?\n/).map((line) => /^(\w+): ?(.*)$/.exec(line) ?? []);
  const all = (name: string) => fields.flatMap(([, field, value]) => (field === name ? [value!] : []));
  return { event: all("event").at(-1) ?? "message", data: all("data").join("\n") };
}
