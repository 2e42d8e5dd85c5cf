/** OpenVINO's C interface, called through koffi. */
import { TillerError } from "../../../errors/index.ts";
import { findLibrary } from "./find.ts";

/** An address. */
export type Pointer = bigint;

/** Element types of inputs and outputs, with the C interface's codes (`ov_element_type_e`). */
const elementTypes = { float32: 4, int32: 9 } as const;

export interface Library {
  getProperty(device: string, key: string): string;
  /** Reads an ONNX model and maps the weights beside it. */
  readModel(file: string): Promise<Pointer>;
  reshape(model: Pointer, shapes: ReadonlyMap<string, readonly number[]>): void;
  compile(model: Pointer, device: string, properties: Readonly<Record<string, string>>): Promise<Pointer>;
  createRequest(compiled: Pointer): Pointer;
  /** A tensor over `data`, which is kept alive until the tensor is freed. */
  tensor(type: keyof typeof elementTypes, shape: readonly number[], data: Float32Array | Int32Array): Pointer;
  setTensor(request: Pointer, name: string, tensor: Pointer): void;
  infer(request: Pointer): Promise<void>;
  /** A copy of an output with `rank` axes. */
  output(request: Pointer, name: string, rank: number): { shape: number[]; data: Float32Array };
  profile(request: Pointer): { operator: string; milliseconds: number }[];
  free(kind: "model" | "compiled_model" | "infer_request" | "tensor", pointer: Pointer): void;
}

let opened: Promise<Library> | undefined;

/**
 * OpenVINO, found and opened once per process.
 *
 * @throws TillerError `openvino-missing` if the library or koffi is missing.
 */
export function openLibrary(): Promise<Library> {
  opened ??= open().catch((error) => {
    opened = undefined;
    throw error;
  });
  return opened;
}

async function open(): Promise<Library> {
  const file = await findLibrary();
  const { default: koffi } = await import("koffi").catch((error) => {
    throw new TillerError(
      "openvino-missing",
      "The package koffi, through which OpenVINO is called, is missing: npm install koffi.",
      {
        cause: error,
      },
    );
  });
  const load = () => {
    try {
      return koffi.load(file);
    } catch (error) {
      throw new TillerError(
        "openvino-missing",
        `${file} cannot be loaded (${(error as Error).message}): install OpenVINO for this system with tiller openvino install.`,
        { paths: [file], cause: error },
      );
    }
  };
  const library = load();
  const shapeType = koffi.struct({ rank: "int64_t", dims: "int64_t*" });
  const dimension = koffi.struct({ min: "int64_t", max: "int64_t" });
  const partialShape = koffi.struct({ rank: dimension, dims: "int64_t*" });
  const profilingInfo = koffi.struct({
    status: "int",
    real_time: "int64_t",
    cpu_time: "int64_t",
    node_name: "const char*",
    exec_type: "const char*",
    node_type: "const char*",
  });
  const profilingList = koffi.struct({ infos: koffi.pointer(profilingInfo), size: "size_t" });

  const pointer = koffi.pointer("void");
  const outPointer = koffi.out(koffi.pointer(pointer));
  type Spec = string | import("koffi").TypeObject | ReturnType<typeof koffi.out>;
  const status = (name: string, types: Spec[]) => library.func(name, "int", types);
  const c = {
    lastError: library.func("ov_get_last_err_msg", "const char*", []),
    coreCreate: status("ov_core_create", [outPointer]),
    setProperty: status("ov_core_set_property", [pointer, "const char*", "..."]),
    getProperty: status("ov_core_get_property", [pointer, "const char*", "const char*", outPointer]),
    freeText: library.func("ov_free", "void", [pointer]),
    read: status("ov_core_read_model", [pointer, "const char*", "const char*", outPointer]),
    reshape: status("ov_model_reshape", [pointer, koffi.pointer("const char*"), koffi.pointer(partialShape), "size_t"]),
    // Properties would be variadic arguments; without any, it is a plain function, which koffi can call asynchronously.
    compile: status("ov_core_compile_model", [pointer, pointer, "const char*", "size_t", outPointer]),
    request: status("ov_compiled_model_create_infer_request", [pointer, outPointer]),
    tensor: status("ov_tensor_create_from_host_ptr", ["int", shapeType, "void*", outPointer]),
    setTensor: status("ov_infer_request_set_tensor", [pointer, "const char*", pointer]),
    getTensor: status("ov_infer_request_get_tensor", [pointer, "const char*", outPointer]),
    infer: status("ov_infer_request_infer", [pointer]),
    profiling: status("ov_infer_request_get_profiling_info", [pointer, koffi.out(koffi.pointer(profilingList))]),
    profilingFree: library.func("ov_profiling_info_list_free", "void", [koffi.pointer(profilingList)]),
    tensorData: status("ov_tensor_data", [pointer, outPointer]),
    tensorShape: status("ov_tensor_get_shape", [pointer, koffi.out(koffi.pointer(shapeType))]),
    shapeFree: status("ov_shape_free", [koffi.pointer(shapeType)]),
    free: {
      model: library.func("ov_model_free", "void", [pointer]),
      compiled_model: library.func("ov_compiled_model_free", "void", [pointer]),
      infer_request: library.func("ov_infer_request_free", "void", [pointer]),
      tensor: library.func("ov_tensor_free", "void", [pointer]),
    },
  };
  const failure = (code: number) => new Error(String(c.lastError()).trim() || `OpenVINO's status ${code}`);
  const checked = (code: number): void => {
    if (code !== 0) throw failure(code);
  };
  /** Calls a function whose last argument receives a pointer. */
  const made = (make: (out: [Pointer | null]) => number): Pointer => {
    const out: [Pointer | null] = [null];
    checked(make(out));
    return out[0]!;
  };
  /** The shape of a tensor with at least one axis: the C interface has no empty shapes. */
  const shapeOf = (tensor: Pointer): number[] => {
    const found: { rank?: number | bigint; dims?: Pointer } = {};
    checked(c.tensorShape(tensor, found));
    const dims = koffi.decode(found.dims, koffi.array("int64_t", Number(found.rank))) as ArrayLike<number | bigint>;
    const shape = Array.from(dims, Number);
    c.shapeFree(found);
    return shape;
  };
  type Async = { async: (...args: unknown[]) => void };
  const later = (call: Async, ...args: unknown[]): Promise<void> =>
    new Promise((done, fail) => {
      call.async(...args, (error: unknown, code: number) =>
        error ? fail(error) : code === 0 ? done() : fail(failure(code)),
      );
    });

  // While OpenVINO computes, nothing else may refer to a tensor's memory, and the garbage collector does not know OpenVINO's.
  const held = new Map<Pointer, Float32Array | Int32Array>();

  // One per process: it holds the plug-ins, which are loaded once.
  const core = made((out) => c.coreCreate(out));
  // Properties belong to the core, so each model is compiled before the next one's are set.
  let compiling: Promise<unknown> = Promise.resolve();

  return {
    getProperty(device, key) {
      const text = made((out) => c.getProperty(core, device, key, out));
      const value = koffi.decode.string(text);
      c.freeText(text);
      return value;
    },
    async readModel(file) {
      const out: [Pointer | null] = [null];
      await later(c.read as unknown as Async, core, file, null, out);
      return out[0]!;
    },
    reshape(model, shapes) {
      const partial = [...shapes.values()].map((shape) => ({
        rank: { min: shape.length, max: shape.length },
        dims: BigInt64Array.from(shape.flatMap((d) => [BigInt(d), BigInt(d)])),
      }));
      checked(c.reshape(model, [...shapes.keys()], partial, partial.length));
    },
    compile(model, device, properties) {
      const turn = compiling.then(async () => {
        for (const [key, value] of Object.entries(properties)) {
          checked(c.setProperty(core, device, "const char*", key, "const char*", value));
        }
        const out: [Pointer | null] = [null];
        await later(c.compile as unknown as Async, core, model, device, 0, out);
        return out[0]!;
      });
      compiling = turn.catch(() => {});
      return turn;
    },
    createRequest: (compiled) => made((out) => c.request(compiled, out)),
    tensor(type, shape, data) {
      const tensor = made((out) => c.tensor(elementTypes[type], { rank: shape.length, dims: shape }, data, out));
      held.set(tensor, data);
      return tensor;
    },
    setTensor: (request, name, tensor) => checked(c.setTensor(request, name, tensor)),
    infer: (request) => later(c.infer as unknown as Async, request),
    output(request, name, rank) {
      const tensor = made((out) => c.getTensor(request, name, out));
      try {
        const shape = rank === 0 ? [] : shapeOf(tensor);
        const length = shape.reduce((a, b) => a * b, 1);
        if (length === 0) return { shape, data: new Float32Array() };
        const address = made((out) => c.tensorData(tensor, out));
        return { shape, data: new Float32Array(koffi.view(address, length * 4)).slice() };
      } finally {
        c.free.tensor(tensor);
      }
    },
    profile(request) {
      const list: { infos?: Pointer; size?: number | bigint } = {};
      checked(c.profiling(request, list));
      const infos = koffi.decode(list.infos, koffi.array(profilingInfo, Number(list.size))) as {
        node_type: string;
        real_time: number | bigint;
      }[];
      const times = infos.map(({ node_type, real_time }) => ({
        operator: node_type,
        milliseconds: Number(real_time) / 1000,
      }));
      c.profilingFree(list);
      return times;
    },
    free(kind, pointer) {
      c.free[kind](pointer);
      if (kind === "tensor") held.delete(pointer);
    },
  };
}
