import { describe, expect, test } from "vitest";
import { tiller } from "../../test/fake-world.ts";
import type { TrainingEvent, TrainingRequest } from "../index.ts";

const cat = ["--model", "dinghy", "--images", "my-cat", "--token", "sks", "--class", "cat"];

/** Training that does nothing but say that a run of so many steps is complete. */
const complete = (step: number) =>
  async function* (_: string, { out }: TrainingRequest): AsyncGenerator<TrainingEvent, void, undefined> {
    yield { type: "saved", step, folder: "cat.run", adapters: [out], copies: [] };
  };

describe("tiller train", () => {
  test("of a run that was complete says how many steps it has", async () => {
    const { stdout } = await tiller(["train", "dreambooth", ...cat, "--resume"], { train: complete(500) });
    expect(stdout).toMatch(/^500 steps in /);
  });

  test("tells the next command as a shell takes it, with all that the model was opened with", async () => {
    const argv = ["train", "dreambooth", ...cat, "--model", "my models/sd.safetensors", "--out", "a b/c.safetensors"];
    const { stdout } = await tiller([...argv, "--config", "my configs", "--variant", "fp16"], { train: complete(1) });
    expect(stdout).toContain(
      'next: tiller generate --model "my models/sd.safetensors" --variant fp16 --config "my configs" --adapter "a b/c.safetensors" --prompt "a sks cat in the snow"\n',
    );
  });

  test.each([
    [
      "textual-inversion --rank 64 --alpha 9 --semantic-weight 7 --prior-weight 4 --prior-count 7 --class-prompt z --class-images y",
      [
        "--rank changes nothing with textual-inversion; it works with dreambooth or dreambooth-ti",
        "--alpha changes nothing with textual-inversion; it works with dreambooth or dreambooth-ti",
        "--semantic-weight changes nothing with textual-inversion; it works with class-diffusion",
        "--prior-weight changes nothing with textual-inversion; it works with dreambooth, dreambooth-ti or custom-diffusion",
        "--prior-count changes nothing with textual-inversion; it works with dreambooth, dreambooth-ti or custom-diffusion",
        "--class-images changes nothing with textual-inversion; it works with dreambooth, dreambooth-ti or custom-diffusion",
        "--class-prompt changes nothing with textual-inversion; it works with dreambooth, dreambooth-ti, class-diffusion or custom-diffusion",
      ],
    ],
    [
      "class-diffusion --rank 8 --semantic-weight 2 --class-prompt z",
      ["--rank changes nothing with class-diffusion; it works with dreambooth or dreambooth-ti"],
    ],
    [
      "dreambooth --no-prior --prior-count 7 --class-prompt z --rank 8",
      [
        "--prior-count changes nothing with --no-prior; it works with class pictures",
        "--class-prompt changes nothing with --no-prior; it works with class pictures",
      ],
    ],
    ["dreambooth --sample-prompt z", ["--sample-prompt changes nothing by itself; it works with --sample-every"]],
    [
      "custom-diffusion --prior-weight 2 --prior-count 7 --class-images y --sample-prompt z --sample-every 5",
      undefined,
    ],
  ])("warns of options that take no effect: %s", async (words, warnings) => {
    const argv = ["train", ...words.split(" "), ...cat, "--json"];
    const { code, json } = await tiller(argv, { train: complete(1) });
    expect([code, json().warnings]).toEqual([0, warnings]);
  });
});
