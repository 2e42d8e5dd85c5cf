import { createHash } from "node:crypto";
import {
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { refusal } from "../../../test/refusal.ts";
import { placeOfAdapter } from "../../adapters/hub-adapter.ts";
import { writeSafetensors } from "../../bytes/safetensors.ts";
import { openModelFiles } from "../../families/open-model.ts";
import { encoderFolder } from "../../metrics/encoder-folder.ts";
import type { DownloadProgress } from "../options.ts";

// The pauses between attempts, 7.5 s in all, are skipped.
vi.mock("node:timers/promises", () => ({ setTimeout: async () => {} }));

/** A disk with the given free space that accepts the given number of bytes. */
const room = vi.hoisted(() => ({ bytes: 1e12, writable: Number.POSITIVE_INFINITY }));
vi.mock("node:fs/promises", async (actual) => ({
  ...(await actual<typeof import("node:fs/promises")>()),
  statfs: async () => ({ bavail: room.bytes, bsize: 1 }),
}));
vi.mock("../../bytes/node/atomic-file.ts", async (actual) => {
  const real = await actual<typeof import("../../bytes/node/atomic-file.ts")>();
  const writeAll: typeof real.writeAll = async (handle, bytes) => {
    room.writable -= bytes.byteLength;
    if (room.writable < 0) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    return real.writeAll(handle, bytes);
  };
  return { ...real, writeAll };
});

const commit = "c".repeat(40);
let root: string;
let cacheFolder: string;
let hub: Hub;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "hub-")));
  cacheFolder = join(root, "hub");
  const kept = /^(HF_|HUGGING|TRANSFORMERS_OFFLINE)|_proxy$/i;
  for (const name of Object.keys(process.env)) if (kept.test(name)) vi.stubEnv(name, undefined);
  // The machine owner's token must not be sent to the test's hub.
  vi.stubEnv("HF_HOME", join(root, "home"));
  room.bytes = 1e12;
  room.writable = Number.POSITIVE_INFINITY;
  hub = await startHub(await smallModel());
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.close();
  await rm(root, { recursive: true });
});

const open = (id = "someone/small", more: Parameters<typeof openModelFiles>[1] = {}) =>
  openModelFiles(id, { endpoint: hub.url, cacheFolder, ...more }).then(({ files }) => files);
const weights = "unet/diffusion_pytorch_model.safetensors";
const repository = () => join(cacheFolder, "models--someone--small");
const snapshot = () => join(repository(), "snapshots", commit);
const blobOf = (path: string) => join(repository(), "blobs", sha256(hub.files.get(path)!));

/** Compared as bytes, because a matcher would take seconds. */
const arrived = async () => hub.files.get(weights)!.equals(await readFile(join(snapshot(), weights)));

describe("a model on the hub", () => {
  test("is downloaded into the cache in the layout of other tools, with progress, and opened", async () => {
    const seen: DownloadProgress[] = [];
    const model = await open("someone/small", { onProgress: (progress) => seen.push(progress) });
    expect(model).toMatchObject({ kind: "hub", name: "someone/small", tokenizerFolder: join(snapshot(), "tokenizer") });
    expect(await readFile(join(repository(), "refs", "main"), "utf8")).toBe(commit);
    expect((await lstat(join(snapshot(), weights))).isSymbolicLink()).toBe(true);
    expect(await readlink(join(snapshot(), weights))).toBe(`../../../blobs/${sha256(hub.files.get(weights)!)}`);
    expect(await arrived()).toBe(true);
    expect(model.components.get("unet")!.weights.get("conv_in.weight")!.source.path).toBe(blobOf(weights));

    const { received, total } = seen.at(-1)!;
    expect(received).toBe(total);
    expect(seen.every((progress, i) => i === 0 || progress.received >= seen[i - 1]!.received)).toBe(true);
    expect(new Set(seen.map(({ file }) => file))).toContain(weights);
    expect((await readdir(join(repository(), "blobs"))).filter((name) => name.includes("incomplete"))).toEqual([]);
  });

  test("downloads only the files a picture needs", async () => {
    await open();
    expect(await listing(snapshot())).toEqual([
      "model_index.json",
      "scheduler/scheduler_config.json",
      "text_encoder/config.json",
      "text_encoder/model.safetensors",
      "tokenizer/merges.txt",
      "tokenizer/vocab.json",
      "unet/config.json",
      weights,
      "vae/config.json",
      "vae/diffusion_pytorch_model.safetensors",
    ]);
  });

  test("downloads the requested variant if there is one", async () => {
    const model = await open("someone/small", { variant: "fp16" });
    expect((await listing(snapshot())).filter((name) => name.endsWith(".safetensors"))).toEqual([
      "text_encoder/model.safetensors",
      "unet/diffusion_pytorch_model.fp16.safetensors",
      "vae/diffusion_pytorch_model.safetensors",
    ]);
    expect(model.components.get("unet")!.weights.get("conv_in.weight")!.dtype).toBe("float16");
  });

  test("downloads nothing if there is no such variant", async () => {
    await expect(open("someone/small", { variant: "fp61" })).rejects.toThrow(
      refusal("variant-missing", "someone/small", "fp61"),
    );
  });

  test("downloads all shards of a sharded model", async () => {
    hub.files.delete(weights);
    hub.files.delete("unet/diffusion_pytorch_model.fp16.safetensors");
    const shards = ["a", "b"].map(
      (key, i) => [key, `diffusion_pytorch_model-0000${i + 1}-of-00002.safetensors`] as const,
    );
    for (const [key, name] of shards) hub.files.set(`unet/${name}`, await tensorFile({ [key]: [4] }));
    const index = JSON.stringify({ weight_map: Object.fromEntries(shards) });
    hub.files.set("unet/diffusion_pytorch_model.safetensors.index.json", Buffer.from(index));
    expect([...(await open()).components.get("unet")!.weights.keys()]).toEqual(["a", "b"]);
  });

  test("with only a U-Net is downloaded alone, and the base gives the rest", async () => {
    await open();
    const base = join(root, "base");
    await cp(snapshot(), base, { recursive: true, dereference: true });
    await rm(cacheFolder, { recursive: true });
    for (const name of [...hub.files.keys()]) if (!name.startsWith("unet/")) hub.files.delete(name);
    await expect(open()).rejects.toThrow(refusal("model-incomplete", "someone/small", "unet/", "--base"));
    const model = await open("someone/small", { base });
    expect(await listing(snapshot())).toEqual(["unet/config.json", weights]);
    expect(model.components.get("unet")!.weights.get("conv_in.weight")!.source.path).toBe(blobOf(weights));
    expect(model).toMatchObject({ name: "someone/small", kind: "hub", tokenizerFolder: join(base, "tokenizer") });
  });

  test("is opened again without requesting any file", async () => {
    await open();
    hub.requests.length = 0;
    await open();
    expect(hub.requests.filter(({ path }) => path.includes("/resolve/"))).toEqual([]);
  });

  test("that another tool has downloaded is found", async () => {
    // As huggingface_hub lays it out: blobs by hash, relative links from the snapshot.
    await open();
    const elsewhere = join(root, "moved");
    await mkdir(elsewhere);
    await rename(repository(), join(elsewhere, "models--someone--small"));
    hub.requests.length = 0;
    const model = await open("someone/small", { cacheFolder: elsewhere });
    expect(hub.requests.filter(({ path }) => path.includes("/resolve/"))).toEqual([]);
    expect(model.components.get("unet")!.weights.get("conv_in.weight")!.source.name.startsWith(elsewhere)).toBe(true);
  });

  test("whose newest commit changes one file downloads only that file", async () => {
    await open();
    hub.commit = "d".repeat(40);
    hub.files.set("scheduler/scheduler_config.json", Buffer.from('{"prediction_type":"v_prediction"}'));
    hub.requests.length = 0;
    const model = await open();
    expect(model.scheduler).toEqual({ prediction_type: "v_prediction" });
    expect(new Set(hub.requests.map(({ path }) => path).filter((path) => path.includes("/resolve/")))).toEqual(
      new Set([`/someone/small/resolve/${"d".repeat(40)}/scheduler/scheduler_config.json`]),
    );
  });

  test("is listed over several pages", async () => {
    hub.pageLength = 3;
    expect((await open()).components.get("unet")!.weights.size).toBe(1);
    expect(hub.requests.filter(({ path }) => path.includes("/tree/")).length).toBeGreaterThan(4);
  });

  test("at a revision gives that commit's files, cached under its own reference", async () => {
    hub.revisions.set("fp16/new", "f".repeat(40));
    const at = "someone/small@fp16/new";
    const model = await open(at);
    expect(model).toMatchObject({ kind: "hub", name: at });
    expect(model.tokenizerFolder).toBe(join(repository(), "snapshots", "f".repeat(40), "tokenizer"));
    expect(await readFile(join(repository(), "refs", "fp16/new"), "utf8")).toBe("f".repeat(40));
    hub.status = 502;
    expect((await open(at)).tokenizerFolder).toBe(model.tokenizerFolder);
    await expect(open("someone/small@other")).rejects.toThrow(refusal("hub-refused", "other"));
    hub.status = undefined;
    hub.revisions.set(commit, commit);
    expect((await open(`someone/small@${commit}`)).tokenizerFolder).toBe(join(snapshot(), "tokenizer"));
    expect(await listing(join(repository(), "refs"))).toEqual(["fp16/new"]);
  });

  test("with only PyTorch weights is downloaded with these", async () => {
    const torch = await readFile(new URL("../../../parity/fixtures/torch/state-dict.pt", import.meta.url));
    for (const name of hub.files.keys()) if (/^unet.*safetensors$/.test(name)) hub.files.delete(name);
    hub.files.set("unet/diffusion_pytorch_model.bin", torch);
    expect((await open()).components.get("unet")!.weights.get("scalar")!.shape).toEqual([]);
  });

  test("reports the total size before the first byte", async () => {
    const seen: DownloadProgress[] = [];
    hub.fileStatus = 403;
    await expect(open("someone/small", { onProgress: (one) => seen.push(one) })).rejects.toThrow();
    hub.fileStatus = undefined;
    await open("someone/small", { onProgress: (one) => seen.push(one) });
    expect(seen[0]!.received).toBe(0);
    expect(seen[0]!.total).toBeGreaterThan(hub.files.get(weights)!.length);
  });

  test("is found at HF_ENDPOINT and stored under HF_HUB_CACHE", async () => {
    vi.stubEnv("HF_ENDPOINT", `${hub.url}/`);
    vi.stubEnv("HF_HUB_CACHE", cacheFolder);
    const model = await openModelFiles("someone/small").then(({ files }) => files);
    expect(model.tokenizerFolder).toBe(join(snapshot(), "tokenizer"));
  });

  test("is stored under HF_HOME, in which ~ is the user's home folder", async () => {
    vi.stubEnv("HOME", root);
    vi.stubEnv("USERPROFILE", root);
    vi.stubEnv("HF_HOME", "~/mine");
    const model = await openModelFiles("someone/small", { endpoint: hub.url }).then(({ files }) => files);
    expect(model.tokenizerFolder.startsWith(join(root, "mine", "hub"))).toBe(true);
  });
});

describe("an interrupted download", () => {
  const ranges = () =>
    hub.requests.filter(({ path, range }) => path.endsWith(weights) && range !== "bytes=0-0").map(({ range }) => range);

  test("resumes where it stopped, in the same run", async () => {
    hub.breakAfter.set(weights, [600_000, 500_000]);
    const model = await open();
    expect(await arrived()).toBe(true);
    expect(model.components.get("unet")!.weights.has("conv_in.weight")).toBe(true);
    const [whole, second, third] = ranges();
    expect(whole).toBeUndefined();
    const starts = [second, third].map((range) => Number(/^bytes=(\d+)-/.exec(range!)![1]));
    expect(starts[0]).toBeGreaterThan(0);
    expect(starts[0]).toBeLessThanOrEqual(600_000);
    expect(starts[1]).toBeGreaterThan(starts[0]!);
  });

  test("that the user stopped resumes in the next run", async () => {
    const controller = new AbortController();
    const onProgress = ({ file, received }: DownloadProgress) => {
      if (file === weights && received > 1_000_000) controller.abort(new Error("stopped"));
    };
    await expect(open("someone/small", { signal: controller.signal, onProgress })).rejects.toThrow("stopped");
    expect(await listing(join(repository(), "blobs"))).toContain(
      `${sha256(hub.files.get(weights)!)}.resumable.incomplete`,
    );
    hub.requests.length = 0;
    await open();
    expect(await arrived()).toBe(true);
    expect(ranges()).toEqual([expect.stringMatching(/^bytes=[1-9]\d{5,}-/)]);
  });

  test("that died with its process resumes in the next run", async () => {
    await mkdir(join(repository(), "blobs"), { recursive: true });
    // No process has such a high id: Linux's largest is 4,194,304.
    await writeFile(`${blobOf(weights)}.99999999-0123abcd.incomplete`, hub.files.get(weights)!.subarray(0, 700_000));
    await open();
    expect(ranges()).toEqual([expect.stringMatching(/^bytes=700000-/)]);
    expect(await arrived()).toBe(true);
  });

  test("of another running process is left alone", async () => {
    await mkdir(join(repository(), "blobs"), { recursive: true });
    const other = `${blobOf(weights)}.${process.ppid}-0123abcd.incomplete`;
    await writeFile(other, "half");
    await open();
    expect(await readFile(other, "utf8")).toBe("half");
    expect(await arrived()).toBe(true);
  });

  test("whose beginning is damaged starts over", async () => {
    await mkdir(join(repository(), "blobs"), { recursive: true });
    await writeFile(`${blobOf(weights)}.resumable.incomplete`, Buffer.alloc(700_000, 1));
    await open();
    expect(await arrived()).toBe(true);
    expect(ranges()).toHaveLength(2);
  });

  test("that receives nothing more is given up", async () => {
    hub.breakAfter.set(weights, Array(20).fill(0));
    await expect(open()).rejects.toThrow(refusal("hub-download-failed", weights, "someone/small"));
    expect(await listing(repository())).not.toContain(`snapshots/${commit}/${weights}`);
  });
});

describe("a single file", () => {
  async function singleFile(): Promise<string> {
    const { sd1 } = JSON.parse(
      await readFile(new URL("../../families/stable-diffusion/fixtures/ldm-names.json", import.meta.url), "utf8"),
    );
    const file = join(root, "dreamy.safetensors");
    await writeFile(file, await tensorFile(sd1.ldm, "float16"));
    return file;
  }

  test("fetches the usual tokenizer, and nothing else", async () => {
    hub.id = "stable-diffusion-v1-5/stable-diffusion-v1-5";
    const model = await open(await singleFile());
    const cached = join(cacheFolder, "models--stable-diffusion-v1-5--stable-diffusion-v1-5", "snapshots", commit);
    expect(model.tokenizerFolder).toBe(join(cached, "tokenizer"));
    expect(await listing(cached)).toEqual(["tokenizer/merges.txt", "tokenizer/vocab.json"]);
  });

  test("takes its configs from the hub id given as --config, without that model's weights", async () => {
    hub.files.set("scheduler/scheduler_config.json", Buffer.from('{"prediction_type":"v_prediction"}'));
    const model = await open(await singleFile(), { config: "someone/small" });
    expect(model).toMatchObject({ kind: "single-file", scheduler: { prediction_type: "v_prediction" } });
    expect((await listing(snapshot())).filter((name) => name.endsWith(".safetensors"))).toEqual([]);
  });
});

describe("an adapter", () => {
  const place = (name: string) => placeOfAdapter(name, { endpoint: hub.url, cacheFolder });
  const repositoryOf = (...names: string[]) => {
    hub.files.clear();
    for (const name of ["README.md", "image.png", ...names]) hub.files.set(name, Buffer.from(name));
  };

  test.each([
    [
      ["pytorch_lora_weights.safetensors", "pytorch_lora_weights.bin", "optimizer.bin"],
      ["pytorch_lora_weights.safetensors"],
    ],
    [
      ["adapter_model.safetensors", "adapter_config.json"],
      ["adapter_config.json", "adapter_model.safetensors"],
    ],
    [
      ["pytorch_custom_diffusion_weights.bin", "<new1>.bin"],
      ["<new1>.bin", "pytorch_custom_diffusion_weights.bin"],
    ],
    [["learned_embeds.bin", "learned_embeds-steps-500.bin"], ["learned_embeds.bin"]],
  ])("with the usual names is a folder of only these: %j", async (names, expected) => {
    repositoryOf(...names);
    expect(await place("someone/small")).toBe(snapshot());
    expect(await listing(snapshot())).toEqual(expected);
  });

  test("with one file of another name is that file; owner/name:file names any file", async () => {
    repositoryOf("cat.safetensors");
    expect(await place("someone/small")).toBe(join(snapshot(), "cat.safetensors"));
    repositoryOf("cat.safetensors", "old/dog.safetensors");
    expect(await place("someone/small:old/dog.safetensors")).toBe(join(snapshot(), "old/dog.safetensors"));
    expect(await readFile(join(snapshot(), "old/dog.safetensors"), "utf8")).toBe("old/dog.safetensors");
  });

  test("among several must be named, and a repository without one says so", async () => {
    repositoryOf("cat.safetensors", "dog.safetensors");
    await expect(place("someone/small")).rejects.toThrow(
      refusal("adapter-ambiguous", "someone/small:cat.safetensors", "dog.safetensors"),
    );
    repositoryOf();
    await expect(place("someone/small")).rejects.toThrow(refusal("adapter-empty", "someone/small"));
  });

  test("that is a local file or folder is used as it is", async () => {
    expect(await place(root)).toBe(root);
    expect(await place("no/such.safetensors")).toBe("no/such.safetensors");
    expect(hub.requests).toEqual([]);
  });
});

describe("an encoder", () => {
  const place = (name: string) => encoderFolder(name, { endpoint: hub.url, cacheFolder });

  test("downloads config, tokenizer, preprocessor and one set of weights", async () => {
    hub.files.clear();
    const needed = ["config.json", "merges.txt", "preprocessor_config.json", "pytorch_model.bin", "vocab.json"];
    for (const name of [...needed, "flax_model.msgpack", "tf_model.h5", "README.md"])
      hub.files.set(name, Buffer.from(name));
    expect(await place("someone/small")).toBe(snapshot());
    expect(await listing(snapshot())).toEqual(needed);
    hub.files.set("model.safetensors", Buffer.from("x"));
    hub.commit = "d".repeat(40);
    expect(await listing(await place("someone/small"))).toContain("model.safetensors");
  });

  test("without PyTorch weights says so; a folder is used as it is", async () => {
    hub.files.clear();
    hub.files.set("tf_model.h5", Buffer.from("x"));
    await expect(place("someone/small")).rejects.toThrow(refusal("weights-missing", "someone/small"));
    expect(await place(root)).toBe(root);
  });
});

describe("the environment's proxies", () => {
  /** A proxy for http: it receives requests with full addresses, and forwards them to the hub. */
  async function startProxy(status?: number) {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url!);
      const url = new URL(request.url!);
      if (status !== undefined) response.writeHead(status).end();
      else answer(hub, Object.assign(request, { url: url.pathname + url.search }), response);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const close = () => {
      server.close();
      server.closeAllConnections();
    };
    return { asked, close, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  }

  test.each(["HTTP_PROXY", "http_proxy", "ALL_PROXY"])("%s is used", async (name) => {
    const proxy = await startProxy();
    vi.stubEnv(name, name === "ALL_PROXY" ? proxy.url.replace("http://", "") : proxy.url);
    try {
      await open("someone/small", { endpoint: "http://hub.invalid" });
      expect(await arrived()).toBe(true);
      expect(proxy.asked.length).toBeGreaterThan(10);
      expect(proxy.asked.every((url) => url.startsWith("http://hub.invalid/"))).toBe(true);
    } finally {
      proxy.close();
    }
  });

  test("NO_PROXY bypasses them", async () => {
    const proxy = await startProxy();
    vi.stubEnv("HTTP_PROXY", proxy.url);
    vi.stubEnv("NO_PROXY", "example.org,127.0.0.1");
    try {
      await open();
      expect(await arrived()).toBe(true);
      expect(proxy.asked).toEqual([]);
    } finally {
      proxy.close();
    }
  });

  test("an https hub is reached with CONNECT", async () => {
    const connects: string[] = [];
    const server = createServer().on("connect", (request, socket) => {
      connects.push(request.url!);
      socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    vi.stubEnv("HTTPS_PROXY", `http://me:secret@127.0.0.1:${port}`);
    const opened = open("someone/small", { endpoint: "https://hub.invalid" });
    await expect(opened).rejects.toThrow(refusal("hub-unreachable", `http://127.0.0.1:${port}`));
    await expect(opened).rejects.not.toThrow("secret");
    expect(connects).toEqual(["hub.invalid:443"]);
    server.close();
  });

  test("one that refuses is named", async () => {
    for (const [status, code] of [
      [407, "hub-unreachable"],
      [502, "hub-refused"],
    ] as const) {
      const proxy = await startProxy(status);
      vi.stubEnv("HTTP_PROXY", proxy.url);
      await expect(open()).rejects.toThrow(refusal(code, proxy.url));
      proxy.close();
    }
  });

  test("one that cannot be reached is named", async () => {
    vi.stubEnv("HTTP_PROXY", "http://127.0.0.1:9");
    await expect(open()).rejects.toThrow(refusal("hub-unreachable", "http://127.0.0.1:9"));
  });
});

describe("what the hub refuses", () => {
  test.each([
    [401, ["/someone/small", "HF_TOKEN"]],
    [403, ["/someone/small", "HF_TOKEN"]],
    [404, []],
    [503, ["503"]],
  ])("status %i", async (status, facts) => {
    hub.status = status;
    await expect(open()).rejects.toThrow(refusal("hub-refused", "someone/small", hub.url, ...facts));
  });

  test("a gated repository whose listing is open", async () => {
    hub.fileStatus = 403;
    await expect(open()).rejects.toThrow(refusal("hub-refused", "someone/small"));
  });

  test("a hub that cannot be reached", async () => {
    const endpoint = "http://127.0.0.1:9";
    await expect(open("someone/small", { endpoint })).rejects.toThrow(
      refusal("hub-unreachable", "someone/small", endpoint),
    );
  });

  test("an invalid address", async () => {
    const endpoint = "not a url";
    await expect(open("someone/small", { endpoint })).rejects.toThrow(refusal("hub-unreachable", endpoint));
  });

  test("an answer that is not the hub's", async () => {
    hub.html = true;
    await expect(open()).rejects.toThrow(refusal("hub-unreachable", hub.url, "HF_ENDPOINT"));
  });

  test("a listed file that no longer exists", async () => {
    hub.gone = weights;
    await expect(open()).rejects.toThrow(refusal("hub-changed", "someone/small", weights));
  });

  test("a repository without model_index.json", async () => {
    hub.files.delete("model_index.json");
    await expect(open()).rejects.toThrow(refusal("model-not-found", "someone/small:small.safetensors"));
  });

  test("a missing revision", async () => {
    await expect(open("someone/small@v9")).rejects.toThrow(refusal("hub-refused", "someone/small", "v9"));
  });

  test("a missing file", async () => {
    await expect(open("someone/small:big.safetensors")).rejects.toThrow(
      refusal("file-missing", "someone/small", "big.safetensors", "small.safetensors"),
    );
  });

  test.each(["someone/small@../../x", "someone/small:../../x.ckpt", "someone/cat.safetensors", "a/b:c\\d"])(
    "%s is not a hub name",
    async (name) => {
      await expect(open(name)).rejects.toThrow(refusal("model-not-found", name));
      expect(hub.requests).toEqual([]);
    },
  );

  test("a disk with too little space, before a byte is fetched", async () => {
    room.bytes = 1_000_000;
    await expect(open()).rejects.toThrow(refusal("file-not-written", cacheFolder, "0.001 GB", "HF_HOME"));
    expect(hub.requests.filter(({ path }) => path.endsWith(weights))).toEqual([]);
  });

  test("a disk that fills up in mid-download, which resumes when there is space", async () => {
    room.writable = 700_000;
    await expect(open()).rejects.toThrow(refusal("file-not-written", cacheFolder, "full", "HF_HOME"));
    room.writable = Number.POSITIVE_INFINITY;
    hub.requests.length = 0;
    await open();
    expect(await arrived()).toBe(true);
    const [range] = hub.requests
      .filter(({ path }) => path.endsWith(weights))
      .map(({ range }) => range)
      .slice(-1);
    expect(range).toMatch(/^bytes=[1-9]\d{3,}-/);
  });

  test("a repository without weights of one part", async () => {
    for (const name of hub.files.keys()) if (/^unet.*(safetensors|bin)$/.test(name)) hub.files.delete(name);
    await expect(open()).rejects.toThrow(refusal("weights-missing", "someone/small", "unet/"));
  });

  test("a cache that cannot be written", async () => {
    await writeFile(join(root, "file"), "");
    await expect(open("someone/small", { cacheFolder: join(root, "file") })).rejects.toThrow(
      refusal("file-not-written", join(root, "file"), "HF_HOME"),
    );
  });
});

describe("without the network", () => {
  test("a model in the cache opens", async () => {
    await open();
    const model = await open("someone/small", { endpoint: "http://127.0.0.1:9" });
    expect(model.components.get("unet")!.weights.size).toBe(1);
  });

  test("a model in the cache opens while the hub is down", async () => {
    await open();
    hub.status = 502;
    expect((await open()).components.get("unet")!.weights.size).toBe(1);
  });

  test("HF_HUB_OFFLINE sends no request", async () => {
    await open();
    hub.requests.length = 0;
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect((await open()).components.get("unet")!.weights.size).toBe(1);
    await expect(open("someone/else")).rejects.toThrow(refusal("hub-offline", "someone/else", "HF_HUB_OFFLINE"));
    expect(hub.requests).toEqual([]);
  });
});

describe("safety", () => {
  test("HF_TOKEN is sent to the hub and not to the store it redirects to", async () => {
    const store = await startHub(hub.files);
    hub.redirectTo = store.url;
    vi.stubEnv("HF_TOKEN", "hf_secret");
    await open();
    await store.close();
    expect(new Set(hub.requests.map(({ authorization }) => authorization))).toEqual(new Set(["Bearer hf_secret"]));
    expect(store.requests.length).toBeGreaterThan(0);
    expect(new Set(store.requests.map(({ authorization }) => authorization))).toEqual(new Set([undefined]));
  });

  test.each([
    ["HF_HOME/token", () => vi.stubEnv("HF_HOME", root), "token"],
    ["HF_TOKEN_PATH", () => vi.stubEnv("HF_TOKEN_PATH", join(root, "elsewhere")), "elsewhere"],
  ])("the token in %s is sent, HF_TOKEN takes precedence, and sending can be disabled", async (_what, set, name) => {
    set();
    await writeFile(join(root, name), "hf_filed\n");
    const sent = async () => {
      hub.requests.length = 0;
      await open();
      return new Set(hub.requests.map(({ authorization }) => authorization));
    };
    expect(await sent()).toEqual(new Set(["Bearer hf_filed"]));
    vi.stubEnv("HF_TOKEN", "hf_given");
    expect(await sent()).toEqual(new Set(["Bearer hf_given"]));
    vi.stubEnv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
    expect(await sent()).toEqual(new Set([undefined]));
    vi.unstubAllEnvs();
    vi.stubEnv("HF_TOKEN", undefined);
    set();
    await writeFile(join(root, name), "secret");
    await expect(open()).rejects.toThrow(refusal("hub-token", join(root, name)));
  });

  test("an invalid token is reported without showing it", async () => {
    vi.stubEnv("HF_TOKEN", "secret");
    const opened = open();
    await expect(opened).rejects.toThrow(refusal("hub-token", "HF_TOKEN"));
    await expect(opened).rejects.not.toThrow("secret");
  });

  test("a repository cannot write outside the cache", async () => {
    for (const path of [
      "tokenizer/../../../../../evil.json",
      "/evil.json",
      "tokenizer/..\\evil.json",
      "..",
      "C:evil.json",
    ]) {
      hub.files.set(path, Buffer.from("{}"));
    }
    await open();
    expect((await listing(root)).filter((name) => name.includes("evil"))).toEqual([]);
  });

  test("a file whose content does not match its hash is refused", async () => {
    hub.tamper = true;
    await expect(open()).rejects.toThrow(refusal("hub-download-failed", "hash"));
  });
});

/** A tiny Diffusers repository, including files that need not be fetched. */
async function smallModel(): Promise<Map<string, Buffer>> {
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  return new Map([
    ["README.md", Buffer.from("# small")],
    ["small.safetensors", Buffer.alloc(50)],
    [
      "model_index.json",
      json({
        _class_name: "StableDiffusionPipeline",
        unet: ["diffusers", "UNet2DConditionModel"],
        vae: ["diffusers", "AutoencoderKL"],
        text_encoder: ["transformers", "CLIPTextModel"],
      }),
    ],
    ["unet/config.json", json({ in_channels: 4, out_channels: 4 })],
    // Large enough to be interrupted in the middle.
    [weights, await tensorFile({ "conv_in.weight": [600_000] })],
    ["unet/diffusion_pytorch_model.fp16.safetensors", await tensorFile({ "conv_in.weight": [8] }, "float16")],
    ["unet/diffusion_pytorch_model.non_ema.safetensors", Buffer.alloc(50)],
    ["unet/diffusion_pytorch_model.bin", Buffer.alloc(50)],
    ["vae/config.json", json({})],
    ["vae/diffusion_pytorch_model.safetensors", await tensorFile({ "encoder.conv_in.weight": [8] })],
    ["text_encoder/config.json", json({})],
    ["text_encoder/model.safetensors", await tensorFile({ "text_model.final_layer_norm.weight": [8] })],
    ["text_encoder/pytorch_model.bin", Buffer.alloc(50)],
    ["safety_checker/model.safetensors", Buffer.alloc(50)],
    ["feature_extractor/preprocessor_config.json", json({})],
    ["scheduler/scheduler_config.json", json({ prediction_type: "epsilon" })],
    ["tokenizer/vocab.json", json({})],
    ["tokenizer/merges.txt", Buffer.from("#version: 0.2\n")],
  ]);
}

async function tensorFile(shapes: Record<string, number[]>, dtype: "float32" | "float16" = "float32"): Promise<Buffer> {
  const file = join(root, "made.safetensors");
  const tensors = Object.entries(shapes).map(([name, shape]) => {
    const data = new Uint8Array(shape.reduce((a, b) => a * b, dtype === "float32" ? 4 : 2)).map((_, i) => i % 61);
    return { name, dtype, shape, data };
  });
  await writeSafetensors(file, tensors);
  const bytes = await readFile(file);
  await rm(file);
  return bytes;
}

interface Hub {
  readonly url: string;
  readonly files: Map<string, Buffer>;
  readonly requests: { path: string; range: string | undefined; authorization: string | undefined }[];
  /** Its only repository. */
  id: string;
  commit: string;
  /** Commits of branches and tags. */
  readonly revisions: Map<string, string>;
  pageLength: number;
  /** By path, after how many bytes each coming transfer is cut off. */
  readonly breakAfter: Map<string, number[]>;
  /** Status for every request, or for every file. */
  status: number | undefined;
  fileStatus: number | undefined;
  html: boolean;
  /** A file that is listed but not served. */
  gone: string | undefined;
  tamper: boolean;
  /** Another server for the files' bytes, like the hub's content store. */
  redirectTo: string | undefined;
  close(): Promise<void>;
}

/** A server for the parts of the hub's protocol that its library uses: model info, paged listings, files with ranges. */
async function startHub(files: Map<string, Buffer>): Promise<Hub> {
  const server: Server = createServer((request, response) => answer(self, request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const self: Hub = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    files,
    requests: [],
    id: "someone/small",
    commit,
    revisions: new Map(),
    pageLength: 1000,
    breakAfter: new Map(),
    status: undefined,
    fileStatus: undefined,
    html: false,
    gone: undefined,
    tamper: false,
    redirectTo: undefined,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return self;
}

function answer(hub: Hub, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url!, hub.url);
  const path = decodeURIComponent(url.pathname);
  hub.requests.push({ path, range: request.headers.range, authorization: request.headers.authorization });
  const isFile = path.includes("/resolve/");
  const [before, revision] = path.split("/revision/").length === 2 ? path.split("/revision/") : [];
  const status = hub.status ?? (isFile ? hub.fileStatus : undefined);
  if (status !== undefined) {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify({ error: "refused" }));
  } else if (hub.html) {
    response.writeHead(200, { "content-type": "text/html" });
    response.end("<html>Please log in to this network</html>");
  } else if (before === `/api/models/${hub.id}` && revision !== undefined) {
    const sha = revision === "HEAD" ? hub.commit : hub.revisions.get(revision);
    response.writeHead(sha === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify({ _id: "1", id: hub.id, sha, lastModified: "2024-01-01" }));
  } else if ([hub.commit, ...hub.revisions.values()].some((sha) => path === `/api/models/${hub.id}/tree/${sha}`)) {
    const from = Number(url.searchParams.get("cursor") ?? 0);
    const entries = [...hub.files].map(([name, bytes]) => ({
      type: "file",
      path: name,
      size: bytes.length,
      ...(/\.(safetensors|bin)$/.test(name)
        ? { oid: "0".repeat(40), lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 } }
        : { oid: gitHash(bytes) }),
    }));
    const next = from + hub.pageLength;
    url.searchParams.set("cursor", String(next));
    response.writeHead(200, {
      "content-type": "application/json",
      ...(next < entries.length && { link: `<${url.href}>; rel="next"` }),
    });
    response.end(JSON.stringify(entries.slice(from, next)));
  } else if (isFile) sendFile(hub, path, request, response);
  else response.writeHead(404).end();
}

function sendFile(hub: Hub, path: string, request: IncomingMessage, response: ServerResponse): void {
  const name = path.slice(path.indexOf("/resolve/") + 9 + commit.length + 1);
  const bytes = hub.files.get(name);
  if (!bytes || name === hub.gone) {
    response.writeHead(404, { "x-error-code": "EntryNotFound" }).end();
    return;
  }
  const etag = { etag: `"${sha256(bytes)}"` };
  if (hub.redirectTo) {
    response.writeHead(302, { location: hub.redirectTo + request.url, "x-linked-etag": etag.etag }).end();
    return;
  }
  const [, from = "0", to = String(bytes.length - 1)] = /^bytes=(\d+)-(\d+)?$/.exec(request.headers.range ?? "") ?? [];
  const part = bytes.subarray(Number(from), Number(to) + 1);
  const body = hub.tamper ? Buffer.alloc(part.length, 7) : part;
  const partial = request.headers.range !== undefined;
  response.writeHead(partial ? 206 : 200, {
    ...etag,
    "content-length": body.length,
    ...(partial && { "content-range": `bytes ${from}-${to}/${bytes.length}` }),
  });
  const limit = body.length > 1 ? hub.breakAfter.get(name)?.shift() : undefined;
  if (limit === undefined) response.end(body);
  else if (limit === 0) response.destroy();
  else {
    response.write(body.subarray(0, limit), async () => {
      // Undelivered bytes of a broken connection are lost: wait until some are on disk.
      while (!(await isBeyond(name, Number(from)))) await new Promise((done) => setTimeout(done, 5));
      response.destroy();
    });
  }
}

/** Whether more than `bytes` bytes of a file have been downloaded. */
async function isBeyond(name: string, bytes: number): Promise<boolean> {
  const blob = blobOf(name);
  const parts = (await readdir(dirname(blob))).filter((part) => part.startsWith(`${basename(blob)}.`));
  const sizes = await Promise.all(parts.map(async (part) => (await stat(join(dirname(blob), part))).size));
  return Math.max(0, ...sizes) > bytes;
}

async function listing(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function gitHash(bytes: Uint8Array): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}
