/** Single rows of a table. */
import { expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { type FloatDType, fromFloat32 } from "../bytes/elements.ts";
import { bytesPerElement, type TensorRef } from "../bytes/tensor-ref.ts";
import { embeddingRows } from "./embedding-rows.ts";

/** A table of 5 rows of 4 numbers, 0, 1, 2 and so on except at one place, at byte 40 of its file; `read` counts the bytes read. */
function tableOf(dtype: FloatDType, spoilt?: { at: number; value: number }) {
  const values = Float32Array.from({ length: 20 }, (_, i) => (i === spoilt?.at ? spoilt.value : i));
  const bytes = fromFloat32(values, dtype);
  let read = 0;
  const source = {
    name: "/models/text_encoder/model.safetensors",
    size: 40 + bytes.length,
    read: async (at: number, length: number) => {
      read += length;
      return new Uint8Array(bytes.slice(at - 40, at - 40 + length));
    },
  };
  const ref: TensorRef = { name: "t", source, offset: 40, byteLength: bytes.length, shape: [5, 4], dtype };
  return { weights: new Map([["embed_tokens.weight", ref]]), read: () => read };
}

test.each<FloatDType>(["float32", "float16", "bfloat16"])(
  "rows of %s come in the order of their ids",
  async (dtype) => {
    const { weights, read } = tableOf(dtype);
    const rows = await embeddingRows(weights, "embed_tokens.weight", [2, 0, 2, 4]);
    expect([...rows]).toEqual([8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19]);
    expect(read()).toBe(3 * 4 * bytesPerElement[dtype]); // each row once, and no other
  },
);

test("a row that is not finite is refused when it is read, and no earlier", async () => {
  const { weights } = tableOf("float32", { at: 13, value: Number.NaN });
  expect([...(await embeddingRows(weights, "embed_tokens.weight", [4]))]).toEqual([16, 17, 18, 19]);
  await expect(embeddingRows(weights, "embed_tokens.weight", [4, 3])).rejects.toThrow(
    refusal("not-finite", "/models/text_encoder/model.safetensors"),
  );
});

test("an id outside the table is refused as the tokenizer's mistake", async () => {
  const { weights } = tableOf("float32");
  await expect(embeddingRows(weights, "embed_tokens.weight", [1, 5])).rejects.toThrow(
    refusal("tokenizer-invalid", "/models/text_encoder/model.safetensors", "5"),
  );
  await expect(embeddingRows(weights, "wte.weight", [1])).rejects.toThrow(refusal("tensor-missing", "wte.weight"));
});
