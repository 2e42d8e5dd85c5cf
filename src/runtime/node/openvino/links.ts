/**
 * Weights beside the model, as hard links to their files: OpenVINO then maps the files, where it copies what it is given by
 * address. A link costs no room on the disk; all are gone once the model is read.
 */
import { linkSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { cacheFolder } from "../../../bytes/node/paths.ts";
import type { ByteSource } from "../../../bytes/source.ts";

export interface Links {
  /**
   * What a source's file is called beside the model; `twin` 1 is another name of it, which OpenVINO maps once more. Undefined
   * where no link can be made: then it lies on another disk than the rest, or the system forbids it.
   */
  nameOf(source: ByteSource, twin: 0 | 1): string | undefined;
  /** Reads a model whose weights have these names from its file, which is there only meanwhile. */
  read<T>(model: Uint8Array, reader: (file: string) => Promise<T>): Promise<T>;
}

export function makeLinks(): Links {
  const names = new Map<string, string | undefined>();
  const linked = new Map<string, string>();
  let above: string | undefined;
  /** Links a file in a folder of its own, and takes it away. */
  const canLink = (file: string, folder: string): boolean => {
    let own: string | undefined;
    try {
      mkdirSync(folder, { recursive: true });
      own = mkdtempSync(join(folder, "weights-"));
      linkSync(file, join(own, "weights"));
      return true;
    } catch {
      return false;
    } finally {
      if (own) rmSync(own, { recursive: true });
    }
  };
  return {
    nameOf({ path }, twin) {
      // Windows lets no file be deleted that is mapped.
      if (path === undefined || process.platform === "win32") return;
      const key = `${twin} ${path}`;
      if (!names.has(key)) {
        const file = realpathSync(path);
        const folders = above === undefined ? [cacheFolder(), tmpdir(), dirname(file)] : [above];
        const fit = folders.find((folder) => canLink(file, folder));
        above ??= fit;
        const name = fit === undefined ? undefined : `${linked.size}`;
        if (name !== undefined) linked.set(name, file);
        names.set(key, name);
      }
      return names.get(key);
    },
    async read(model, reader) {
      const folder = mkdtempSync(join(above ?? tmpdir(), "weights-"));
      try {
        for (const [name, file] of linked) linkSync(file, join(folder, name));
        const file = join(folder, "model.onnx");
        writeFileSync(file, model);
        return await reader(file);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  };
}
