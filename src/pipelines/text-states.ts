/** Encodes texts of different lengths one by one and pads them to a batch. */
import type { TextSide, Tokens } from "../families/family.ts";
import { float32, type Session, type Tensor } from "../runtime/index.ts";

/** `text` [rows, tokens, width], zero-padded to the longest, and `mask` [rows, tokens], 0 for padding. */
export interface TextStates {
  readonly text: Tensor;
  readonly mask: Tensor;
}

export async function textStates(
  session: Session,
  feeds: NonNullable<TextSide["feeds"]>,
  rows: readonly { readonly tokens: Tokens }[],
): Promise<TextStates> {
  const states = new Map<Tokens, Float32Array>();
  let width = 0;
  for (const tokens of new Set(rows.map((row) => row.tokens))) {
    const { text } = await session.run(await feeds(tokens));
    width = text!.shape[2]!;
    states.set(tokens, chosen(text!.data as Float32Array, tokens.states, width));
  }
  const longest = Math.max(...[...states.values()].map(({ length }) => length / width));
  const [text, mask] = [new Float32Array(rows.length * longest * width), new Float32Array(rows.length * longest)];
  for (const [row, { tokens }] of rows.entries()) {
    const own = states.get(tokens)!;
    text.set(own, row * longest * width);
    mask.fill(1, row * longest, row * longest + own.length / width);
  }
  return { text: float32([rows.length, longest, width], text), mask: float32([rows.length, longest], mask) };
}

/** The states at some positions; all of them by default. */
function chosen(states: Float32Array, positions: readonly number[] | undefined, width: number): Float32Array {
  if (!positions) return states;
  const kept = new Float32Array(positions.length * width);
  for (const [i, at] of positions.entries()) kept.set(states.subarray(at * width, (at + 1) * width), i * width);
  return kept;
}
