import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { dpmSchedule } from "./dpmpp-schedule.ts";
import { flowEulerSigmas } from "./flow-euler.ts";
import {
  createNoise,
  createSampler,
  type History,
  type Prediction,
  parseConfig,
  type Sampler,
  type SamplerName,
} from "./index.ts";

interface Case {
  readonly sampler: SamplerName;
  readonly config: number;
  readonly steps: number;
  readonly seed: number;
  readonly karras?: boolean;
  readonly timesteps?: number[] | string;
  readonly initNoiseSigma?: number;
  readonly latents: string;
  readonly clean: string;
}

/** Written by parity/samplers.py: the Diffusers schedulers, their timesteps, and independent double-precision CFG++. */
const load = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../parity/fixtures/samplers/${name}.json`, import.meta.url), "utf8"));
const trajectories: { configs: Record<string, unknown>[]; cases: Case[] } = load("trajectories");
interface Spacing {
  readonly sampler: SamplerName;
  readonly spacing: string;
  readonly writtenOut: Record<string, number[]>;
  readonly sha256: string;
}
const spacings: Spacing[] = load("spacings");
const guided: { lambda: number; strong: number; weak: number; configs: Record<string, unknown>[]; cases: Case[] } =
  load("guided");
interface FlowCase extends Omit<Case, "config"> {
  readonly config: Record<string, unknown>;
  readonly sampler: "dpm++" | "flow-euler";
  readonly sigmas: string;
  readonly guidedLatents: string;
  readonly guidedClean: string;
}
const flows: { lambda: number; strong: number; weak: number; cases: FlowCase[] } = load("flow");

const decode = (text: string): Float32Array => new Float32Array(Uint8Array.from(Buffer.from(text, "base64")).buffer);

/** As in parity/samplers.py: values per picture, and the ones the fixtures keep. */
const count = 20;
const kept = [0, 7, 15, 19];
const keep = (latents: Float32Array): number[] => kept.map((i) => latents[i]!);

/** The stand-in network of parity/samplers.py, equal to it bit for bit. */
const network = (latents: Float32Array, timestep: number, strength = 1) => {
  const t = timestep / 1000;
  return latents.map((x) => (strength * x * (0.7 + 0.3 * t)) / (1 + 0.1 * x * x) + 0.2 * (t - 0.5));
};

/** The kept latents after every step, and the last step's clean latents. */
function run(sampler: Sampler, seed: number, predict: (latents: Float32Array, timestep: number) => Prediction) {
  const noise = createNoise(seed);
  let latents: Float32Array = noise.normal(count).map((value) => value * sampler.initNoiseSigma);
  let clean = latents;
  let history: History | undefined;
  const path: number[] = [];
  sampler.timesteps.forEach((timestep, step) => {
    const prediction = predict(sampler.scale(latents, step), timestep);
    ({ latents, clean, history } = sampler.step({ latents, prediction, step, noise, history }));
    path.push(...keep(latents));
  });
  return { path, clean: keep(clean), latents };
}

const plain = (latents: Float32Array, timestep: number): Prediction => ({ output: network(latents, timestep) });

/** Largest difference at a step, relative to the largest latent there (at least 1). */
function worst(found: readonly number[], expected: Float32Array): number {
  expect(found.length).toBe(expected.length);
  let result = 0;
  for (let i = 0; i < found.length; i += kept.length) {
    const size = Math.max(1, ...expected.slice(i, i + kept.length).map(Math.abs));
    for (let j = i; j < i + kept.length; j++) result = Math.max(result, Math.abs(found[j]! - expected[j]!) / size);
  }
  return result;
}

/**
 * PyTorch's sqrt, exp and log are off by up to one float32 ulp (1.2e-7); divided by Stable Diffusion's first alpha
 * (0.068) and accumulated over 50 steps, that is a few 1e-6. Latents that start at sigma (4096 with zero terminal SNR)
 * have a resolution of sigma 2^-24, an error that remains when they come down to size 1.
 */
const tolerance = (sampler: Sampler) => Math.max(1e-5, sampler.initNoiseSigma * 2 ** -24);

const sd15 = trajectories.configs[0]!;

describe("a trajectory equals Diffusers'", () => {
  for (const name of ["ddim", "dpm++", "euler", "euler-a"] as const) {
    const cases = trajectories.cases.filter(({ sampler }) => sampler === name);
    it(`with ${name}: ${cases.length} schedules, spacings, prediction types and step counts`, () => {
      for (const row of cases) {
        const config = trajectories.configs[row.config]!;
        const label = JSON.stringify({ ...config, steps: row.steps, karras: row.karras });
        const sampler = createSampler(name, config, row.steps, { karras: row.karras });

        if (Array.isArray(row.timesteps)) {
          expect(sampler.timesteps, label).toEqual(row.timesteps);
        } else {
          // Fractional timesteps go through NumPy's float32 logarithm, which is off by up to one ulp: 1e-4 of a timestep.
          const expected = decode(row.timesteps!);
          expect(sampler.timesteps.length, label).toBe(expected.length);
          sampler.timesteps.forEach((t, i) => {
            expect(Math.abs(t - expected[i]!), label).toBeLessThan(2e-4);
          });
        }
        expect(Math.abs(sampler.initNoiseSigma / row.initNoiseSigma! - 1), label).toBeLessThan(3e-7);

        const { path, clean } = run(sampler, row.seed, plain);
        expect(worst(path, decode(row.latents)), label).toBeLessThan(tolerance(sampler));
        expect(worst(clean, decode(row.clean)), label).toBeLessThan(tolerance(sampler));
      }
    });
  }
});

describe("timesteps are Diffusers', to the last one", () => {
  it.each(spacings.map((row) => [row.sampler, row.spacing, row] as const))(
    "with %s and %s spacing, at every number of steps from 1 to 999",
    (sampler, timestep_spacing, { writtenOut, sha256 }) => {
      const at = (steps: number) => createSampler(sampler, { ...sd15, timestep_spacing }, steps).timesteps;
      for (const [steps, timesteps] of Object.entries(writtenOut)) expect(at(Number(steps)), steps).toEqual(timesteps);
      const all = JSON.stringify(Array.from({ length: 999 }, (_, i) => at(i + 1)));
      expect(createHash("sha256").update(all).digest("hex")).toBe(sha256);
    },
  );
});

describe("CFG++ and PG++", () => {
  for (const name of ["ddim", "dpm++", "euler", "euler-a"] as const) {
    it(`re-noise with the weak prediction as published, with ${name}`, () => {
      for (const row of guided.cases.filter(({ sampler }) => sampler === name)) {
        const label = JSON.stringify(row);
        const sampler = createSampler(name, guided.configs[row.config]!, row.steps, {
          karras: row.karras || undefined,
        });
        const { path, clean } = run(sampler, row.seed, (latents, timestep) => {
          const strong = network(latents, timestep, guided.strong);
          const weak = network(latents, timestep, guided.weak);
          return { output: weak.map((w, i) => w + guided.lambda * (strong[i]! - w)), renoise: weak };
        });
        expect(worst(path, decode(row.latents)), label).toBeLessThan(tolerance(sampler));
        expect(worst(clean, decode(row.clean)), label).toBeLessThan(tolerance(sampler));
      }
    });

    for (const prediction_type of name === "euler-a"
      ? ["epsilon", "v_prediction"]
      : ["epsilon", "v_prediction", "sample"]) {
      it(`equal the plain sampler where both predictions agree, with ${name} and ${prediction_type}`, () => {
        const sampler = createSampler(name, { ...sd15, prediction_type }, 12);
        const twice = run(sampler, 5, (latents, t) => ({ output: network(latents, t), renoise: network(latents, t) }));
        expect(worst(twice.path, Float32Array.from(run(sampler, 5, plain).path))).toBeLessThan(tolerance(sampler));
      });
    }
  }
});

describe("a flow's trajectory equals Diffusers'", () => {
  const sigmasOf = ({ sampler, config, steps }: FlowCase) =>
    sampler === "dpm++"
      ? dpmSchedule(parseConfig("dpm++", config), steps, false).levels.map(({ sigma }) => sigma)
      : [...flowEulerSigmas(parseConfig("flow-euler", config), steps)];

  for (const row of flows.cases) {
    const shift = row.config.flow_shift ?? row.config.shift;
    it(`with ${row.sampler}, shift ${shift} and ${row.steps} steps: timesteps and sigmas exactly, latents with and without CFG++`, () => {
      const sampler = createSampler(row.sampler, row.config, row.steps);
      const timesteps = typeof row.timesteps === "string" ? [...decode(row.timesteps)] : row.timesteps;
      expect(sampler.timesteps).toEqual(timesteps);
      expect(sigmasOf(row)).toEqual([...decode(row.sigmas)]);
      expect(sampler.initNoiseSigma).toBe(1);

      const { path, clean } = run(sampler, row.seed, plain);
      expect(worst(path, decode(row.latents))).toBeLessThan(tolerance(sampler));
      expect(worst(clean, decode(row.clean))).toBeLessThan(tolerance(sampler));

      const guided = run(sampler, row.seed, (latents, timestep) => {
        const strong = network(latents, timestep, flows.strong);
        const weak = network(latents, timestep, flows.weak);
        return { output: weak.map((w, i) => w + flows.lambda * (strong[i]! - w)), renoise: weak };
      });
      expect(worst(guided.path, decode(row.guidedLatents))).toBeLessThan(tolerance(sampler));
      expect(worst(guided.clean, decode(row.guidedClean))).toBeLessThan(tolerance(sampler));
    });
  }

  it("whichever scheduler class wrote the shift", () => {
    const solver = { use_flow_sigmas: true, prediction_type: "flow_prediction", flow_shift: 3 };
    const euler = { _class_name: "FlowMatchEulerDiscreteScheduler", shift: 3 };
    for (const name of ["dpm++", "flow-euler"] as const)
      expect(createSampler(name, euler, 20).timesteps).toEqual(createSampler(name, solver, 20).timesteps);
  });

  it("even if two of many steps have the same timestep", () => {
    const { timesteps } = createSampler("dpm++", flows.cases[5]!.config, 400);
    expect(timesteps.length - new Set(timesteps).size).toBe(5);
  });
});

describe("a sampler for another form of noise is refused, naming those that fit:", () => {
  const sana = flows.cases[5]!.config;
  it.each(["ddim", "euler", "euler-a"] as const)("%s on a flow", (name) => {
    expect(() => createSampler(name, sana, 20)).toThrow(refusal("sampler-unsuited", name, "dpm++ or flow-euler"));
  });
  it("flow-euler on Stable Diffusion", () => {
    expect(() => createSampler("flow-euler", sd15, 20)).toThrow(refusal("sampler-unsuited", "ddim or dpm++ or euler"));
  });
  it("Karras spacing on a flow", () => {
    expect(() => createSampler("dpm++", sana, 20, { karras: true })).toThrow(refusal("karras-unsupported", "flow"));
    const config = { ...sana, use_karras_sigmas: true };
    expect(() => createSampler("dpm++", config, 20)).toThrow(refusal("scheduler-unsupported", "use_karras_sigmas"));
  });
  it("a flow that predicts something else", () => {
    const config = { ...sana, prediction_type: "epsilon" };
    expect(() => createSampler("dpm++", config, 20)).toThrow(refusal("scheduler-unsupported", "prediction_type"));
  });
});

describe("a sampler", () => {
  it("gives exactly the number of steps asked for, whatever the spacing", () => {
    for (const timestep_spacing of ["leading", "linspace", "trailing"]) {
      for (const name of ["ddim", "dpm++", "euler", "euler-a"] as const) {
        for (let steps = 1; steps < 500; steps += 6) {
          const { timesteps } = createSampler(name, { ...sd15, timestep_spacing }, steps);
          expect(timesteps.length).toBe(steps);
          expect(timesteps.at(-1)).toBeGreaterThanOrEqual(0);
        }
      }
    }
  });

  it("starts Stable Diffusion's DDIM at timestep 981 and ends it at 1", () => {
    const { timesteps, initNoiseSigma } = createSampler("ddim", sd15, 50);
    expect([timesteps[0], timesteps[1], timesteps.at(-1), initNoiseSigma]).toEqual([981, 961, 1, 1]);
  });

  it("changes nothing it is given and can be run again from any step", () => {
    const sampler = createSampler("dpm++", sd15, 10);
    const latents = createNoise(1).normal(count);
    const output = network(latents, 500);
    const history = { clean: createNoise(2).normal(count) };
    const before = [latents.slice(), output.slice(), history.clean.slice()];
    const input = { latents, prediction: { output }, step: 4, noise: createNoise(0), history };
    expect(sampler.step(input)).toEqual(sampler.step(input));
    expect([latents, output, history.clean]).toEqual(before);
  });

  it("draws noise only when it is ancestral", () => {
    const silent = {
      normal: () => {
        throw new Error("drawn");
      },
    };
    const input = { latents: new Float32Array(4), prediction: { output: new Float32Array(4) }, step: 0, noise: silent };
    for (const name of ["ddim", "dpm++", "euler"] as const) createSampler(name, sd15, 5).step(input);
    expect(() => createSampler("euler-a", sd15, 5).step(input)).toThrow("drawn");
  });
});

describe("a call that cannot work is refused", () => {
  it("with no steps, or more than the model was trained with", () => {
    for (const steps of [0, -1, 2.5, 1001, Number.NaN]) {
      expect(() => createSampler("ddim", sd15, steps)).toThrow(refusal("steps-invalid", String(steps)));
    }
    expect(() => createSampler("ddim", sd15, 1001)).toThrow(refusal("steps-invalid", "1 to 1000"));
  });

  it("with so many steps that the offset runs off the schedule, or steps coincide", () => {
    expect(() => createSampler("ddim", sd15, 1000)).toThrow(refusal("steps-invalid", "timestep 1000"));
    expect(() => createSampler("dpm++", sd15, 1000)).toThrow(refusal("steps-invalid", "1000 steps"));
  });

  it("with an unknown sampler, or Karras spacing for a sampler that has none", () => {
    expect(() => createSampler("plms" as SamplerName, sd15, 5)).toThrow(
      refusal("sampler-unknown", "plms", "ddim, dpm++, euler, euler-a"),
    );
    expect(() => createSampler("ddim", sd15, 5, { karras: true })).toThrow(refusal("karras-unsupported", "ddim"));
    expect(() => createSampler("euler-a", sd15, 5, { karras: true })).toThrow(refusal("karras-unsupported", "euler-a"));
  });

  it("with a setting the sampler does not support, naming the key", () => {
    const refused: [SamplerName, Record<string, unknown>][] = [
      ["ddim", { thresholding: true }],
      ["dpm++", { thresholding: true }],
      ["euler", { timestep_spacing: "quadratic" }],
      ["dpm++", { variance_type: "learned_range" }],
      ["dpm++", { algorithm_type: "sde-dpmsolver++" }],
      ["dpm++", { solver_order: 3 }],
      ["euler", { use_exponential_sigmas: true }],
      ["euler", { timestep_type: "continuous" }],
      ["euler-a", { prediction_type: "sample" }],
      ["ddim", { beta_schedule: "sigmoid" }],
      ["ddim", { num_train_timesteps: "1000" }],
      ["ddim", { trained_betas: [0.1, 0.2] }],
      ["dpm++", { lambda_min_clipped: 100 }],
    ];
    for (const [name, extra] of refused) {
      const attempt = () => createSampler(name, { ...sd15, ...extra }, 10);
      expect(attempt).toThrow(refusal("scheduler-unsupported", Object.keys(extra)[0]!));
    }
  });

  it("with noise prediction from zero SNR under DDIM", () => {
    const config = { ...sd15, rescale_betas_zero_snr: true, timestep_spacing: "trailing" };
    expect(() => createSampler("ddim", config, 10)).toThrow(refusal("scheduler-unsupported", "rescale_betas_zero_snr"));
  });

  it("except for other schedulers' keys, which are ignored", () => {
    expect(() => createSampler("euler-a", { ...sd15, thresholding: true, solver_order: 3 }, 10)).not.toThrow();
  });
});
