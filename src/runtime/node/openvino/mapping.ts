/**
 * Maps weight files into memory, so that OpenVINO reads weights in place, by address.
 *
 * OpenVINO's CPU plug-in caches repacked weights by address and shape, regardless of their use: a square weight that one
 * product uses as it is and another transposed, as in every backward pass, would be repacked once and silently be wrong in one
 * of them. So the two uses get two mappings of the same file: different addresses, the same memory.
 */
import { closeSync, fstatSync, openSync } from "node:fs";
import type { ByteSource } from "../../../bytes/source.ts";
import { TillerError } from "../../../errors/index.ts";

export interface Mappings {
  /** The address of a source's first byte; `twin` 1 is another address of the same bytes. */
  addressOf(source: ByteSource, twin: 0 | 1): bigint;
  close(): void;
}

const [readOnly, privately] = [1, 2];

/** Maps files on demand, each once, and a second time as a twin if needed. */
export async function openMappings(): Promise<Mappings> {
  const { default: koffi } = await import("koffi");
  const system = process.platform === "win32" ? windows(koffi) : posix(koffi);
  const mapped = new Map<string, { readonly address: bigint; readonly length: number }>();
  return {
    addressOf({ name, path, size }, twin) {
      if (path === undefined) {
        throw new TillerError(
          "device-unavailable",
          `${name} is not a file, and OpenVINO reads weights from files: use --device cpu.`,
        );
      }
      const key = `${twin} ${path}`;
      const known = mapped.get(key);
      if (known) return known.address;
      const file = openSync(path, "r");
      try {
        if (fstatSync(file).size < size) {
          throw new TillerError("file-changed", `${path} is shorter than when it was opened: load the model again.`, {
            paths: [path],
          });
        }
        const address = system.map(file, path, size);
        mapped.set(key, { address, length: size });
        return address;
      } finally {
        closeSync(file);
      }
    },
    close() {
      for (const { address, length } of mapped.values()) system.unmap(address, length);
      mapped.clear();
    },
  };
}

interface System {
  map(file: number, path: string, length: number): bigint;
  unmap(address: bigint, length: number): void;
}

type Koffi = typeof import("koffi").default;

const refused = (path: string): TillerError =>
  new TillerError("file-unreadable", `${path} cannot be mapped into memory: use --device cpu.`, { paths: [path] });

function posix(koffi: Koffi): System {
  const libc = koffi.load(null);
  const mmap = libc.func(
    "void* mmap(void* address, size_t length, int protection, int flags, int file, int64_t offset)",
  );
  const munmap = libc.func("int munmap(void* address, size_t length)");
  return {
    map(file, path, length) {
      const address = mmap(null, length, readOnly, privately, file, 0) as bigint | null;
      if (address === null || BigInt.asIntN(64, address) === -1n) throw refused(path);
      return address;
    },
    unmap: (address, length) => void munmap(address, length),
  };
}

function windows(koffi: Koffi): System {
  const kernel = koffi.load("kernel32.dll");
  const createFile = kernel.func(
    "void* __stdcall CreateFileW(str16 name, uint32_t access, uint32_t share, void* security, uint32_t creation, uint32_t flags, void* template)",
  );
  const createMapping = kernel.func(
    "void* __stdcall CreateFileMappingW(void* file, void* security, uint32_t protection, uint32_t high, uint32_t low, str16 name)",
  );
  const view = kernel.func(
    "void* __stdcall MapViewOfFile(void* mapping, uint32_t access, uint32_t high, uint32_t low, size_t length)",
  );
  const unview = kernel.func("int __stdcall UnmapViewOfFile(void* address)");
  const closeHandle = kernel.func("int __stdcall CloseHandle(void* handle)");
  return {
    map(_, path) {
      // Open an existing file for reading, shared with readers, and map all of it read-only.
      const file = createFile(path, 0x80000000, 1, null, 3, 0x80, null) as bigint;
      const mapping = createMapping(file, null, 2, 0, 0, null) as bigint | null;
      const address = mapping === null ? null : (view(mapping, 4, 0, 0, 0) as bigint | null);
      if (mapping !== null) closeHandle(mapping);
      closeHandle(file);
      if (address === null) throw refused(path);
      return address;
    },
    unmap: (address) => void unview(address),
  };
}
