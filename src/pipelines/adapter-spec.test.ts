import { expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { parseAdapter } from "./adapter-spec.ts";

test.each([
  ["cat.safetensors", { file: "cat.safetensors" }],
  ["cat.safetensors:0.8", { file: "cat.safetensors", strength: 0.8 }],
  ["cat.safetensors:-1.5", { file: "cat.safetensors", strength: -1.5 }],
  ["cat.safetensors:+2", { file: "cat.safetensors", strength: 2 }],
  ["cat.safetensors:0", { file: "cat.safetensors", strength: 0 }],
  ["cat.safetensors:1e-1", { file: "cat.safetensors", strength: 0.1 }],
  ["C:\\loras\\cat.safetensors", { file: "C:\\loras\\cat.safetensors" }],
  ["C:\\loras\\cat.safetensors:0.8", { file: "C:\\loras\\cat.safetensors", strength: 0.8 }],
  ["cat", { file: "cat" }],
  ["cat:.5", { file: "cat", strength: 0.5 }],
  ["owner/style:0.5", { file: "owner/style", strength: 0.5 }],
  ["a:b:0.5", { file: "a:b", strength: 0.5 }],
  ["a:0.5:1", { file: "a:0.5", strength: 1 }],
  ["strange:name", { file: "strange:name" }],
  ["cat.safetensors:unet=0.8", { file: "cat.safetensors", strength: { unet: 0.8 } }],
  [
    "cat.safetensors:unet=0.8,text_encoder=-.5",
    { file: "cat.safetensors", strength: { unet: 0.8, text_encoder: -0.5 } },
  ],
  ["C:\\cat.safetensors:text_encoder_2=0", { file: "C:\\cat.safetensors", strength: { text_encoder_2: 0 } }],
  ["owner/style:unet=1", { file: "owner/style", strength: { unet: 1 } }],
])("%s", (text, adapter) => {
  expect(parseAdapter(text)).toEqual(adapter);
});

test.each([
  ...["", ":0.5", "cat.safetensors:", "cat.safetensors:nan", "cat.safetensors:Infinity", "cat.safetensors:0.8x"],
  ...[
    "cat.safetensors:unet=",
    "cat.safetensors:unet=0.8,",
    "cat.safetensors:unet=1,unet=2",
    "cat.safetensors:0.8,unet=1",
  ],
])("%j is refused", (text) => {
  expect(() => parseAdapter(text)).toThrow(refusal("setting-invalid", text || '""'));
});
