/**
 * How near the gradient of a training step in OpenVINO's bfloat16 is to float32's: one step of DreamBooth-LoRA on random
 * latents, rank 4, both factors random, by ONNX Runtime and by OpenVINO.
 *
 *     npm run bench:gradients -- MODEL [SIDE]
 *
 * SIDE is the picture's side in pixels; the model's own by default. Prints the loss, the cosine and the relative difference of
 * the whole gradient, and the lowest cosine of a tensor: of all, and of those with a share of the norm.
 */
import { openModel } from "../src/families/open-model.ts";
import { normalValues } from "../src/random/streams.ts";
import { startEngine, type Tensor } from "../src/runtime/index.ts";
import { loadTokenizer } from "../src/text/tokenizer.ts";
import { noisingOf } from "../src/training/objective/noising.ts";
import { compileTerms, type Evaluated } from "../src/training/objective/terms.ts";
import { encodeTexts } from "../src/training/objective/texts.ts";
import { initialValues, projections } from "../src/training/objective/trained.ts";

const [folder, asked] = process.argv.slice(2);
if (folder === undefined) throw new Error("usage: npm run bench:gradients -- MODEL [SIDE]");
const model = await openModel(folder);
const [component] = Object.keys(model.adapters.trained) as [string];
const trained = {
  lowRank: new Map([[component, projections(model, component)]]),
  rank: 4,
  alpha: 4,
  matrices: new Map(),
  vectors: 0,
};
const values = new Map<string, Tensor>();
for (const [name, { shape, data }] of await initialValues(model.components, trained, {}, 0)) {
  // B begins at zero, where A has no gradient.
  values.set(name, { shape, data: normalValues(0, `value ${name}`, 0, data.length).map((v) => v / 50) } as Tensor);
}
const side = Number(asked ?? model.defaults.width) / model.latents.pixelsPerLatent;
const { channels } = model.denoiser;
const elements = channels * side * side;
const tokens = model.text.tokenize(await loadTokenizer(model.tokenizerFolder), "a sks cat", new Map());

async function evaluated(options: {
  device: "cpu" | "openvino";
  precision: "float32" | "bfloat16";
}): Promise<Evaluated> {
  const engine = await startEngine(options);
  const text = (await encodeTexts(engine, model, new Map([["", tokens]]))).get("")!;
  const terms = await compileTerms(engine, model, trained, values, noisingOf(model.schedule), { semantic: false });
  const sample = {
    clean: normalValues(0, "latents", 0, elements),
    noise: normalValues(0, "noise", 0, elements),
    timestep: 400,
    weights: new Float32Array(side * side).fill(1 / elements),
    text,
  };
  const result = await terms.denoising([sample], [channels, side, side]);
  await engine.close();
  return result;
}

const exact = await evaluated({ device: "cpu", precision: "float32" });
const found = await evaluated({ device: "openvino", precision: "bfloat16" });
const sums = { aa: 0, bb: 0, ab: 0, off: 0 };
const tensors: { name: string; cosine: number; norm: number }[] = [];
for (const [name, a] of exact.gradients) {
  const b = found.gradients.get(name)!;
  let [aa, bb, ab, off] = [0, 0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    aa += a[i]! * a[i]!;
    bb += b[i]! * b[i]!;
    ab += a[i]! * b[i]!;
    off += (a[i]! - b[i]!) ** 2;
  }
  tensors.push({ name, cosine: ab / Math.sqrt(aa * bb), norm: Math.sqrt(aa) });
  for (const [key, value] of Object.entries({ aa, bb, ab, off })) sums[key as keyof typeof sums] += value;
}
const norm = Math.sqrt(sums.aa);
console.log(`loss ${exact.loss.toFixed(5)} in float32, ${found.loss.toFixed(5)} in bfloat16`);
console.log(
  `whole gradient: cosine ${(sums.ab / Math.sqrt(sums.aa * sums.bb)).toFixed(5)}, relative difference ${(Math.sqrt(sums.off) / norm).toFixed(4)}`,
);
tensors.sort((a, b) => a.cosine - b.cosine);
for (const share of [0, 0.01, 0.05]) {
  const those = tensors.filter((one) => one.norm >= share * norm);
  const { name, cosine, norm: own } = those[0]!;
  console.log(
    `of ${those.length} tensors with at least ${100 * share} % of the norm, the lowest cosine: ${cosine.toFixed(5)} (${name}, ${((100 * own) / norm).toFixed(2)} %)`,
  );
}
