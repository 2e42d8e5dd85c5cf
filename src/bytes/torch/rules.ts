/** The names that a tensor file may use, and their meaning. Everything else is refused by name. */
import { quoted } from "../safetensors-header.ts";
import {
  isObject,
  type Pickled,
  type PickledDict,
  type PickledStorage,
  type PickledTensor,
  PickleError,
  PickleRefused,
  type PickleRules,
} from "./pickle.ts";

/** Storage classes and the names of their element types. */
const storages: Readonly<Record<string, string>> = {
  "torch.FloatStorage": "float32",
  "torch.HalfStorage": "float16",
  "torch.BFloat16Storage": "bfloat16",
  "torch.DoubleStorage": "float64",
  "torch.LongStorage": "int64",
  "torch.IntStorage": "int32",
  "torch.ShortStorage": "int16",
  "torch.CharStorage": "int8",
  "torch.ByteStorage": "uint8",
  "torch.BoolStorage": "bool",
  "torch.ComplexFloatStorage": "complex64",
  "torch.ComplexDoubleStorage": "complex128",
};

/** Storages that leave the type to their tensors. */
const untyped = new Set(["torch.storage.UntypedStorage", "torch.UntypedStorage"]);

/** How many more pairs may be copied: a hostile pickle can copy one list many times. */
interface Budget {
  pairs: number;
}

/** The functions that make tensors and dictionaries, reimplemented on plain data. */
const makers: Readonly<Record<string, (args: readonly Pickled[], budget: Budget) => Pickled>> = {
  "collections.OrderedDict": (args, budget) => ({
    kind: "dict",
    entries: args.length > 0 ? pairs(args[0]!, budget) : [],
  }),
  "torch.nn.modules.container.ParameterDict": () => ({ kind: "dict", entries: [] }),
  "torch._utils._rebuild_tensor": (args) => tensor(args),
  "torch._utils._rebuild_tensor_v2": (args) => tensor(args),
  "torch._utils._rebuild_tensor_v3": ([storage, offset, shape, strides, , , dtype]) =>
    tensor([storage!, offset!, shape!, strides!], globalName(dtype)?.replace(/^torch\./, "")),
  "torch._utils._rebuild_parameter": ([data]) => data ?? null,
  "torch._utils._rebuild_parameter_with_state": ([data]) => data ?? null,
  "torch._tensor._rebuild_from_type_v2": ([make, , args], budget) => {
    const name = globalName(make);
    if (!Array.isArray(args) || !name?.startsWith("torch._utils."))
      throw new PickleError("a tensor has no constructor");
    return makers[name]!(args, budget);
  },
};

/**
 * What trainers save besides the weights: epochs, devices, settings. Calls of these give opaque values that nothing reads.
 * Stable Diffusion 1 checkpoints name Lightning's callback.
 */
const inert = new Set([
  "torch.Size",
  "torch.device",
  "torch.Tensor",
  "torch.nn.parameter.Parameter",
  "builtins.set",
  "__builtin__.set",
  "builtins.bytearray",
  "_codecs.encode",
  "numpy.core.multiarray.scalar",
  "numpy._core.multiarray.scalar",
  "numpy.core.multiarray._reconstruct",
  "numpy._core.multiarray._reconstruct",
  "numpy.ndarray",
  "numpy.dtype",
  "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
  "pytorch_lightning.utilities.enums.DistributedType",
]);

const dtypes = new Set(
  (
    "float32 float16 bfloat16 float64 int64 int32 int16 int8 uint8 uint16 uint32 uint64 bool complex64 complex128 " +
    "float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu"
  ).split(" "),
);

/** @param seen Receives the element type of every storage by key, even if no tensor in the result uses it. */
export function torchRules(seen = new Map<string, string>()): PickleRules {
  const budget: Budget = { pairs: 1_000_000 };
  return {
    global(name) {
      const dtype = name.startsWith("torch.") && dtypes.has(name.slice(6));
      if (Object.hasOwn(makers, name) || Object.hasOwn(storages, name) || untyped.has(name) || inert.has(name) || dtype)
        return { kind: "global", name };
      throw new PickleRefused(`asks for ${quoted(name)}`);
    },
    call: (callee, args) => call(callee, args, budget),
    build(object, state) {
      if (!isObject(object)) throw new PickleError("its pickle builds on a plain value");
      // Older versions' ParameterDict keeps its tensors in its state; an OrderedDict's `_metadata` does not matter.
      if (object.kind === "dict") {
        const kept = dictIn(state, "_parameters");
        if (kept && object.entries.length === 0) return kept;
      }
      return object;
    },
    /**
     * `("storage", class, key, device, count)`; in files before 2020 followed by the `(key, offset, count)` of a view. Those
     * files also have `("module", class, …)` with the source of a pickled class.
     */
    persistent(id) {
      const [word, type, key, , , part] = Array.isArray(id) ? (id as readonly Pickled[]) : [];
      const name = globalName(type);
      if (word === "module" && name !== undefined) return type!;
      if (word !== "storage" || name === undefined || typeof key !== "string")
        throw new PickleRefused("refers to something that is not a storage");
      const dtype = storages[name];
      if (dtype === undefined && !untyped.has(name)) throw new PickleRefused(`uses ${name} as a storage`);
      if (dtype !== undefined) seen.set(key, dtype);
      return { kind: "storage", key, dtype, first: Array.isArray(part) ? count(part[1]) : 0 };
    },
  };
}

function call(callee: Pickled, args: readonly Pickled[], budget: Budget): Pickled {
  const name = globalName(callee);
  if (name === undefined) throw new PickleRefused("calls something that is not a name");
  if (Object.hasOwn(makers, name)) return makers[name]!(args, budget);
  if (inert.has(name)) return { kind: "opaque", name };
  throw new PickleRefused(`calls ${name}`);
}

function tensor([storage, offset, shape, strides]: readonly Pickled[], dtype?: string): PickledTensor {
  if (!isStorage(storage)) throw new PickleError("a tensor has no storage");
  const type = storage.dtype ?? dtype;
  if (type === undefined) throw new PickleError("a tensor has no element type");
  const [sizes, steps] = [counts(shape), counts(strides)];
  if (sizes.length !== steps.length) throw new PickleError("a tensor's shape and strides differ in length");
  return { kind: "tensor", storage, dtype: type, offset: storage.first + count(offset), shape: sizes, strides: steps };
}

/** More axes than any real tensor has. */
const maxRank = 32;

function counts(value: Pickled | undefined): number[] {
  const items = Array.isArray(value) ? (value as readonly Pickled[]) : undefined;
  if (!items || items.length > maxRank) throw new PickleError("a tensor's shape is invalid");
  return items.map(count);
}

function count(value: Pickled | undefined): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new PickleError("a tensor's shape or offset is not a whole number");
}

/** The entries of a list of pairs, the form of an OrderedDict in older versions. */
function pairs(value: Pickled, budget: Budget): [Pickled, Pickled][] {
  const items =
    isObject(value) && value.kind === "list" ? value.items : Array.isArray(value) ? (value as readonly Pickled[]) : [];
  budget.pairs -= items.length;
  if (budget.pairs < 0) throw new PickleError("it has too many pairs");
  return items.map((item) => {
    const pair =
      isObject(item) && item.kind === "list" ? item.items : Array.isArray(item) ? (item as readonly Pickled[]) : [];
    if (pair.length !== 2) throw new PickleError("a dictionary is not a list of pairs");
    return [pair[0]!, pair[1]!];
  });
}

export function dictIn(value: Pickled | undefined, key: string): PickledDict | undefined {
  const found = isObject(value) && value.kind === "dict" ? value.entries.findLast(([k]) => k === key)?.[1] : undefined;
  return isObject(found) && found.kind === "dict" ? found : undefined;
}

const globalName = (value: Pickled | undefined): string | undefined =>
  isObject(value) && value.kind === "global" ? value.name : undefined;

const isStorage = (value: Pickled | undefined): value is PickledStorage => isObject(value) && value.kind === "storage";
