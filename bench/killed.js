/**
 * Compares a run of 1,000 units that is killed three times at random with an uninterrupted one: the results must be equal.
 *
 *     npm run build && node bench/killed.js
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const tiller = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "tiller-killed-"));
const experiment = {
  name: "killed",
  // Two concepts of 31 prompts under 16 settings: 992 units of pictures, and the adapters.
  personalisation: [{ method: "dreambooth", steps: 2, prior: false }],
  guidance: [
    { method: "none" },
    { method: "cfg", scale: [2, 4, 6, 8] },
    { method: "pg", omega: [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1] },
  ],
  concepts: ["black_cat", "red_teapot"],
  pictures: 1,
  steps: 2,
};
const file = join(folder, "killed.json");
writeFileSync(file, JSON.stringify(experiment));

const start = (out) => spawn(process.execPath, [tiller, "bench", "run", file, "--out", out], { stdio: "ignore" });

async function whole(out) {
  const began = performance.now();
  const [code] = await once(start(out), "exit");
  if (code !== 0) throw new Error(`bench run ended with ${code}`);
  return (performance.now() - began) / 1000;
}

const scores = (out) => {
  const { arms, units } = JSON.parse(readFileSync(join(out, "results.json"), "utf8"));
  return JSON.stringify({ units, arms: arms.map(({ name, scores, prompts }) => ({ name, scores, prompts })) });
};

try {
  const [alone, killed] = [join(folder, "alone"), join(folder, "killed")];
  const seconds = await whole(alone);
  console.log(`uninterrupted: ${JSON.parse(scores(alone)).units.done} units in ${seconds.toFixed(0)} s`);
  for (let i = 0; i < 3; i++) {
    const run = start(killed);
    await new Promise((done) => setTimeout(done, Math.random() * 0.3 * seconds * 1000));
    run.kill("SIGKILL");
    await once(run, "exit");
    console.log(`killed ${i + 1} of 3 times`);
  }
  await whole(killed);
  const same = scores(alone) === scores(killed);
  console.log(same ? "the results are the same" : "the results DIFFER");
  process.exitCode = same ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
