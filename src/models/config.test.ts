/** Unsupported settings in a config.json. */
import { expect, test } from "vitest";
import { z } from "zod";
import { refusal } from "../../test/refusal.ts";
import { only, parseConfig } from "./config.ts";

const form = z.object({ act_fn: only("silu"), blocks: z.array(z.object({ channels: z.number() })) });

test("the key and its value are named, however deeply nested", () => {
  expect(() => parseConfig("U-Net", form, { act_fn: "gelu", blocks: [] })).toThrow(
    refusal("config-unsupported", "U-Net", "act_fn", "gelu"),
  );
  expect(() => parseConfig("U-Net", form, { blocks: [{ channels: 4 }, { channels: "many" }] })).toThrow(
    refusal("config-unsupported", "blocks.1.channels", "many"),
  );
});

test("unknown and absent keys are ignored", () => {
  expect(parseConfig("U-Net", form, { blocks: [], sample_size: 64 })).toEqual({ blocks: [] });
});
