/**
 * The server under load, on the embedded model and on loopback: the time to the first picture, the overhead over `tiller
 * generate`, and 200 queued jobs with 50 listeners during hostile requests.
 *
 *     npm run build && node bench/server.js
 */
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { encodePng, Pipeline } from "../dist/index.js";
import { writeWhole } from "../dist/internal.js";
import { startStudio } from "../dist/server/index.js";

const data = mkdtempSync(join(tmpdir(), "tiller-load-"));
const studio = await startStudio({ data, models: ["dinghy"], port: 0, device: "cpu", bound: 256 });
const at = (path) => new URL(path, studio.url);
const post = (path, body) =>
  fetch(at(path), { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
const prompt = "a dog on the beach";
const seconds = (began) => (performance.now() - began) / 1000;
const over = (state) => ["done", "failed", "cancelled"].includes(state);

/** Reads a stream's events until `seen` returns true. */
async function listen(path, seen) {
  const stop = new AbortController();
  const { body } = await fetch(at(path), { signal: stop.signal });
  let text = "";
  for await (const piece of body.pipeThrough(new TextDecoderStream())) {
    text += piece;
    const events = text.split("\n\n");
    text = events.pop();
    for (const event of events) {
      const line = /^data: (\{.*)$/m.exec(event)?.[1];
      if (line && seen(JSON.parse(line))) return stop.abort();
    }
  }
}

async function finish(request) {
  const { id } = await (await post("/api/jobs", { request })).json();
  await listen(`/api/jobs/${id}/events`, ({ state }) => over(state));
  return id;
}

async function firstPicture() {
  const began = performance.now();
  await finish({ prompt, seed: 1 });
  console.log(`first picture of a fresh server, default settings: ${seconds(began).toFixed(2)} s after the request`);
}

async function overhead() {
  const count = 16;
  const pipeline = await Pipeline.load("dinghy", { device: "cpu" });
  // What `tiller generate` does after loading the model.
  const direct = async () => {
    for await (const event of pipeline.generate({ prompt, seed: 1, count, steps: 20 })) {
      if (event.type === "picture") await writeWhole(join(data, "direct.png"), await encodePng(event, event.recipe));
    }
  };
  const ratios = [];
  await direct();
  for (let i = 0; i < 9; i++) {
    let began = performance.now();
    await direct();
    const alone = seconds(began);
    began = performance.now();
    await finish({ prompt, seed: 1, count, steps: 20 });
    ratios.push(seconds(began) / alone);
  }
  await pipeline.close();
  const middle = ratios.toSorted((a, b) => a - b)[4];
  console.log(
    `${count} pictures through the server over generate's own time: ${middle.toFixed(3)} (median of ${ratios.map((r) => r.toFixed(3)).join(", ")})`,
  );
}

async function load() {
  const [jobs, streams] = [200, 50];
  const events = { total: 0 };
  const ids = new Set();
  const ended = Array.from({ length: streams }, () => new Map());
  const listeners = ended.map((states) =>
    listen("/api/events", ({ id, state }) => {
      events.total++;
      if (over(state)) states.set(id, state);
      return states.size === jobs;
    }),
  );
  const began = performance.now();
  const memory = [];
  const sampling = setInterval(() => memory.push(process.memoryUsage().rss / 2 ** 20), 500);
  for (let i = 0; i < jobs; i++) {
    const answer = await post("/api/jobs", { request: { prompt, seed: i, steps: 4 } });
    if (answer.status !== 201) throw new Error(`job ${i} was answered ${answer.status}`);
    ids.add((await answer.json()).id);
  }
  await hostile();
  await Promise.all(listeners);
  clearInterval(sampling);
  const done = ended.every((states) => [...ids].every((id) => states.get(id) === "done"));
  console.log(
    `${jobs} jobs, ${streams} listeners, ${events.total} events in ${seconds(began).toFixed(0)} s: ${done ? "every listener saw every job done" : "JOBS WERE LOST"}`,
  );
  const mean = (part) => part.reduce((a, b) => a + b, 0) / part.length;
  const third = Math.floor(memory.length / 3);
  console.log(
    `memory in MiB: first third ${mean(memory.slice(0, third)).toFixed(0)}, last third ${mean(memory.slice(-third)).toFixed(0)}, most ${Math.max(...memory).toFixed(0)}`,
  );
  if (!done) process.exitCode = 1;
}

/** Sends requests that should be refused while jobs run; prints each answer. */
async function hostile() {
  const say = async (what, answer) => {
    const { status } = await answer;
    console.log(`  ${what}: ${status}`);
    if (status < 400 || status > 499) process.exitCode = 1;
  };
  await say("a path out of the folder", fetch(at("/pictures/..%2f..%2fetc%2fpasswd.png")));
  const headers = { "content-type": "application/json" };
  await say("JSON that ends early", fetch(at("/api/jobs"), { method: "POST", headers, body: '{"request":' }));
  await say("JSON as plain text", fetch(at("/api/jobs"), { method: "POST", body: '{"request":{"prompt":"a cat"}}' }));
  const largest = { prompt, count: 64, steps: 1000, width: 2048, height: 2048 };
  await say("64 pictures of 2048 x 2048 in 1000 steps", post("/api/jobs", { request: largest }));
  await say("10,000 prompts", post("/api/jobs", { request: { prompt: Array(10_000).fill("a cat") } }));
  await say("10,000 requests in one", post("/api/jobs", { request: { prompt }, variations: Array(10_000).fill({}) }));
  const bomb = await sharp({ create: { width: 16_000, height: 16_000, channels: 3, background: "red" } })
    .png()
    .toBuffer();
  const form = new FormData();
  form.append("pictures", new File([bomb], "bomb.png"));
  await say(
    `a PNG of ${(bomb.length / 1024).toFixed(0)} KiB that decodes to 768 MB`,
    fetch(at("/api/uploads"), { method: "POST", body: form }),
  );
  await say("an upload of 1 GB", gigabyte());
}

/** A gigabyte in a form field, sent as far as the server accepts it. */
function gigabyte() {
  return new Promise((done, fail) => {
    const upload = request(at("/api/uploads"), {
      method: "POST",
      headers: { "content-type": "multipart/form-data; boundary=x" },
    });
    upload.on("response", (answer) => {
      done({ status: answer.statusCode });
      upload.destroy();
    });
    upload.on("error", fail);
    upload.write('--x\r\nContent-Disposition: form-data; name="pictures"; filename="a.png"\r\n\r\n');
    const chunk = Buffer.alloc(2 ** 20);
    let left = 1024;
    const send = () => {
      while (left-- > 0 && !upload.destroyed) if (!upload.write(chunk)) return upload.once("drain", send);
      if (!upload.destroyed) upload.end("\r\n--x--\r\n");
    };
    send();
  });
}

try {
  await firstPicture();
  await overhead();
  await load();
} finally {
  await studio.close();
  rmSync(data, { recursive: true, force: true });
}
