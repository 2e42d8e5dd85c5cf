/** A small product: customers upload pictures of a subject, the model learns it and draws it in new scenes. */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import {
  encodePng,
  type PictureRequest,
  Pipeline,
  TillerError,
  type TrainingRequest,
  train,
  withoutFolders,
} from "tillerjs";
import { createQueue } from "./queue.ts";

export interface ProductOptions {
  /** The folder of the subjects. */
  readonly data: string;
  readonly model: string;
  /** Settings that override the defaults of training and drawing. */
  readonly training?: Partial<TrainingRequest>;
  readonly drawing?: Partial<PictureRequest>;
}

const extensions: Readonly<Record<string, string>> = { "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp" };

export async function createApp({ data, model, training, drawing }: ProductOptions): Promise<Hono> {
  const inTurn = createQueue();
  const pipeline = await Pipeline.load(model);
  /** Progress of subjects in training, or why training failed. */
  const underWay = new Map<string, { step?: number; steps?: number; error?: string }>();
  const picturesOf = (id: string) => join(data, id, "pictures");
  const adapterOf = (id: string) => join(data, id, "adapter.safetensors");

  async function learn(id: string, noun: string): Promise<void> {
    const subject = { images: picturesOf(id), token: "sks", class: noun, out: adapterOf(id) };
    for await (const event of train("dreambooth", { model, ...subject, ...training })) {
      if (event.type === "step") underWay.set(id, { step: event.step, steps: event.steps });
    }
    underWay.delete(id);
  }

  const app = new Hono();

  app.post("/subjects", bodyLimit({ maxSize: 50 << 20 }), async (c) => {
    const { class: noun, pictures } = await c.req.parseBody({ all: true });
    const files = [pictures ?? []].flat().filter((part) => part instanceof File);
    if (typeof noun !== "string" || files.length === 0 || files.some(({ type }) => !(type in extensions)))
      return c.json({ error: "Send a class, such as dog, and pictures as JPEG, PNG or WebP." }, 400);
    const id = randomUUID();
    await mkdir(picturesOf(id), { recursive: true });
    for (const [i, file] of files.entries())
      await writeFile(join(picturesOf(id), `${i}.${extensions[file.type]}`), file.stream());
    underWay.set(id, {});
    inTurn(() => learn(id, noun)).catch((error) => {
      underWay.set(id, { error: error instanceof TillerError ? withoutFolders(error) : "Something went wrong." });
      console.error(error);
    });
    return c.json({ id }, 202);
  });

  app.get("/subjects/:id{[0-9a-f-]{36}}", (c) => {
    const id = c.req.param("id");
    const progress = underWay.get(id);
    if (progress) return c.json({ ready: false, ...progress });
    return existsSync(adapterOf(id)) ? c.json({ ready: true }) : c.notFound();
  });

  app.post("/subjects/:id{[0-9a-f-]{36}}/pictures", bodyLimit({ maxSize: 10_000 }), async (c) => {
    const id = c.req.param("id");
    if (underWay.has(id) || !existsSync(adapterOf(id))) return c.notFound();
    // The pipeline validates the prompt.
    const { prompt, seed } = await c.req.json().catch(() => ({}));
    return inTurn(async () => {
      await pipeline.setAdapters([adapterOf(id)]);
      const request = { ...drawing, prompt, seed };
      for await (const event of pipeline.generate(request, { signal: c.req.raw.signal })) {
        // Without the recipe, which has paths of this machine.
        if (event.type === "picture") return c.body(await encodePng(event), 200, { "content-type": "image/png" });
      }
      return c.notFound();
    });
  });

  app.onError((error, c) => {
    if (error instanceof TillerError)
      return c.json({ error: withoutFolders(error), code: error.code }, error.kind === "usage" ? 400 : 422);
    console.error(error);
    return c.json({ error: "Something went wrong." }, 500);
  });

  return app;
}
