/** Finds encoders by name: local folders, or hub repositories, which are downloaded. */
import { kindOf } from "#bytes";
import { fetchSnapshot } from "#hub";
import { TillerError } from "../errors/index.ts";
import { repositoryName } from "../hub/file.ts";
import { parseHubName } from "../hub/id.ts";
import type { HubOptions } from "../hub/options.ts";
import { chooseWeightFiles } from "../weights/weight-files.ts";

/**
 * The folder of an encoder.
 *
 * @param name A folder, or a repository such as `openai/clip-vit-base-patch32` or `facebook/dino-vits16`, of which config,
 * weights, tokenizer and preprocessor config are downloaded.
 * @throws TillerError if the repository cannot be read, or has no weights that Tiller can read.
 */
export async function encoderFolder(name: string, options?: HubOptions): Promise<string> {
  const hub = (await kindOf(name)) === undefined ? parseHubName(name) : undefined;
  if (!hub || hub.file !== undefined) return name;
  return fetchSnapshot(hub, (names) => encoderFiles(repositoryName(hub), names), options);
}

/** Transformers' names of the other files. */
const beside =
  /^(config|preprocessor_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab)\.json$|^merges\.txt$/;

function encoderFiles(repository: string, names: readonly string[]): string[] {
  const weights = chooseWeightFiles(names);
  if (weights) return [...names.filter((name) => beside.test(name)), ...weights.names];
  throw new TillerError(
    "weights-missing",
    `${repository} has no model.safetensors or pytorch_model.bin: name another encoder.`,
    { paths: [repository] },
  );
}
