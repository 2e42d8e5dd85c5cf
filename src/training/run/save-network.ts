/** A network trained whole, written as Diffusers does: `unet/config.json` and its weights, in float16. */
import { join, makeFolder } from "#bytes";
import { magnitudeOf } from "../../bytes/computable.ts";
import { fromFloat32 } from "../../bytes/elements.ts";
import { readBytes, type TensorData, writeSafetensors } from "../../bytes/safetensors.ts";
import type { TensorRef } from "../../bytes/tensor-ref.ts";
import { writeWhole } from "../../bytes/write-whole.ts";
import { TillerError } from "../../errors/index.ts";
import type { Components } from "../../families/family.ts";
import { scoped } from "../../models/components.ts";
import type { Tensor } from "../../runtime/index.ts";
import type { Trained } from "../objective/trained.ts";

/** The largest number of float16. */
const largestHalf = 65504;

/**
 * Writes the components of which tensors were trained to a folder of each's name in `out`; tensors that were not are the model's.
 *
 * @throws TillerError before anything is written, if a value does not fit into float16; or if the disk is full or not writable.
 */
export async function saveNetwork(
  out: string,
  components: Components,
  { matrices }: Pick<Trained, "matrices">,
  values: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>>,
): Promise<void> {
  refuseTooLarge(values);
  for (const component of matrices.keys()) {
    const { config, weights } = components.get(component)!;
    const tensors = [...weights].map(([name, ref]): TensorData => {
      const { shape } = ref;
      const trained = values.get(scoped(component, name));
      if (!trained) return { name, dtype: ref.dtype, shape, data: () => stored(ref) };
      return { name, dtype: "float16", shape, data: () => half(trained) };
    });
    const folder = join(out, component);
    await makeFolder(folder);
    await writeSafetensors(join(folder, "diffusion_pytorch_model.safetensors"), tensors, { ...metadata, format: "pt" });
    // Last: a folder counts as a network once it has its config.
    await writeWhole(join(folder, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
  }
}

async function* half({ data }: Tensor): AsyncGenerator<Uint8Array> {
  yield fromFloat32(data as Float32Array, "float16");
}

async function* stored(ref: TensorRef): AsyncGenerator<Uint8Array> {
  yield await readBytes(ref);
}

function refuseTooLarge(values: ReadonlyMap<string, Tensor>): void {
  for (const [name, { data }] of values) {
    if (magnitudeOf(data as Float32Array) <= largestHalf) continue;
    throw new TillerError(
      "training-diverged",
      `training diverged: ${name} is non-finite or too large for float16, and is not saved; lower the learning rate.`,
    );
  }
}
