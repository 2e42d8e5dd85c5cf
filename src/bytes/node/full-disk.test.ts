import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { refusal } from "../../../test/refusal.ts";
import { encodePng } from "../../recipe/png.ts";
import { writeWhole } from "../write-whole.ts";
import { writeNew } from "./write-new.ts";

const disk = vi.hoisted(() => ({ refusal: "ENOSPC", room: 100 }));

// A disk with room for 100 bytes: files open normally, and writing more fails with the system's error.
vi.mock("node:fs/promises", async (original) => {
  const fs = await original<typeof import("node:fs/promises")>();
  const open: typeof fs.open = async (...args) => {
    const handle = await fs.open(...args);
    let room = disk.room;
    const write = handle.write.bind(handle) as (bytes: Uint8Array, offset: number, length: number) => Promise<unknown>;
    Object.assign(handle, {
      write: (bytes: Uint8Array, offset: number, length: number) => {
        if (room <= 0) throw Object.assign(new Error(`${disk.refusal}: refused`), { code: disk.refusal });
        const taken = Math.min(room, length);
        room -= taken;
        return write(bytes, offset, taken);
      },
    });
    return handle;
  };
  return { ...fs, open };
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-full-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test.each([
  ["ENOSPC", "full"],
  ["EDQUOT", "quota"],
  ["EROFS", "read-only"],
  ["EACCES", "not writable"],
])("%s while writing a picture is reported, and leaves no partial file", async (code, why) => {
  disk.refusal = code;
  const png = await encodePng({ width: 64, height: 64, data: new Uint8Array(64 * 64 * 3).map((_, i) => i * 7) });
  expect(png.length).toBeGreaterThan(disk.room);
  for (const writing of [() => writeWhole(join(folder, "a.png"), png), () => writeNew(folder, "a", "png", png)]) {
    await expect(writing()).rejects.toThrow(refusal("file-not-written", join(folder, "a.png"), why));
  }
  expect(await readdir(folder)).toEqual([]);
});
