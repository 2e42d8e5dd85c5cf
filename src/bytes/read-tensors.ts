/** Reads tensor files, safetensors or `torch.save`, identified by their first bytes and not their names. */
import { withSource } from "#bytes";
import { kindOfHead, readHead, refusalOf } from "./file-kind.ts";
import { openSafetensors, type Safetensors } from "./safetensors.ts";
import { readTorchPickles, readTorchZip } from "./torch/torch-file.ts";

/**
 * Locates the tensors of a safetensors file, or of a `torch.save` file (`.ckpt`, `.pt`, `.pth`, `.bin`) in its zip format or the
 * one before it. Weights stay in the file. Only a pickle's tensors, dictionaries and plain values are read; nothing in it is
 * ever run. Names of tensors in nested dictionaries are joined with dots; of a training checkpoint, only `state_dict` is read.
 *
 * @throws TillerError if the file is missing or damaged, holds a dtype Tiller cannot compute with, is a pickle that contains
 *   more than tensors (`pickle-refused`, naming it), or holds no weights, saying what it is instead.
 */
export function readTensors(file: string): Promise<Safetensors> {
  return withSource(file, async (source) => {
    const head = await readHead(source);
    switch (kindOfHead(head)) {
      case "safetensors":
        return openSafetensors(file, source, head);
      case "zip":
        return readTorchZip(file, source);
      case "pickle":
        return readTorchPickles(file, source);
      case "other":
        throw refusalOf(head, source.size, file);
    }
  });
}
