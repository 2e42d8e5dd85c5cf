import { describe, expect, test } from "vitest";
import { tiller } from "../../test/fake-world.ts";
import type { TrainingEvent, TrainingRequest } from "../index.ts";

const cat = ["--model", "dinghy", "--images", "my-cat", "--token", "sks", "--class", "cat"];

/** Training that only reports a complete run of so many steps. */
const complete = (step: number) =>
  async function* (_: string, { out }: TrainingRequest): AsyncGenerator<TrainingEvent, void, undefined> {
    yield { type: "saved", step, folder: "cat.run", adapters: [out], copies: [] };
  };

describe("tiller train", () => {
  test("of a complete run prints its number of steps", async () => {
    const { stdout } = await tiller(["train", "dreambooth", ...cat, "--resume"], { train: complete(500) });
    expect(stdout).toMatch(/^500 steps in /);
  });

  test("prints the next command quoted for a shell, with all options of the model", async () => {
    const argv = ["train", "dreambooth", ...cat, "--model", "my models/sd.safetensors", "--out", "a b/c.safetensors"];
    const { stdout } = await tiller([...argv, "--config", "my configs", "--variant", "fp16"], { train: complete(1) });
    expect(stdout).toContain(
      'next: tiller generate --model "my models/sd.safetensors" --variant fp16 --config "my configs" --adapter "a b/c.safetensors" --prompt "a sks cat in the snow"\n',
    );
  });

  test("of a whole network needs no token, and prints how to draw with its base", async () => {
    const asked: TrainingRequest[] = [];
    const train = async function* (
      _: string,
      request: TrainingRequest,
    ): AsyncGenerator<TrainingEvent, void, undefined> {
      asked.push(request);
      const { out } = request;
      yield { type: "saved", step: 1, folder: "network.run", adapters: [], copies: [], network: out };
    };
    const argv = ["train", "full", "--model", "my models/sd15", "--images", "walls", "--caption-dropout", "0.2"];
    const { stdout } = await tiller(argv, { train });
    expect(asked).toMatchObject([{ out: "tiller-out/network", captionDropout: 0.2 }]);
    expect(stdout).toContain(
      'next: tiller generate --model tiller-out/network --base "my models/sd15" --prompt "a cat in the snow"\n',
    );
    const without = await tiller(["train", "dreambooth", "--images", "walls"], { train });
    expect([without.code, without.stderr]).toEqual([2, expect.stringContaining("--token is missing")]);
  });

  test.each([
    [
      "textual-inversion --rank 64 --alpha 9 --semantic-weight 7 --prior-weight 4 --prior-count 7 --class-prompt z --class-images y",
      [
        "--rank has no effect with textual-inversion; it works with dreambooth or dreambooth-ti",
        "--alpha has no effect with textual-inversion; it works with dreambooth or dreambooth-ti",
        "--semantic-weight has no effect with textual-inversion; it works with class-diffusion",
        "--prior-weight has no effect with textual-inversion; it works with dreambooth, dreambooth-ti or custom-diffusion",
        "--prior-count has no effect with textual-inversion; it works with dreambooth, dreambooth-ti or custom-diffusion",
        "--class-images has no effect with textual-inversion; it works with dreambooth, dreambooth-ti or custom-diffusion",
        "--class-prompt has no effect with textual-inversion; it works with dreambooth, dreambooth-ti, class-diffusion or custom-diffusion",
      ],
    ],
    [
      "class-diffusion --rank 8 --semantic-weight 2 --class-prompt z",
      ["--rank has no effect with class-diffusion; it works with dreambooth or dreambooth-ti"],
    ],
    [
      "dreambooth --no-prior --prior-count 7 --class-prompt z --rank 8",
      [
        "--prior-count has no effect with --no-prior; it works with class images",
        "--class-prompt has no effect with --no-prior; it works with class images",
      ],
    ],
    ["dreambooth --sample-prompt z", ["--sample-prompt has no effect by itself; it works with --sample-every"]],
    [
      "custom-diffusion --prior-weight 2 --prior-count 7 --class-images y --sample-prompt z --sample-every 5",
      undefined,
    ],
  ])("warns of options without effect: %s", async (words, warnings) => {
    const argv = ["train", ...words.split(" "), ...cat, "--json"];
    const { code, json } = await tiller(argv, { train: complete(1) });
    expect([code, json().warnings]).toEqual([0, warnings]);
  });
});
