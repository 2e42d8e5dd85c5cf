/**
 * Tiller compared with Diffusers, on the same random weights of Stable Diffusion 1.5's size, at 512x512 with a rank-4 LoRA.
 *
 *     npm run bench -- [--python python3] [--model FOLDER] [--steps 5] [--rounds 1]
 *
 * Each figure comes from a fresh process; the two alternate, so a machine that slows down slows both. `python` needs `pip install
 * -r parity/requirements.txt`. The model (4.3 GB) is written to FOLDER if missing.
 *
 * With `--size` it measures a model of a published size in every number type instead: bench/size.js has the options.
 */
import { beside, compare, parseOptions, prepareModel, run } from "./paired.js";

if (process.argv.some((arg) => arg.startsWith("--size"))) {
  await import("./size.js");
  process.exit();
}
const options = parseOptions(5);
await prepareModel(options);
const scripts = (method) => ({
  Tiller: ["tiller-steps.js", [options.model, method, "cpu", "float32", "exact"]],
  Diffusers: ["diffusers_steps.py", [options.model, method, "float32"]],
});
compare(options, { cfg: scripts("cfg"), pg: scripts("pg"), "cfg+ag": scripts("cfg+ag") });
const dial = JSON.parse(run(process.execPath, [beside("tiller-dial.js"), options.model, String(options.rounds * 3)]));
const ratio = (method) => (dial[method] / dial.cfg).toFixed(3);
console.log(`\nTiller in one process: PG / CFG ${ratio("pg")}, CFG+AG / CFG ${ratio("cfg+ag")}`);
