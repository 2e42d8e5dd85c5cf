/** Tensors in whatever file a person has: safetensors, or what `torch.save` wrote. The first bytes say which, never the name. */
import { withSource } from "#bytes";
import { kindOfHead, readHead, refusalOf } from "./file-kind.ts";
import { openSafetensors, type Safetensors } from "./safetensors.ts";
import { readTorchPickles, readTorchZip } from "./torch/torch-file.ts";

/**
 * Reads where a file's tensors lie: a safetensors file, or one of `torch.save` (`.ckpt`, `.pt`, `.pth`, `.bin`) in its zip form
 * and the one before it. Weights stay in the file. Of a pickle only tensors, dictionaries and plain values are read; nothing in
 * it is ever run. Tensors in nested dictionaries are named with points between; of a training checkpoint, `state_dict` counts.
 *
 * @throws TillerError if the file is missing or damaged, holds a dtype Tiller cannot compute with, is a pickle that asks for
 *   more than tensors (`pickle-refused`, with its name), or holds no weights at all: then it says what it is.
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
