/**
 * Interprets the pickle opcodes that tensor files need. Nothing is imported or called: {@link PickleRules} decide what a name
 * or a call means, and refuse everything but tensors. Other opcodes are refused by number.
 */

/** A Python value. Tuples are arrays. */
export type Pickled = null | boolean | number | bigint | string | Uint8Array | readonly Pickled[] | PickledObject;

export interface PickledList {
  readonly kind: "list";
  readonly items: Pickled[];
}

/** Entries in file order; duplicate keys are kept. */
export interface PickledDict {
  readonly kind: "dict";
  readonly entries: [key: Pickled, value: Pickled][];
}

/** A known Python name: never looked up, only passed to the rules. */
export interface PickledGlobal {
  readonly kind: "global";
  readonly name: string;
}

/** The result of a call that does not concern tensors. */
export interface PickledOpaque {
  readonly kind: "opaque";
  readonly name: string;
}

export interface PickledStorage {
  readonly kind: "storage";
  readonly key: string;
  /** The element type's PyTorch name; undefined if the tensor gives it. */
  readonly dtype: string | undefined;
  /** Offset of this storage in the stored one it is a view of, in elements. */
  readonly first: number;
}

export interface PickledTensor {
  readonly kind: "tensor";
  readonly storage: PickledStorage;
  readonly dtype: string;
  /** In elements. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

export type PickledObject = PickledList | PickledDict | PickledGlobal | PickledOpaque | PickledStorage | PickledTensor;

/** The meaning of names and calls in a pickle. Each function throws PickleRefused for what it does not know. */
export interface PickleRules {
  global(name: string): Pickled;
  call(callee: Pickled, args: readonly Pickled[]): Pickled;
  /** Sets an object's state; returns the object. */
  build(object: Pickled, state: Pickled): Pickled;
  persistent(id: Pickled): Pickled;
}

/** The pickle is malformed; the message completes "the file is damaged: …". */
export class PickleError extends Error {}

/** The pickle continues beyond the given bytes. */
export class PickleCut extends PickleError {}

/** The pickle contains what no tensor file has; the message completes "it is a pickle that …". */
export class PickleRefused extends Error {}

/** More than ten times what the largest checkpoints have; bounds what a hostile pickle can allocate. */
const maxSteps = 2_000_000;

const mark = Symbol("mark");

/** The value of the pickle that begins at `from`, and where it ends. */
export function unpickle(bytes: Uint8Array, from: number, rules: PickleRules): { value: Pickled; end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stack: (Pickled | typeof mark)[] = [];
  const memo = new Map<number, Pickled>();
  let at = from;

  const take = (length: number): number => {
    if (length > bytes.length - at) throw new PickleCut("its pickle ends early");
    at += length;
    return at - length;
  };
  const u1 = () => bytes[take(1)]!;
  const u2 = () => view.getUint16(take(2), true);
  const u4 = () => view.getUint32(take(4), true);
  const u8 = () => {
    const value = view.getBigUint64(take(8), true);
    if (value > BigInt(bytes.length)) throw new PickleCut("its pickle ends early");
    return Number(value);
  };
  const slice = (length: number) => {
    const begin = take(length);
    return bytes.subarray(begin, begin + length);
  };
  const utf8 = (length: number) => new TextDecoder().decode(slice(length));
  const latin1 = (length: number) => new TextDecoder("latin1").decode(slice(length));
  const line = () => {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) throw new PickleCut("its pickle ends early");
    const text = utf8(end - at);
    at++;
    return text;
  };
  const long = (length: number): number | bigint => {
    if (length > 1024) throw new PickleError(`it has an integer of ${length} bytes`);
    let value = 0n;
    const digits = slice(length);
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(digits[i]!);
    if (length > 0 && digits[length - 1]! & 0x80) value -= 1n << BigInt(8 * length);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  };
  const pop = (): Pickled => {
    const value = stack.pop();
    if (value === undefined || value === mark) throw new PickleError("its pickle pops from an empty stack");
    return value;
  };
  const top = (): Pickled => {
    const value = pop();
    stack.push(value);
    return value;
  };
  const popToMark = (): Pickled[] => {
    const begin = stack.lastIndexOf(mark);
    if (begin < 0) throw new PickleError("its pickle pops from an empty stack");
    const items = stack.splice(begin);
    items.shift();
    return items as Pickled[];
  };
  const tuple = (count: number) => {
    const items: Pickled[] = [];
    for (let i = 0; i < count; i++) items.unshift(pop());
    stack.push(items);
  };
  const recall = (index: number) => {
    const value = memo.get(index);
    if (value === undefined) throw new PickleError("its pickle reads a memo entry that was never written");
    stack.push(value);
  };
  const append = (items: readonly Pickled[]) => {
    const list = top();
    if (isObject(list) && list.kind === "list") for (const item of items) list.items.push(item);
    else if (!(isObject(list) && list.kind === "opaque"))
      throw new PickleError("its pickle appends to something that is not a list");
  };
  const setItems = (items: readonly Pickled[]) => {
    const dict = top();
    if (items.length % 2 !== 0) throw new PickleError("its pickle has a key without a value");
    if (isObject(dict) && dict.kind === "opaque") return;
    if (!isObject(dict) || dict.kind !== "dict")
      throw new PickleError("its pickle sets items of something that is not a dictionary");
    for (let i = 0; i < items.length; i += 2) dict.entries.push([items[i]!, items[i + 1]!]);
  };
  const call = (args: Pickled) => {
    if (!Array.isArray(args)) throw new PickleError("its pickle calls without arguments");
    stack.push(rules.call(pop(), args));
  };

  const opcodes: Readonly<Record<number, () => void>> = {
    128: () => void u1(), // PROTO
    149: () => void u8(), // FRAME
    40: () => void stack.push(mark), // MARK
    48: () => void (stack.length > 0 ? stack.pop() : pop()), // POP
    49: () => void popToMark(), // POP_MARK
    50: () => void stack.push(top()), // DUP
    78: () => void stack.push(null), // NONE
    136: () => void stack.push(true), // NEWTRUE
    137: () => void stack.push(false), // NEWFALSE
    74: () => void stack.push(view.getInt32(take(4), true)), // BININT
    75: () => void stack.push(u1()), // BININT1
    77: () => void stack.push(u2()), // BININT2
    138: () => void stack.push(long(u1())), // LONG1
    139: () => void stack.push(long(u4())), // LONG4
    71: () => void stack.push(view.getFloat64(take(8))), // BINFLOAT
    88: () => void stack.push(utf8(u4())), // BINUNICODE
    140: () => void stack.push(utf8(u1())), // SHORT_BINUNICODE
    141: () => void stack.push(utf8(u8())), // BINUNICODE8
    84: () => void stack.push(latin1(u4())), // BINSTRING
    85: () => void stack.push(latin1(u1())), // SHORT_BINSTRING
    66: () => void stack.push(slice(u4())), // BINBYTES
    67: () => void stack.push(slice(u1())), // SHORT_BINBYTES
    41: () => tuple(0), // EMPTY_TUPLE
    133: () => tuple(1),
    134: () => tuple(2),
    135: () => tuple(3),
    116: () => void stack.push(popToMark()), // TUPLE
    93: () => void stack.push({ kind: "list", items: [] }), // EMPTY_LIST
    97: () => append([pop()]), // APPEND
    101: () => append(popToMark()), // APPENDS
    125: () => void stack.push({ kind: "dict", entries: [] }), // EMPTY_DICT
    115: () => {
      const value = pop(); // SETITEM
      setItems([pop(), value]);
    },
    117: () => setItems(popToMark()), // SETITEMS
    143: () => void stack.push({ kind: "list", items: [] }), // EMPTY_SET
    144: () => append(popToMark()), // ADDITEMS
    99: () => {
      const module = line(); // GLOBAL
      stack.push(rules.global(`${module}.${line()}`));
    },
    147: () => {
      const name = pop(); // STACK_GLOBAL
      const module = pop();
      if (typeof name !== "string" || typeof module !== "string")
        throw new PickleError("its pickle has a name that is not a string");
      stack.push(rules.global(`${module}.${name}`));
    },
    82: () => call(pop()), // REDUCE
    129: () => call(pop()), // NEWOBJ
    98: () => {
      const state = pop(); // BUILD
      stack.push(rules.build(pop(), state));
    },
    81: () => void stack.push(rules.persistent(pop())), // BINPERSID
    113: () => void memo.set(u1(), top()), // BINPUT
    114: () => void memo.set(u4(), top()), // LONG_BINPUT
    148: () => void memo.set(memo.size, top()), // MEMOIZE
    104: () => recall(u1()), // BINGET
    106: () => recall(u4()), // LONG_BINGET
  };

  for (let steps = 0; ; steps++) {
    if (steps > maxSteps) throw new PickleError(`its pickle has more than ${maxSteps} steps`);
    const opcode = u1();
    if (opcode === 0x2e) return { value: pop(), end: at };
    const act = opcodes[opcode];
    if (!act) throw new PickleRefused(`has the opcode 0x${opcode.toString(16).padStart(2, "0")}`);
    act();
  }
}

export const isObject = (value: Pickled | undefined): value is PickledObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
