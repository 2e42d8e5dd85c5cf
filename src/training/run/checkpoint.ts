/** A run's state on disk: trained tensors, AdamW's moments, the step. Written atomically. */

import { z } from "zod";
import { exists } from "#bytes";
import { readFloat32, readSafetensors, type TensorData, writeSafetensors } from "../../bytes/safetensors.ts";
import { TillerError } from "../../errors/index.ts";
import type { Tensor } from "../../runtime/index.ts";
import type { AdamWState } from "../optimise/adamw.ts";
import { dataOf, type TensorValues } from "../optimise/tensor-values.ts";

/** What a run keeps for each tensor, by the part's name. */
export type Parts = Readonly<Record<string, TensorValues>>;

const partsOf = (values: ReadonlyMap<string, Tensor>, { mean, square }: AdamWState, others: Parts): Parts => ({
  value: dataOf(values),
  mean,
  square,
  ...others,
});

/** What must be unchanged for a run to resume, by name. */
export type Identity = Readonly<Record<string, unknown>>;

/** Entries that are hashes of files, and what to call those in messages. */
const contents: Readonly<Record<string, string>> = {
  pictureContents: "pictures or captions",
  classPictureContents: "class images or captions",
};

/** `others` is additional state, such as running averages. */
export async function writeCheckpoint(
  file: string,
  values: ReadonlyMap<string, Tensor>,
  state: AdamWState,
  identity: Identity,
  others: Parts = {},
): Promise<void> {
  const tensors = Object.entries(partsOf(values, state, others)).flatMap(([part, numbers]) =>
    [...values].map(([name, { shape }]): TensorData => {
      const data = numbers.get(name)!;
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      return { name: `${part} ${name}`, dtype: "float32", shape, data: bytes };
    }),
  );
  await writeSafetensors(file, tensors, { step: String(state.steps), identity: JSON.stringify(identity) });
}

/** Undefined if it is missing or unreadable. */
function identityIn(json: string | undefined): Identity | undefined {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(json ?? ""));
  } catch {
    return undefined;
  }
}

/**
 * Loads a checkpoint into `values` and `state`; does nothing if there is none.
 *
 * @throws TillerError naming the first setting that differs from the checkpoint's run, or saying that its pictures do; or if the
 * file is damaged or holds numbers that training cannot continue from.
 */
export async function readCheckpoint(
  file: string,
  values: ReadonlyMap<string, Tensor>,
  state: AdamWState,
  identity: Identity,
  others: Parts = {},
): Promise<void> {
  if (!(await exists(file))) return;
  const { tensors, metadata } = await readSafetensors(file);
  const damaged = () =>
    new TillerError("checkpoint-invalid", `${file} is not a checkpoint of this run: remove it to start again.`, {
      paths: [file],
    });
  const before = identityIn(metadata.identity);
  const step = /^\d{1,15}$/.test(metadata.step ?? "") ? Number(metadata.step) : undefined;
  if (!before || step === undefined) throw damaged();
  // Compared as they are stored: undefined is the same as absent.
  const now = JSON.parse(JSON.stringify(identity)) as Identity;
  for (const key of new Set([...Object.keys(before), ...Object.keys(now)])) {
    const [was, is] = [JSON.stringify(before[key]), JSON.stringify(now[key])];
    if (was !== is) {
      const files = contents[key];
      // Old checkpoints lack these hashes.
      if (files !== undefined && before.pictureContents === undefined) continue;
      if (files !== undefined) {
        throw new TillerError(
          "resume-mismatch",
          `the run to resume had other ${files}: resume with those, or choose another --out.`,
        );
      }
      throw new TillerError(
        "resume-mismatch",
        `the run to resume had ${key} ${was ?? "unset"}, now it is ${is ?? "unset"}: resume with the same settings, or choose another --out.`,
        // A model is named by its path.
        { paths: [before[key], now[key]].filter((value) => typeof value === "string") },
      );
    }
  }
  for (const [part, numbers] of Object.entries(partsOf(values, state, others))) {
    for (const [name, into] of numbers) {
      // Old checkpoints lack the component in names.
      const ref = tensors.get(`${part} ${name}`) ?? tensors.get(`${part} ${name.slice(name.indexOf(":") + 1)}`);
      const stored = ref && (await readFloat32(ref));
      if (stored?.length !== into.length) throw damaged();
      // The optimiser takes square roots of the second moments.
      if (!stored.every(Number.isFinite) || (part === "square" && stored.some((value) => value < 0))) {
        throw new TillerError(
          "checkpoint-invalid",
          `${file} holds non-finite or negative numbers in ${part} ${name}: remove it to start again.`,
          { paths: [file] },
        );
      }
      into.set(stored);
    }
  }
  state.steps = step;
}
