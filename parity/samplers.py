"""Fixtures for the samplers: PyTorch's noise, and whole trajectories of the Diffusers schedulers.

    python parity/samplers.py

writes parity/fixtures/samplers/{noise,trajectories,spacings,guided,flow}.json. Arrays of floats are base64 of little-endian
float32.

The network is replaced by a function that both sides compute bit for bit: a rational function of the latents and the timestep,
evaluated in double precision (where +, -, * and / round the same everywhere) and rounded once to float32.
"""

import base64
import hashlib
import json
import math
import pathlib
import warnings

import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
)

warnings.filterwarnings("ignore")
OUT = pathlib.Path(__file__).parent / "fixtures" / "samplers"

# Number of latents: at least 16 and not a multiple of 16, so that the noise takes its longest code path.
COUNT = 20
# Indices of the stored ones.
KEPT = [0, 7, 15, 19]


def encode(values):
    return base64.b64encode(np.asarray(values, dtype="<f4").tobytes()).decode()


def network(x, t, strength=1.0):
    """The replacement for the network: the strong row (strength 1) or another row."""
    x = x.numpy().astype(np.float64)
    t = float(t) / 1000
    out = strength * x * (0.7 + 0.3 * t) / (1 + 0.1 * x * x) + 0.2 * (t - 0.5)
    return torch.from_numpy(out.astype(np.float32))


# --- noise ---------------------------------------------------------------------------------------------------------

SEEDS = [0, 1, 42, 2**31, 2**32 + 5, 2**53 - 1, -1]
# Drawn consecutively from one generator; a small odd draw leaves a spare value.
DRAWS = [1, 2, 3, 15, 16, 17, 31, 64, 1, 5, 4 * 64 * 64, 2, 1000]


def noise():
    cases = []
    for seed in SEEDS:
        generator = torch.Generator().manual_seed(seed)
        draws = []
        for count in DRAWS:
            values = torch.randn(count, generator=generator).numpy()
            if count < 100:
                draws.append({"count": count, "values": encode(values)})
            else:
                digest = hashlib.sha256(values.astype("<f4").tobytes()).hexdigest()
                draws.append({"count": count, "tail": encode(values[-8:]), "sha256": digest})
        cases.append({"seed": seed, "draws": draws})
    return cases


# --- trajectories ----------------------------------------------------------------------------------------------------

SCHEDULERS = {
    "ddim": DDIMScheduler,
    "dpm++": DPMSolverMultistepScheduler,
    "euler": EulerDiscreteScheduler,
    "euler-a": EulerAncestralDiscreteScheduler,
}

# The scheduler_config.json published with Stable Diffusion 1.5.
SD15 = {
    "_class_name": "PNDMScheduler",
    "_diffusers_version": "0.6.0",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
}
ZERO_SNR = {
    **SD15,
    "_class_name": "DDIMScheduler",
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
}


def saved(scheduler):
    """The output of save_pretrained with all defaults; its -Infinity is not JSON and becomes null."""
    return json.loads(scheduler.to_json_string().replace("-Infinity", "null"))


def cases():
    """(sampler, config, steps, karras) of every case."""
    for sampler in SCHEDULERS:
        for steps in (1, 20, 50):
            yield sampler, SD15, steps, None
        for prediction in ("epsilon", "v_prediction"):
            for spacing in ("leading", "linspace", "trailing"):
                for steps in (1, 2, 5, 14, 15, 20, 50):
                    config = {**SD15, "prediction_type": prediction, "timestep_spacing": spacing}
                    yield sampler, config, steps, None
                    if sampler in ("dpm++", "euler"):
                        yield sampler, config, steps, True
        for steps in (1, 5, 30):
            yield sampler, ZERO_SNR, steps, None
        # Class defaults (linear betas; DDIM clips), the cosine schedule, explicit betas, and saved configs.
        yield sampler, {"_class_name": "DDPMScheduler", "clip_sample_range": 0.8, "variance_type": "fixed_small"}, 20, None
        yield sampler, {"beta_schedule": "squaredcos_cap_v2"}, 20, None
        yield sampler, {"num_train_timesteps": 40, "trained_betas": [0.001 + 0.0005 * i for i in range(40)]}, 10, None
        yield sampler, saved(DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False)), 10, None
        yield sampler, saved(EulerDiscreteScheduler(beta_schedule="scaled_linear", use_karras_sigmas=True)), 10, None
        yield sampler, saved(DPMSolverMultistepScheduler(final_sigmas_type="sigma_min", use_karras_sigmas=True)), 16, None
        yield sampler, saved(DPMSolverMultistepScheduler(use_karras_sigmas=True)), 10, False
        if sampler != "euler-a":
            yield sampler, {**SD15, "prediction_type": "sample"}, 20, None
    yield "ddim", {**SD15, "set_alpha_to_one": True}, 20, None
    yield "euler", {**SD15, "interpolation_type": "log_linear"}, 20, None
    for extra in (
        {"final_sigmas_type": "sigma_min"},
        {"final_sigmas_type": "sigma_min", "lower_order_final": False},
        {"final_sigmas_type": "sigma_min", "euler_at_final": True},
    ):
        # From fifteen steps on, the last step is no longer lowered to order 1.
        for steps in (10, 14, 15, 16):
            yield "dpm++", {**SD15, **extra}, steps, None
    yield "dpm++", {**SD15, "solver_type": "heun"}, 20, None
    yield "dpm++", {**SD15, "solver_type": "bh2", "algorithm_type": "deis", "final_sigmas_type": "sigma_min"}, 20, None
    yield "dpm++", {**SD15, "solver_order": 1}, 20, None
    yield "dpm++", {"beta_schedule": "squaredcos_cap_v2", "lambda_min_clipped": -5.1}, 20, None
    yield "dpm++", {"beta_schedule": "squaredcos_cap_v2", "lambda_min_clipped": -5.1, "timestep_spacing": "trailing"}, 20, None
    yield "dpm++", {"beta_schedule": "squaredcos_cap_v2"}, 20, True
    yield "dpm++", {**SD15, "sigma_min": 0.1, "sigma_max": 10.0}, 20, True
    yield "euler", {**SD15, "sigma_min": 0.1, "sigma_max": 10.0}, 20, True


def run(sampler, config, steps, karras, seed):
    overrides = {} if karras is None else {"use_karras_sigmas": karras}
    if config.get("lambda_min_clipped", 0) is None:
        config = {**config, "lambda_min_clipped": -math.inf}
    scheduler = SCHEDULERS[sampler].from_config(config, **overrides)
    scheduler.set_timesteps(steps)
    if sampler != "ddim":
        # Otherwise a repeated first timestep makes the scheduler skip a sigma and run past the end.
        scheduler.set_begin_index(0)
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn(1, 1, 4, COUNT // 4, generator=generator) * scheduler.init_noise_sigma
    extra = {"generator": generator} if sampler == "euler-a" else {}
    path = []
    for t in scheduler.timesteps:
        output = network(scheduler.scale_model_input(latents, t), t)
        result = scheduler.step(output, t, latents, **extra)
        clean = scheduler.model_outputs[-1] if sampler == "dpm++" else result.pred_original_sample
        latents = result.prev_sample
        path.append(latents.flatten()[KEPT].numpy())
    assert np.isfinite(path).all(), (sampler, config, steps)
    timesteps = scheduler.timesteps.tolist()
    return {
        "timesteps": timesteps if all(float(t).is_integer() for t in timesteps) else encode(timesteps),
        "initNoiseSigma": float(scheduler.init_noise_sigma),
        "latents": encode(path),
        "clean": encode(clean.flatten()[KEPT]),
    }


def trajectories():
    configs, rows = [], []
    for seed, (sampler, config, steps, karras) in enumerate(cases()):
        if config not in configs:
            configs.append(config)
        row = {"sampler": sampler, "config": configs.index(config), "steps": steps, "seed": seed}
        if karras is not None:
            row["karras"] = karras
        rows.append({**row, **run(sampler, config, steps, karras, seed)})
    return {"configs": configs, "cases": rows}


# --- timesteps -----------------------------------------------------------------------------------------------------

# Stored in full: trailing spacing at 48, 96 and 112 steps has values halfway between two timesteps, which round by the float
# error of numpy.arange's stride; at 61 NumPy yields a timestep -1, which Tiller drops.
WRITTEN_OUT = (7, 48, 61, 96, 112)
# All other step counts as a hash. Tiller refuses 1000: the offset leads beyond the schedule.
COUNTS = range(1, 1000)


def spacings():
    rows = []
    for sampler in ("ddim", "dpm++"):
        for spacing in ("leading", "linspace", "trailing"):
            scheduler = SCHEDULERS[sampler].from_config({**SD15, "timestep_spacing": spacing})
            timesteps = {}
            for steps in COUNTS:
                scheduler.set_timesteps(steps)
                timesteps[steps] = [t for t in scheduler.timesteps.tolist() if t >= 0]
            text = json.dumps(list(timesteps.values()), separators=(",", ":"))
            rows.append({
                "sampler": sampler,
                "spacing": spacing,
                "writtenOut": {str(steps): timesteps[steps] for steps in WRITTEN_OUT},
                "sha256": hashlib.sha256(text.encode()).hexdigest(),
            })
    return rows


# --- CFG++ and PG++ ----------------------------------------------------------------------------------------------------
# The formulas as published, in double precision. DDIM in variance-preserving form with the alphas Diffusers uses; the
# others in k-diffusion's form, x = x0 + sigma eps. The weak row's output is used for re-noising.

LAMBDA = 0.4
STRONG, WEAK = 1.0, 0.6


def rows_at(x, t):
    x = torch.from_numpy(x.astype(np.float32))
    strong, weak = network(x, t, STRONG), network(x, t, WEAK)
    guided = (weak.double() + LAMBDA * (strong.double() - weak.double())).float()
    return guided.double().numpy(), weak.double().numpy()


def guided_ddim(config, steps, seed):
    scheduler = DDIMScheduler.from_config(config)
    scheduler.set_timesteps(steps)
    bars = scheduler.alphas_cumprod.double().numpy()
    x = torch.randn(COUNT, generator=torch.Generator().manual_seed(seed)).double().numpy()
    path = []
    for t in scheduler.timesteps.tolist():
        a, previous = bars[t], t - 1000 // steps
        a_prev = bars[previous] if previous >= 0 else float(scheduler.final_alpha_cumprod)
        guided, weak = rows_at(x, t)
        if config["prediction_type"] == "v_prediction":
            x0 = math.sqrt(a) * x - math.sqrt(1 - a) * guided
            renoise = math.sqrt(a) * weak + math.sqrt(1 - a) * x
        else:
            x0 = (x - math.sqrt(1 - a) * guided) / math.sqrt(a)
            renoise = weak
        x = math.sqrt(a_prev) * x0 + math.sqrt(1 - a_prev) * renoise
        path.append(x[KEPT])
    return path, x0[KEPT]


def guided_k(sampler, config, steps, karras, seed):
    scheduler = SCHEDULERS[sampler].from_config(config, **({"use_karras_sigmas": True} if karras else {}))
    scheduler.set_timesteps(steps)
    sigmas = scheduler.sigmas.double().numpy()
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(COUNT, generator=generator).double().numpy() * float(scheduler.init_noise_sigma)
    # Diffusers keeps DPM-Solver++'s latents in variance-preserving form: x / sqrt(sigma^2 + 1).
    preserving = sampler == "dpm++"
    x = first * math.sqrt(sigmas[0] ** 2 + 1) if preserving else first
    path, old, h_last = [], None, None
    for i, t in enumerate(scheduler.timesteps.tolist()):
        s, s_next = sigmas[i], sigmas[i + 1]
        norm = math.sqrt(s**2 + 1)
        guided, weak = rows_at(x / norm, t)
        if config["prediction_type"] == "v_prediction":
            denoise = lambda out: x / norm**2 - out * s / norm  # noqa: E731
        else:
            denoise = lambda out: x - s * out  # noqa: E731
        hat, null = denoise(guided), denoise(weak)
        if sampler == "euler-a":
            up = math.sqrt(s_next**2 * (s**2 - s_next**2) / s**2)
            down = math.sqrt(s_next**2 - up**2)
            x = hat + down * (x - null) / s + up * torch.randn(COUNT, generator=generator).double().numpy()
        elif sampler == "euler" or old is None or s_next == 0:
            h_last = math.log(s / s_next) if s_next > 0 else None
            x = hat + s_next * (x - null) / s
        else:
            h = math.log(s / s_next)
            x = hat + math.exp(-h) * (x - null) - math.expm1(-h) * (hat - old) / (2 * h_last / h)
            h_last = h
        old = null
        path.append((x / math.sqrt(s_next**2 + 1) if preserving else x)[KEPT])
    return path, hat[KEPT]


def guided():
    rows = []
    configs = [
        {**SD15, "prediction_type": "epsilon"},
        {**SD15, "prediction_type": "v_prediction"},
        ZERO_SNR,
    ]
    for index, config in enumerate(configs):
        for steps in (1, 5, 20, 50):
            for sampler, karras in (("ddim", False), ("dpm++", False), ("dpm++", True), ("euler", False), ("euler-a", False)):
                seed = len(rows)
                if sampler == "ddim":
                    path, clean = guided_ddim(config, steps, seed)
                else:
                    path, clean = guided_k(sampler, config, steps, karras, seed)
                row = {"sampler": sampler, "config": index, "steps": steps, "karras": karras, "seed": seed}
                rows.append({**row, "latents": encode(path), "clean": encode(clean)})
    return {"lambda": LAMBDA, "strong": STRONG, "weak": WEAK, "configs": configs, "cases": rows}


# --- flows -----------------------------------------------------------------------------------------------------------
#
# SANA's schedulers: tables of sigmas, whole trajectories, and CFG++ as a double-precision loop over the same sigmas, with x0 from
# the guided row and the noise from the unguided row.


def flow_scheduler(sampler, shift):
    if sampler == "flow-euler":
        return FlowMatchEulerDiscreteScheduler(shift=shift)
    return DPMSolverMultistepScheduler(use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=shift)


def flow_run(sampler, scheduler, seed):
    latents = torch.randn(1, 1, 4, COUNT // 4, generator=torch.Generator().manual_seed(seed))
    path = []
    for i, t in enumerate(scheduler.timesteps):
        output = network(latents, t)
        clean = latents - scheduler.sigmas[i] * output
        latents = scheduler.step(output, t, latents).prev_sample
        path.append(latents.flatten()[KEPT].numpy())
    return encode(path), encode(clean.flatten()[KEPT])


def flow_guided(sampler, scheduler, seed):
    sigmas = scheduler.sigmas.double().numpy()
    x = torch.randn(COUNT, generator=torch.Generator().manual_seed(seed)).double().numpy()
    path, old, h_last = [], None, None
    for i, t in enumerate(scheduler.timesteps.tolist()):
        s, s_next = sigmas[i], sigmas[i + 1]
        guided, weak = rows_at(x, t)
        hat, null, noise = x - s * guided, x - s * weak, x + (1 - s) * weak
        x = (1 - s_next) * hat + s_next * noise
        if sampler == "dpm++" and s_next > 0:
            h = math.log((1 - s_next) / s_next) - math.log((1 - s) / s)
            if old is not None:
                x = x - (1 - s_next) * math.expm1(-h) * (hat - old) / (2 * h_last / h)
            h_last = h
        old = null
        path.append(x[KEPT])
    return encode(path), encode(hat[KEPT])


def flow():
    rows = []
    for sampler in ("dpm++", "flow-euler"):
        for shift in (1.0, 3.0, 6.0):
            for steps in (1, 2, 4, 20, 50):
                seed = len(rows)
                scheduler = flow_scheduler(sampler, shift)
                config = saved(scheduler)
                scheduler.set_timesteps(steps)
                scheduler.set_begin_index(0)
                timesteps = scheduler.timesteps.tolist()
                latents, clean = flow_run(sampler, scheduler, seed)
                row = {"sampler": sampler, "config": config, "steps": steps, "seed": seed, "latents": latents, "clean": clean}
                row["timesteps"] = timesteps if sampler == "dpm++" else encode(timesteps)
                row["sigmas"] = encode(scheduler.sigmas.numpy())
                row["guidedLatents"], row["guidedClean"] = flow_guided(sampler, scheduler, seed)
                rows.append(row)
    return {"lambda": LAMBDA, "strong": STRONG, "weak": WEAK, "cases": rows}


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    for make in (noise, trajectories, spacings, guided, flow):
        path = OUT / f"{make.__name__}.json"
        path.write_text(json.dumps(make(), separators=(",", ":")) + "\n")
        print(path.name, path.stat().st_size)
