import { expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { readFloat32 } from "../bytes/safetensors.ts";
import { openModel } from "./open-model.ts";

test("a model has its family, its defaults, and each tensor of each network", async () => {
  const { name, kind, family, defaults, components } = await openModel("dinghy");
  expect([name, kind, family]).toEqual(["dinghy", "folder", "Stable Diffusion"]);
  expect([defaults.width, defaults.height]).toEqual([128, 128]);
  expect([...components.keys()].sort()).toEqual(["text_encoder", "unet", "vae"]);
  const { config, tensors } = components.get("unet")!;
  const first = tensors.get("conv_in.weight")!;
  expect(first.shape).toEqual([...first.shape.slice(0, 1), config.in_channels, 3, 3]);
  expect(await readFloat32(first)).toHaveLength(first.shape.reduce((a, b) => a * b, 1));
});

test("anything but a model is refused", async () => {
  await expect(openModel("no/such/model/anywhere")).rejects.toThrow(refusal("model-not-found", "no/such/model"));
});
