/** The server over HTTP on a tiny model, used by its page, an OpenAI client and a web UI client. */
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { request as rawRequest } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import OpenAI from "openai";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type Studio, startStudio } from "../src/server/index.ts";
import type { Job } from "../src/server/jobs.ts";
import { fixture } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

let root: string;
/** The server's data folder, inside another folder. */
let data: string;
let studio: Studio;
const options = () => ({
  data,
  models: [fixture("pipelines/sd15")],
  port: 0,
  device: "cpu" as const,
  threads: 2,
  bound: 20,
});
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "tiller-test-"));
  data = join(root, "data");
  studio = await startStudio(options());
});
afterAll(async () => {
  await studio.close();
  await rm(root, { recursive: true });
});

/** A request for a path as written: fetch would resolve its dots. */
const asWritten = (method: string, path: string) =>
  new Promise<{ status: number; body: string }>((done, fail) => {
    const asked = rawRequest({ port: new URL(studio.url).port, method, path }, (answer) => {
      let body = "";
      answer.on("data", (piece) => (body += piece));
      answer.on("end", () => done({ status: answer.statusCode!, body }));
    });
    asked.on("error", fail).end();
  });

const at = (path: string) => new URL(path, studio.url).href;
const post = (path: string, body: unknown) =>
  fetch(at(path), { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
const pictures = (request: object, more: object = {}) =>
  post("/api/jobs", { request: { prompt: "a red cat", steps: 2, ...request }, ...more });
// biome-ignore lint/suspicious/noExplicitAny: tests read arbitrary answers.
const json = async (answer: Response | Promise<Response>): Promise<any> => (await answer).json();
const job = (id: string): Promise<Job> => json(fetch(at(`/api/jobs/${id}`)));

async function over(id: string): Promise<Job> {
  for (;;) {
    const now = await job(id);
    if (["done", "failed", "cancelled"].includes(now.state)) return now;
    await new Promise((done) => setTimeout(done, 20));
  }
}

describe("jobs", () => {
  test("a sweep makes its pictures in order, each with a recipe without paths", async () => {
    const asked = await pictures({ seed: 3 }, { variations: [{ omega: 0, guidance: "pg" }, { guidance: "cfg" }] });
    expect(asked.status).toBe(201);
    const done = await over((await json(asked)).id);
    expect(done).toMatchObject({ state: "done", progress: { done: 4, total: 4 } });
    expect(done.pictures).toHaveLength(2);
    for (const [i, guidance] of ["pg", "cfg"].entries()) {
      const { recipe, width } = await json(fetch(at(`/api/pictures/${done.pictures[i]}`)));
      expect(recipe).toMatchObject({ model: "sd15", request: { guidance, seed: 3, steps: 2 } });
      expect(JSON.stringify(recipe)).not.toContain("/");
      const file = await (await fetch(at(`/pictures/${done.pictures[i]}.png`))).arrayBuffer();
      expect((await sharp(Buffer.from(file)).metadata()).width).toBe(width);
    }
    const { pictures: gallery, total } = await json(fetch(at("/api/pictures?count=1")));
    expect(total).toBeGreaterThanOrEqual(2);
    expect(gallery).toHaveLength(1);
  });

  test("events follow a job from queued to done", async () => {
    const { id } = await json(pictures({ count: 2 }));
    const stream = await fetch(at(`/api/jobs/${id}/events`));
    const states: string[] = [];
    let text = "";
    for await (const piece of stream.body!.pipeThrough(new TextDecoderStream())) {
      text += piece;
      const events = text.split("\n\n");
      text = events.pop()!;
      for (const event of events) {
        const line = /^data: (.*)$/m.exec(event)?.[1];
        if (line) states.push((JSON.parse(line) as Job).state);
      }
      if (states.at(-1) === "done") break;
    }
    expect(states.at(-1)).toBe("done");
    expect(states.indexOf("running")).toBeLessThan(states.indexOf("done"));
  });

  test("a running job is cancelled within a step, a waiting one never starts", async () => {
    const { id } = await json(pictures({ steps: 900, count: 8 }));
    const { id: second, position } = await json(pictures({}));
    expect(position).toBe(1);
    await fetch(at(`/api/jobs/${second}`), { method: "DELETE" });
    const stop = () => json(fetch(at(`/api/jobs/${id}/stop`), { method: "POST" }));
    expect(await stop()).toMatchObject({ id, state: "cancelled" });
    // Cancelling again has no effect and does not delete the job.
    expect(await stop()).toMatchObject({ id, state: "cancelled" });
    expect((await over(id)).state).toBe("cancelled");
    expect(await over(second)).toMatchObject({ state: "cancelled", pictures: [] });
  });

  test("a restarted server continues waiting and running jobs", async () => {
    const { id } = await json(pictures({ steps: 300 }));
    const { id: second } = await json(pictures({ seed: 9 }));
    while ((await job(id)).progress === undefined) await new Promise((done) => setTimeout(done, 10));
    await studio.close();
    studio = await startStudio(options());
    expect((await over(id)).state).toBe("done");
    expect((await over(second)).state).toBe("done");
  });

  test("copies of a job's file are ignored", async () => {
    const { id } = await over((await json(pictures({ steps: 1 }))).id);
    for (const name of ["copy (1)", "copy"]) {
      await copyFile(join(data, "jobs", `${id}.json`), join(data, "jobs", `${name}.json`));
    }
    const before = await json(fetch(at("/api/jobs")));
    await studio.close();
    studio = await startStudio(options());
    expect(await json(fetch(at("/api/jobs")))).toEqual(before);
  });

  test("a second server on the same port or folder does not touch the first one's jobs", async () => {
    const { id } = await json(pictures({ steps: 400 }));
    const port = Number(new URL(studio.url).port);
    await expect(startStudio({ ...options(), port })).rejects.toThrow(
      refusal("address-invalid", String(port), "--port"),
    );
    await expect(startStudio({ ...options(), port: 0 })).rejects.toThrow(refusal("folder-in-use", data));
    expect(await job(id)).toMatchObject({ starts: 1 });
    await fetch(at(`/api/jobs/${id}`), { method: "DELETE" });
  });

  test("keeps only the first frame of an uploaded animation, and says so; and reads bitmaps", async () => {
    const frames = Buffer.concat([Buffer.alloc(300, Buffer.from([255, 0, 0])), Buffer.alloc(300)]);
    const raw = { width: 10, height: 20, channels: 3, pageHeight: 10 } as const;
    const form = new FormData();
    form.append("pictures", new File([new Uint8Array(await sharp(frames, { raw }).gif().toBuffer())], "moves.gif"));
    // A bitmap of one green pixel.
    const header = [40, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 24, 0, ...new Array(24).fill(0)];
    const bitmap = [66, 77, 58, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, ...header, 0, 255, 0, 0];
    form.append("pictures", new File([Uint8Array.from(bitmap)], "green.bmp"));
    const upload = await json(fetch(at("/api/uploads"), { method: "POST", body: form }));
    expect(upload.warnings).toEqual([expect.stringContaining("moves.gif")]);
    for (const [name, colour] of [
      ["00.png", [255, 0, 0]],
      ["01.png", [0, 255, 0]],
    ] as const) {
      const kept = await fetch(at(`/api/uploads/${upload.id}/${name}`)).then((answer) => answer.arrayBuffer());
      expect([...(await sharp(Buffer.from(kept)).raw().toBuffer())].slice(0, 3)).toEqual(colour);
    }
    await rm(join(data, "uploads", upload.id), { recursive: true });
  });

  test("learns an adapter from uploaded pictures and draws with it", async () => {
    const form = new FormData();
    for (let i = 0; i < 2; i++) {
      const jpeg = await sharp({
        create: { width: 80, height: 60, channels: 3, background: { r: 200, g: 40 * i, b: 0 } },
      })
        .jpeg()
        .toBuffer();
      form.append("pictures", new File([new Uint8Array(jpeg)], `${i}.jpg`));
    }
    const upload = await json(fetch(at("/api/uploads"), { method: "POST", body: form }));
    expect(upload.pictures).toBe(2);
    const training = {
      kind: "training",
      name: "my-cat",
      upload: upload.id,
      class: "cat",
      steps: 2,
      prior: false,
      sampleEvery: 1,
    };
    // A stopped run does not block one with the same name and other settings.
    const { id: stopped } = await json(post("/api/jobs", { ...training, steps: 500, sampleEvery: 500 }));
    while ((await job(stopped)).losses === undefined) await new Promise((done) => setTimeout(done, 10));
    await fetch(at(`/api/jobs/${stopped}/stop`), { method: "POST" });
    const learned = await over((await json(post("/api/jobs", training))).id);
    expect(learned).toMatchObject({ state: "done", adapter: "my-cat" });
    expect(learned.losses).toHaveLength(2);
    expect(learned.pictures).toHaveLength(2);
    for (const picture of learned.pictures) {
      expect(JSON.stringify(await json(fetch(at(`/api/pictures/${picture}`))))).not.toContain(data);
    }
    expect(await json(fetch(at("/api/adapters")))).toEqual([{ name: "my-cat" }]);
    // Only the training pictures are left of the run.
    expect(await readdir(join(data, "uploads"))).toEqual([upload.id]);
    const drawn = await over((await json(pictures({}, { adapters: [{ name: "my-cat" }] }))).id);
    expect(drawn).toMatchObject({ state: "done", pictures: [expect.any(String)] });
  });
});

test.each([
  [{ port: 70_000 }, "address-invalid", "70000"],
  [{ host: "192.0.2.1" }, "address-invalid", "192.0.2.1"],
  [
    { models: ["a/dinghy-small", "b/dinghy-small", "./c/dinghy-small"].map((path) => `./${path}`) },
    "model-name-twice",
    "dinghy-small",
  ],
] as const)("a server is not started with %j", async (change, code, fact) => {
  const folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  await expect(startStudio({ ...options(), data: folder, ...change })).rejects.toThrow(refusal(code, fact));
  await rm(folder, { recursive: true });
});

test("a server removes the unfinished files of a killed one, and nothing else", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  const [id, part] = ["mif10zq0-0123456789", "0123abcd.tmp"];
  const left = [
    `jobs/.${id}.json.${part}`,
    `pictures/.${id}-0.png.${part}`,
    `adapters/.my cat.safetensors.${part}`,
    `studies/${id}/answers/.0123456789abcdef0123.json.${part}`,
    `uploads/.${id}/00.raw`,
    `uploads/.${id}/00.png`,
    `uploads/${id}.cat.0123456789ab.run/.checkpoint.safetensors.${part}`,
  ];
  const kept = [
    `uploads/${id}.cat.0123456789ab.run/checkpoint.safetensors`,
    `uploads/${id}/00.png`,
    "uploads/.mine/00.png",
    `uploads/${id}/.${id}/00.png`,
    "adapters/cat.safetensors.part",
    "adapters/.cat.safetensors.tmp",
    `adapters/cat.safetensors.${part}`,
    `pictures/.folder.${part}/a.png`,
    `.of-a-person.${part}`,
  ];
  for (const file of [...left, ...kept]) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), "");
  }
  const filesIn = async () => {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((one) => one.isFile())
      .map(({ parentPath, name }) => relative(folder, join(parentPath, name)));
  };
  // While another server uses the folder they may be its own.
  const first = await startStudio({ ...options(), data: folder });
  for (const file of left) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), "");
  }
  await expect(startStudio({ ...options(), data: folder })).rejects.toMatchObject({ code: "folder-in-use" });
  expect(await filesIn()).toEqual(expect.arrayContaining(left));
  await first.close();
  const second = await startStudio({ ...options(), data: folder });
  await second.close();
  expect((await filesIn()).sort()).toEqual([...kept].sort());
  await rm(folder, { recursive: true });
});

test("a server is not started in a folder that is a file", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  const file = join(folder, "file");
  await writeFile(file, "");
  await expect(startStudio({ ...options(), data: file })).rejects.toThrow(refusal("file-not-written", file));
  await rm(folder, { recursive: true });
});

describe("a client waiting for a job", () => {
  test.each(["/v1/images/generations", "/sdapi/v1/txt2img"])(
    "on %s gets an error when it is cancelled",
    async (path) => {
      const asked = post(path, { prompt: "a cat", steps: 900 });
      const running = async () =>
        ((await json(fetch(at("/api/jobs")))) as Job[]).find(({ state, ended }) => state === "running" && !ended);
      let found = await running();
      while (!found) {
        await new Promise((done) => setTimeout(done, 10));
        found = await running();
      }
      await fetch(at(`/api/jobs/${found.id}/stop`), { method: "POST" });
      const answer = await asked;
      const told = await json(answer);
      expect([answer.status, told.error?.code ?? told.code]).toEqual([409, "job-cancelled"]);
    },
  );
});

describe("clients of other servers", () => {
  test("a size of nothing is refused", async () => {
    expect((await post("/v1/images/generations", { prompt: "a cat", steps: 1, size: "0x128" })).status).toBe(400);
  });

  test("without a seed OpenAI's API draws a different picture each time", async () => {
    const draw = async () =>
      (await json(post("/v1/images/generations", { prompt: "a cat", steps: 1 }))).data[0].b64_json;
    expect(await draw()).not.toBe(await draw());
  });

  test("the openai package gets pictures", async () => {
    const client = new OpenAI({ baseURL: at("/v1"), apiKey: "none" });
    const { data: made } = await client.images.generate({
      prompt: "a red cat",
      n: 2,
      // Tiller's additional fields.
      ...({ steps: 2, guidance: "pg", omega: 0.6, seed: 1 } as object),
    });
    expect(made).toHaveLength(2);
    for (const { b64_json } of made!) {
      expect((await sharp(Buffer.from(b64_json!, "base64")).metadata()).format).toBe("png");
    }
    await expect(client.images.generate({ prompt: "x", size: "7x7" as "256x256" })).rejects.toMatchObject({
      status: 400,
      code: "request-invalid",
      message: expect.stringContaining("width"),
    });
  });

  test("a client of the web UI gets pictures", async () => {
    const answer = await json(
      post("/sdapi/v1/txt2img", {
        prompt: "a red cat",
        steps: 2,
        seed: 5,
        batch_size: 2,
        sampler_name: "Euler a",
      }),
    );
    expect(answer.images).toHaveLength(2);
    expect(JSON.parse(answer.info)).toMatchObject({ seed: 5, all_seeds: [5, 6] });
    expect(JSON.parse(answer.info).infotexts[0]).toContain("Seed: 5");
    expect(await json(fetch(at("/sdapi/v1/sd-models")))).toMatchObject([{ model_name: "sd15" }]);
    expect((await json(fetch(at("/sdapi/v1/progress")))).state.job_count).toBe(0);
    expect(await json(post("/sdapi/v1/txt2img", { prompt: "a <lora:none:0.5> cat" }))).toEqual(
      refusal("adapter-unknown", "none"),
    );
  });
});

/** An upload with one picture. */
async function upload(): Promise<string> {
  const picture = sharp({ create: { width: 8, height: 8, channels: 3, background: "red" } });
  const form = new FormData();
  form.append("pictures", new File([new Uint8Array(await picture.png().toBuffer())], "a.png"));
  return (await json(fetch(at("/api/uploads"), { method: "POST", body: form }))).id;
}

/** A study with one picture for each of two methods. */
async function makeStudy() {
  const arms = ["cfg", "none"];
  const asked = await json(pictures({ steps: 1 }, { variations: arms.map((guidance) => ({ guidance })) }));
  const { pictures: drawn } = await over(asked.id);
  const references = await upload();
  return { ...(await json(post("/api/studies", { title: "x", job: asked.id, arms, seeds: 1, references }))), drawn };
}

describe("the server's paths", () => {
  /** The bodies of all answers. */
  let bodies: string[];
  let words: string[];
  const listen = (warning: Error) => words.push(String(warning));
  beforeEach(() => {
    [bodies, words] = [[], []];
    process.on("warning", listen);
  });
  afterEach(() => {
    process.off("warning", listen);
    expect(bodies.join("\n")).not.toContain(root);
  });
  /** The answer's status and body. */
  const told = async (asked: Response | Promise<Response>) => {
    const answer = await asked;
    const body = await answer.text();
    bodies.push(body);
    return [answer.status, JSON.parse(body)];
  };
  const failed = async (asked: Promise<Response>) => {
    const job = await over((await json(asked)).id);
    bodies.push(JSON.stringify(job), await (await fetch(at("/api/jobs"))).text());
    return job;
  };

  test("are hidden in errors about damaged files", async () => {
    await mkdir(join(data, "studies", "broken"));
    await writeFile(join(data, "studies", "broken", "study.json"), "{");
    await writeFile(join(data, "pictures", "broken.png"), "no picture");
    await writeFile(join(data, "adapters", "broken.safetensors"), "no adapter");
    await mkdir(join(data, "uploads", "broken"));
    await writeFile(join(data, "uploads", "broken", "00.png"), "no picture");
    expect(await told(fetch(at("/api/studies/broken")))).toEqual([422, refusal("json-invalid", "study.json")]);
    expect(await told(fetch(at("/api/pictures/broken")))).toEqual([422, refusal("picture-unreadable", "broken.png")]);
    const adapters = [{ name: "broken" }];
    expect(await failed(pictures({}, { adapters }))).toEqual(refusal("not-weights", "broken.safetensors"));
    const prompt = "a cat <lora:broken:1>";
    expect(await told(post("/sdapi/v1/txt2img", { prompt, steps: 1 }))).toEqual([
      422,
      refusal("not-weights", "broken.safetensors"),
    ]);
    const [status, { error }] = await told(post("/v1/images/generations", { prompt, adapters, steps: 1 }));
    expect([status, error]).toEqual([422, refusal("not-weights", "broken.safetensors")]);
    const training = { kind: "training", name: "broken", upload: "broken", class: "cat", steps: 1, prior: false };
    expect(await failed(post("/api/jobs", training))).toEqual(refusal("picture-unreadable", "00.png"));
    await rm(join(data, "uploads", "broken"), { recursive: true });
    for (const file of ["studies/broken", "pictures/broken.png", "adapters/broken.safetensors"]) {
      await rm(join(data, file), { recursive: true });
    }
  });

  test("are hidden in errors about the disk", async () => {
    const here = join(data, "pictures");
    await rename(here, `${here}-away`);
    await writeFile(here, "a file");
    expect(await failed(pictures({ steps: 1 }))).toEqual(refusal("file-not-written", ".png"));
    await rm(here);
    await rename(`${here}-away`, here);
  });

  test("appear in the server's own output for unexpected errors", async () => {
    const here = join(data, "studies");
    await rename(here, `${here}-away`);
    const [status, answer] = await told(fetch(at("/api/studies")));
    expect([status, answer.code]).toEqual([500, undefined]);
    await vi.waitFor(() => expect(words.join()).toContain(here));
    await rename(`${here}-away`, here);
  });

  test("are hidden in warnings", async () => {
    const file = join(data, "adapters", "embedding.safetensors");
    await copyFile(fixture("adapters/ti.safetensors"), file);
    const { warnings } = await failed(pictures({ steps: 1 }, { adapters: [{ name: "embedding", strength: 0.5 }] }));
    expect(warnings).toEqual([expect.stringContaining("embedding.safetensors")]);
    await rm(file);
  });

  test("are hidden in errors about missing reference pictures", async () => {
    const folder = join(root, "measuring");
    const own = await startStudio({ data: folder, port: 0, device: "cpu", threads: 2 });
    try {
      const ask = (path: string) => fetch(new URL(path, own.url));
      const { id } = await json(
        post(new URL("/api/jobs", own.url).href, { request: { prompt: "a cat", steps: 1, width: 64, height: 64 } }),
      );
      while ((await json(ask(`/api/jobs/${id}`))).state !== "done") await new Promise((done) => setTimeout(done, 20));
      expect(await told(ask(`/api/jobs/${id}/scores?references=gone`))).toEqual([400, refusal("pictures-gone")]);
      await mkdir(join(folder, "uploads", "empty"));
      expect(await told(ask(`/api/jobs/${id}/scores?references=empty`))).toEqual([
        422,
        refusal("pictures-missing", "empty"),
      ]);
    } finally {
      await own.close();
    }
  });
});

test("dinghy's encoders do not measure another model's pictures", async () => {
  const { id } = await over((await json(pictures({ steps: 1 }))).id);
  const answer = await fetch(at(`/api/jobs/${id}/scores?references=any`));
  expect([answer.status, await json(answer)]).toEqual([400, refusal("encoders-needed", "--clip", "--dino")]);
});

test("a damaged study does not affect the list, and pictures of a study can be deleted, which has copies", async () => {
  const { id, drawn, ...study } = await makeStudy();
  const before = await json(fetch(at("/api/studies")));
  expect(before[0]).toMatchObject({ id, ...study });
  const damaged = join(data, "studies", "damaged");
  await mkdir(damaged);
  await writeFile(join(damaged, "study.json"), '{"title":"damaged"');
  expect(await json(fetch(at("/api/studies")))).toEqual(before);
  expect(await json(fetch(at("/api/studies/damaged")))).toEqual(refusal("json-invalid", "study.json"));
  const [{ address }] = await json(post(`/api/studies/${id}/participants`, { count: 1 }));
  for (const one of drawn) expect((await fetch(at(`/api/pictures/${one}`), { method: "DELETE" })).status).toBe(204);
  for (const letter of ["a", "b"]) expect((await fetch(at(`${address}1/${letter}.png`))).status).toBe(200);
  await rm(damaged, { recursive: true });
});

describe("refuses without side effects", () => {
  test("a study with a deleted picture", async () => {
    const made = await over((await json(pictures({}, { variations: [{ guidance: "cfg" }, { guidance: "none" }] }))).id);
    await fetch(at(`/api/pictures/${made.pictures[1]}`), { method: "DELETE" });
    const references = await upload();
    const asked = { title: "x", job: made.id, arms: ["cfg", "none"], seeds: 1, references };
    const answer = await post("/api/studies", asked);
    expect([answer.status, await json(answer)]).toEqual([400, refusal("pictures-gone")]);
    const without = await post("/api/studies", { ...asked, references: "gone" });
    expect([without.status, await json(without)]).toEqual([400, refusal("pictures-gone")]);
    for (const other of [{ seeds: 2 }, { arms: ["cfg", "none", "pg"] }]) {
      const refused = await post("/api/studies", { ...asked, ...other });
      expect([refused.status, await json(refused)]).toEqual([400, refusal("study-invalid")]);
    }
  });

  test.each([
    ["invalid JSON", "{", "request-invalid", ""],
    ["a wrong setting", '{"request":{"prompt":"x","steps":0}}', "request-invalid", "steps"],
    ["an unknown model", '{"model":"x","request":{"prompt":"x"}}', "model-unknown", "sd15"],
    [
      "an adapter outside the folder",
      '{"adapters":[{"name":"../../x"}],"request":{"prompt":"x"}}',
      "name-invalid",
      "../../x",
    ],
  ] as const)("%s", async (_, body, code, fact) => {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(at("/api/jobs"), { method: "POST", headers, body });
    expect([answer.status, await json(answer)]).toEqual([400, refusal(code, fact)]);
  });

  test("an upload of a vector format", async () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="9" height="9"/></svg>';
    const form = new FormData();
    form.append("pictures", new File([svg], "drawn.png"));
    const answer = await fetch(at("/api/uploads"), { method: "POST", body: form });
    expect([answer.status, await json(answer)]).toEqual([422, refusal("picture-unreadable", "drawn.png")]);
    expect((await readdir(join(data, "uploads"))).filter((name) => name.startsWith("."))).toEqual([]);
  });

  test.each([
    ["IMG_1.jpg", "\0\0\0\x18ftypheic\0\0\0\0mif1heic", "picture-unreadable", "HEIC"],
    ["a.jpg", "<!DOCTYPE html><html></html>", "web-page", "web page"],
    ["a.txt", "a sks cat", "picture-unreadable", "any picture format"],
    ["a.bmp", "BM\0\0\0\0\0\0\0\0", "picture-unreadable", "cut short"],
  ] as const)("an upload that is not a supported picture, naming its kind: %s %j", async (...given) => {
    const [name, contents, code, fact] = given;
    const form = new FormData();
    form.append("pictures", new File([contents], name));
    const answer = await fetch(at("/api/uploads"), { method: "POST", body: form });
    expect([answer.status, await json(answer)]).toEqual([422, refusal(code, name, fact)]);
  });

  test("an endless upload without a length", async () => {
    const endless = new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(1 << 20)) });
    const answer = await fetch(at("/api/uploads"), {
      method: "POST",
      headers: { "content-type": "multipart/form-data; boundary=x" },
      body: endless,
      duplex: "half",
    });
    expect(answer.status).toBe(413);
  });

  test("a request of more than a megabyte", async () => {
    const answer = await post("/api/jobs", { request: { prompt: "a cat ".repeat(200_000) } });
    expect(answer.status).toBe(413);
  });

  test("an unknown sampler in the web UI's API", async () => {
    const answer = await post("/sdapi/v1/txt2img", { prompt: "a cat", sampler_name: "Heun" });
    expect([answer.status, await json(answer)]).toEqual([400, refusal("sampler-unknown", "Heun")]);
  });

  test("a request for a training run's files beside the uploads", async () => {
    const answer = await fetch(at("/api/uploads/1.cat.run/checkpoint.safetensors"));
    expect([answer.status, await json(answer)]).toEqual([400, refusal("name-invalid")]);
  });

  test("names that cannot be decoded, and invalid forms", async () => {
    const name = await fetch(at("/pictures/%zz.png"));
    expect([name.status, await json(name)]).toEqual([400, refusal("name-invalid", "%zz")]);
    const upload = await fetch(at("/api/uploads"), {
      method: "POST",
      headers: { "content-type": "multipart/form-data" },
      body: "x",
    });
    expect([upload.status, await json(upload)]).toEqual([400, refusal("upload-invalid")]);
    expect((await fetch(at("/api/jobs"), { headers: { origin: "foo" } })).status).toBe(403);
  });

  test("paths that leave their folder for existing files", async () => {
    const outside = [join(root, "outside"), join(data, "outside"), join(data, "uploads", "outside")];
    const picture = await sharp({ create: { width: 8, height: 8, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    await mkdir(join(data, "uploads", "kept"));
    for (const stem of outside) {
      await writeFile(`${stem}.png`, picture);
      await writeFile(`${stem}.json`, '{"secret":1}');
      await writeFile(`${stem}.safetensors`, "");
    }
    await writeFile(join(data, "uploads", "00.png"), picture);
    const climbs = [
      ...["..%2foutside", "..%2f..%2foutside", "%2e%2e%2f..%2foutside", "..%5coutside", "x%2f..%2f..%2foutside"],
      ...["..%2fuploads%2foutside", `${encodeURIComponent(join(root, "outside"))}`],
    ];
    const paths = [
      ...climbs.flatMap((name) => [`/pictures/${name}.png`, `/api/pictures/${name}`, `/api/studies/${name}`]),
      ...["/api/uploads/kept/..%2f00.png", "/api/uploads/kept/..%2foutside.png", "/api/uploads/%2e/00.png"],
      ...["/api/uploads/..%2fuploads/00.png", "/api/uploads/kept%2f../00.png", "/api/uploads/../outside.png"],
      // The server's own code is beside the page.
      ...[
        "/..%2fserver%2findex.js",
        "/%2e%2e%2fserver%2findex.js",
        "/../server/index.js",
        "/assets/..%2f..%2findex.js",
      ],
    ];
    for (const path of paths) {
      const { status, body } = await asWritten("GET", path);
      expect([path, status >= 400 && status < 500]).toEqual([path, true]);
      expect(JSON.parse(body)).toEqual({
        error: expect.any(String),
        detail: expect.any(String),
        code: status === 404 ? "not-found" : "name-invalid",
      });
    }
    for (const name of climbs) {
      expect((await asWritten("DELETE", `/api/pictures/${name}`)).status).toBe(400);
      const adapters = [{ name: decodeURIComponent(name) }];
      expect((await pictures({}, { adapters })).status).toBe(400);
    }
    for (const stem of outside) expect((await readFile(`${stem}.png`)).equals(picture)).toBe(true);
    for (const file of outside.flatMap((stem) => [`${stem}.png`, `${stem}.json`, `${stem}.safetensors`]))
      await rm(file);
    await rm(join(data, "uploads", "00.png"));
    await rm(join(data, "uploads", "kept"), { recursive: true });
  });

  test("paths as file names in an upload, by storing them under its own names", async () => {
    const jpeg = await sharp({ create: { width: 8, height: 8, channels: 3, background: "red" } })
      .jpeg()
      .toBuffer();
    const form = new FormData();
    const names = ["../../climbed.png", "..\\climbed.jpg", join(root, "climbed.jpg"), "%2e%2e%2fclimbed.png"];
    for (const name of names) form.append("pictures", new File([new Uint8Array(jpeg)], name));
    const answer = await fetch(at("/api/uploads"), { method: "POST", body: form });
    expect(answer.status).toBe(201);
    const { id } = await json(answer);
    expect((await readdir(join(data, "uploads", id))).sort()).toEqual(["00.png", "01.png", "02.png", "03.png"]);
    const everywhere = await readdir(root, { recursive: true });
    expect(everywhere.filter((name) => name.includes("climbed"))).toEqual([]);
    await rm(join(data, "uploads", id), { recursive: true });
  });

  test("training with a path as upload or name", async () => {
    const training = { kind: "training", name: "cat", upload: "x", class: "cat" };
    for (const path of ["../x", "..", "/etc", "a/../../x"]) {
      for (const key of ["name", "upload"]) {
        expect((await post("/api/jobs", { ...training, [key]: path })).status, `${key} ${path}`).toBe(400);
      }
    }
  });

  test("uploads that are not pictures, and a picture that would not fit into memory", async () => {
    const bomb = await sharp({ create: { width: 12_000, height: 12_000, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    for (const bytes of [Buffer.from("no picture"), bomb]) {
      const form = new FormData();
      form.append("pictures", new File([new Uint8Array(bytes)], "x.png"));
      const answer = await fetch(at("/api/uploads"), { method: "POST", body: form });
      expect([answer.status, await json(answer)]).toEqual([422, refusal("picture-unreadable", "x.png")]);
    }
  });

  test("too many jobs at once: 429, and earlier ones are all done", async () => {
    // No other job ends until it is stopped: twenty may wait, ten are too many.
    const { id: first } = await json(pictures({ steps: 900, count: 8 }));
    while ((await job(first)).state !== "running") await new Promise((done) => setTimeout(done, 10));
    const answers = await Promise.all(Array.from({ length: 30 }, () => pictures({ steps: 1 })));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(20);
    expect(statuses.filter((status) => status === 429)).toHaveLength(10);
    const full = answers.find(({ status }) => status === 429)!;
    expect(await json(full)).toEqual(refusal("queue-full", "20"));
    await fetch(at(`/api/jobs/${first}/stop`), { method: "POST" });
    for (const answer of answers.filter(({ status }) => status === 201)) {
      expect((await over((await json(answer)).id)).state).toBe("done");
    }
  });

  test("a foreign host name, and a page of another origin", async () => {
    const { port } = new URL(studio.url);
    const status = (headers: Record<string, string>) =>
      new Promise<number>((done) => {
        rawRequest({ port, path: "/api/models", headers }, (answer) => {
          answer.resume();
          done(answer.statusCode!);
        }).end();
      });
    expect(await status({ host: "example.org" })).toBe(403);
    expect(await status({ host: `127.0.0.1:${port}`, origin: "http://example.org" })).toBe(403);
    expect(await status({ host: `127.0.0.1:${port}` })).toBe(200);
  });
});

test("an address other than loopback requires the token", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  const start = () => startStudio({ ...options(), data: folder, host: "0.0.0.0" });
  let open = await start();
  try {
    const without = new URL("/api/models", open.url);
    without.search = "";
    expect((await fetch(without)).status).toBe(401);
    expect(await (await fetch(without)).json()).toMatchObject({ code: "token-invalid" });
    expect((await fetch(without, { headers: { authorization: "Bearer wrong" } })).status).toBe(401);
    expect((await fetch(without, { headers: { authorization: `Bearer ${open.token}` } })).status).toBe(200);
    const page = await fetch(new URL(`/api/models?token=${open.token}`, open.url));
    expect(page.headers.get("set-cookie")).toContain("HttpOnly");
    // Web UI clients send a user and a password.
    const basic = (password: string | undefined) => Buffer.from(`user:${password}`).toString("base64");
    expect((await fetch(without, { headers: { authorization: `Basic ${basic("wrong")}` } })).status).toBe(401);
    expect((await fetch(without, { headers: { authorization: `Basic ${basic(open.token)}` } })).status).toBe(200);
    // An open page stays signed in across a restart.
    const { token } = open;
    await open.close();
    open = await start();
    expect(open.token).toBe(token);
  } finally {
    await open.close();
    await rm(folder, { recursive: true });
  }
});

test("scores are computed on the server's device", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  const foreign = process.platform === "darwin" ? "dml" : "coreml";
  const other = await startStudio({ data: folder, port: 0, device: foreign });
  try {
    await mkdir(join(folder, "uploads", "cat"));
    const { id } = await json(post(new URL("/api/jobs", other.url).href, { request: { prompt: "a cat" } }));
    const answer = await fetch(new URL(`/api/jobs/${id}/scores?references=cat`, other.url));
    // Pictures elsewhere on the disk cannot be references.
    await mkdir(join(folder, "outside"));
    expect((await fetch(new URL(`/api/jobs/${id}/scores?references=..%2foutside`, other.url))).status).toBe(400);
    expect([answer.status, await json(answer)]).toEqual([422, refusal("device-unavailable", foreign)]);
  } finally {
    await other.close();
    await rm(folder, { recursive: true });
  }
});

test("the server's option limits the work of a request", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  const strict = await startStudio({ ...options(), data: folder, mostWork: 0.01 });
  try {
    const jobs = new URL("/api/jobs", strict.url).href;
    const size = { width: 64, height: 64 };
    const request = { prompt: "a cat", steps: 2, count: 2 };
    expect((await json(post(jobs, { request: { ...request, ...size } }))).code).toBe("work-too-large");
    expect((await post(jobs, { request: { ...request, ...size, count: 1 } })).status).toBe(201);
    // The size is the model's default.
    const { id } = await json(post(jobs, { request: { ...request, count: 20 } }));
    await expect
      .poll(() => json(fetch(`${jobs}/${id}`)))
      .toMatchObject({ state: "failed", code: "work-too-large", pictures: [] });
  } finally {
    await strict.close();
    await rm(folder, { recursive: true });
  }
});

test("every answer has security headers", async () => {
  const { pictures: made } = await over((await json(pictures({ steps: 1 }))).id);
  const answers = [
    "/",
    "/api",
    "/api/jobs",
    `/pictures/${made[0]}.png`,
    "/nothing",
    "/api/pictures/..%2fx",
    "/api/pictures/x",
  ];
  for (const path of answers) {
    const { headers } = await fetch(at(path));
    expect(headers.get("x-content-type-options"), path).toBe("nosniff");
    expect(headers.get("referrer-policy"), path).toBe("no-referrer");
    const policy = headers
      .get("content-security-policy")!
      .split("; ")
      .map((line) => line.split(" "));
    const rules = new Map(policy.map(([kind, ...from]) => [kind, from]));
    // Pages of other origins cannot load answers or access the window.
    for (const one of ["cross-origin-resource-policy", "cross-origin-opener-policy"])
      expect([path, headers.get(one)]).toEqual([path, "same-origin"]);
    // Scripts come only from the server, and no other page can frame it.
    expect([rules.get("default-src"), rules.get("script-src"), rules.get("frame-ancestors")], path).toEqual([
      ["'self'"],
      undefined,
      ["'none'"],
    ]);
  }
  expect((await fetch(at(`/pictures/${made[0]}.png`))).headers.get("content-type")).toBe("image/png");
});

test("the API is described as OpenAPI and as a page", async () => {
  const document = await json(fetch(at("/api/openapi.json")));
  expect(Object.keys(document.paths)).toContain("/v1/images/generations");
  expect(document.paths["/api/jobs"].post.requestBody.content["application/json"].schema).toBeDefined();
  expect(await (await fetch(at("/api"))).text()).toContain("POST /sdapi/v1/txt2img");
});
