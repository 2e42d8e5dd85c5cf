/**
 * Tiller beside Diffusers, on the same random weights of Stable Diffusion 1.5's size, at 512x512 with a rank-4 LoRA.
 *
 *     npm run bench -- [--python python3] [--model FOLDER] [--steps 5] [--rounds 1]
 *
 * Each figure comes from a fresh process; the two take turns, so a machine that slows down slows both. `python` needs
 * `pip install -r parity/requirements.txt`. The model (4.3 GB) is written to FOLDER when it is not there yet.
 */
import { compare, parseOptions, prepareModel } from "./paired.js";

const options = parseOptions(5);
await prepareModel(options);
const scripts = (method) => ({
  tiller: ["tiller-steps.js", [options.model, method]],
  diffusers: ["diffusers_steps.py", [options.model, method]],
});
const of = compare(options, { cfg: scripts("cfg"), pg: scripts("pg"), "cfg+ag": scripts("cfg+ag") });
const ratio = (method) => (of(method, "tiller", "step") / of("cfg", "tiller", "step")).toFixed(3);
console.log(`\nTiller: PG / CFG ${ratio("pg")}, CFG+AG / CFG ${ratio("cfg+ag")}`);
