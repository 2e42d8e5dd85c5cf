"""Whole pictures under every guidance method.

`none` and `cfg` use StableDiffusionPipeline; the other methods use the loop below, which is checked against it.
"""

import json

import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
)
from safetensors.torch import save_file

from reference_models import encode, interpolated

PEFT = [{"file": "lora-peft.safetensors", "strength": 1}]
KOHYA = [{"file": "lora-kohya.safetensors", "strength": 1}]
OLD = [{"file": "lora-diffusers-old.safetensors", "strength": 1}]
SD21 = [{"file": "lora-sd21.safetensors", "strength": 1}]
TI = [{"file": "ti.safetensors", "strength": 1}]
CUSTOM = [
    {"file": "custom-diffusion/pytorch_custom_diffusion_weights.safetensors", "strength": 1},
    {"file": "custom-diffusion/new1.safetensors", "strength": 1},
]
TRAINED = [{"file": "../trained/dreambooth.safetensors", "strength": 1}]
TRAINED_TI, TRAINED_CLASS = (
    [
        {"file": f"../trained/{recipe}.safetensors", "strength": 1},
        {"file": f"../trained/{recipe}-embedding.safetensors", "strength": 1},
    ]
    for recipe in ("dreambooth-ti", "class-diffusion")
)
TWO = [{"file": "lora-peft.safetensors", "strength": 0.7}, {"file": "lora-kohya.safetensors", "strength": 0.5}]

PROMPT = "a red cat wearing a santa hat in the snow"
TI_PROMPT = "a <cat> cat wearing a santa hat in the snow"
CUSTOM_PROMPT = "a <new1> cat wearing a santa hat in the snow"
LEARNED = ["<cat>", "<new1>"]


def case(name, pipeline, adapters, guidance, prompt=PROMPT, variant=None, **request):
    scale = {} if guidance in ("none", "ag") else {"scale": 0.4 if guidance.endswith("++") else 7.5}
    request = {
        "prompt": prompt,
        "negative": "",
        "guidance": guidance,
        **scale,
        "sampler": "ddim",
        "karras": False,
        "steps": 20,
        "seed": 7,
        "width": 64,
        "height": 64,
        **request,
    }
    return {
        "name": name,
        "pipeline": pipeline,
        **({"variant": variant} if variant else {}),
        "adapters": adapters,
        "request": request,
        "picture": "pictures.safetensors",
        "pictureKey": name,
        "latentsKey": f"{name}.latents",
    }


CASES = [
    case("sd15-bare-none", "sd15", [], "none"),
    case("sd15-bare-cfg", "sd15", [], "cfg"),
    case("sd15-none", "sd15", PEFT, "none"),
    case("sd15-cfg", "sd15", PEFT, "cfg"),
    case("sd15-cfg-negative", "sd15", PEFT, "cfg", negative="blurry, dark dog"),
    case("sd15-cfg-another-seed", "sd15", PEFT, "cfg", seed=4294967301),
    case("sd15-cfg-wide", "sd15", PEFT, "cfg", width=96, height=48),
    case("sd15-cfg-odd-latents", "sd15", PEFT, "cfg", width=88, height=72),
    case("sd15-ag", "sd15", PEFT, "ag", agScale=2),
    case("sd15-cfg+ag", "sd15", PEFT, "cfg+ag", agScale=2),
    case("sd15-autolora", "sd15", PEFT, "autolora", agScale=2),
    *[case(f"sd15-pg-{omega}", "sd15", PEFT, "pg", omega=omega) for omega in (0, 0.3, 0.6, 1)],
    case("sd15-pg-0.6-negative", "sd15", PEFT, "pg", omega=0.6, negative="blurry, dark dog"),
    case("sd15-cfg++", "sd15", PEFT, "cfg++"),
    case("sd15-pg++-0", "sd15", PEFT, "pg++", omega=0),
    case("sd15-pg++-0.6", "sd15", PEFT, "pg++", omega=0.6),
    case("sd15-ti-cfg", "sd15", TI, "cfg", TI_PROMPT),
    case("sd15-ti-sag", "sd15", TI, "sag", TI_PROMPT),
    case("sd15-ti-sag-additive", "sd15", TI, "sag-additive", TI_PROMPT),
    case("sd15-ti-lora-pg-0.6", "sd15", TI + PEFT, "pg", TI_PROMPT, omega=0.6),
    case("sd15-custom-none", "sd15", CUSTOM, "none", CUSTOM_PROMPT),
    case("sd15-custom-cfg", "sd15", CUSTOM, "cfg", CUSTOM_PROMPT),
    case("sd15-custom-sag", "sd15", CUSTOM, "sag", CUSTOM_PROMPT),
    case("sd15-custom-pg-0.6", "sd15", CUSTOM, "pg", CUSTOM_PROMPT, omega=0.6),
    case("sd15-diffusers-cfg", "sd15", [{"file": "lora-diffusers.safetensors", "strength": 1}], "cfg"),
    case("sd15-old-cfg", "sd15", OLD, "cfg"),
    case("sd15-old-ag", "sd15", OLD, "ag", agScale=2),
    case("sd15-old-pg-0.6", "sd15", OLD, "pg", omega=0.6),
    case("sd15-kohya-cfg", "sd15", KOHYA, "cfg"),
    case("sd15-kohya-pg-0.6", "sd15", KOHYA, "pg", omega=0.6),
    case("sd15-two-cfg", "sd15", TWO, "cfg"),
    case("sd15-two-pg-0.3", "sd15", TWO, "pg", omega=0.3),
    case("sd15-cfg-dpm++", "sd15", PEFT, "cfg", sampler="dpm++"),
    case("sd15-cfg-dpm++-karras", "sd15", PEFT, "cfg", sampler="dpm++", karras=True),
    case("sd15-cfg-euler", "sd15", PEFT, "cfg", sampler="euler"),
    case("sd15-cfg-euler-a", "sd15", PEFT, "cfg", sampler="euler-a"),
    case("sd15-pg-0.6-dpm++", "sd15", PEFT, "pg", omega=0.6, sampler="dpm++"),
    case("sd21-cfg", "sd21", SD21, "cfg"),
    case("sd21-pg-0.6", "sd21", SD21, "pg", omega=0.6),
    case("sd21-cfg-dpm++", "sd21", SD21, "cfg", sampler="dpm++"),
    case("sd21-v-cfg", "sd21-v", SD21, "cfg"),
    case("sd21-v-pg-0.6", "sd21-v", SD21, "pg", omega=0.6),
    case("sd21-v-pg++-0", "sd21-v", SD21, "pg++", omega=0),
    case("sd21-v-cfg-dpm++", "sd21-v", SD21, "cfg", sampler="dpm++"),
    case("sd21-v-cfg-euler-a", "sd21-v", SD21, "cfg", sampler="euler-a"),
    case("sd15-fp16-cfg", "sd15-fp16", PEFT, "cfg", variant="fp16"),
    case("trained-dreambooth-cfg", "sd15", TRAINED, "cfg"),
    case("trained-dreambooth-pg-0.6", "sd15", TRAINED, "pg", omega=0.6),
    case("trained-ti-cfg", "sd15", TRAINED_TI, "cfg", TI_PROMPT),
    case("trained-ti-pg-0.3", "sd15", TRAINED_TI, "pg", TI_PROMPT, omega=0.3),
    case("trained-class-cfg", "sd15", TRAINED_CLASS, "cfg", TI_PROMPT),
    case("trained-class-pg-0.6", "sd15", TRAINED_CLASS, "pg", TI_PROMPT, omega=0.6),
    case("sd15-fp16-pg-0.6", "sd15-fp16", PEFT, "pg", variant="fp16", omega=0.6),
]


@torch.no_grad()
def make_pictures(fixtures, folder):
    tensors = {}
    for one in CASES:
        name, request = one["name"], one["request"]
        by_loop = Loop(fixtures, one).draw()
        if request["guidance"] in ("none", "cfg"):
            latents = by_pipeline(fixtures.load(one), request)
            error = (latents - by_loop).abs().max() / latents.abs().max()
            assert error < 1e-3, f"{name}: the loop differs from the pipeline by {error}"
        else:
            latents = by_loop
        tensors[name] = torch.from_numpy(decode(fixtures.load(one, adapters=False), latents))
        tensors[f"{name}.latents"] = latents.contiguous()
    save_file(tensors, folder / "pictures.safetensors")
    (folder / "cases.json").write_text(json.dumps(CASES, indent=2) + "\n")
    report(tensors)


def refuse_idle(name, picture, plain, what):
    """Fails if a setting hardly changes a picture: it would not be tested."""
    moved = (picture.float() - plain.float()).abs().mean()
    print(f"{name:32} mean difference from {what}: {moved:.1f} of 255", flush=True)
    assert moved > 1, "the setting would not be tested"


def keep_pictures(folder, tensors, cases):
    """Writes pictures and what of their cases Tiller's tests need."""
    save_file(tensors, folder / "pictures.safetensors")
    fields = ("name", "pipeline", "base", "adapters", "request")
    kept = [{key: one[key] for key in fields if key in one} for one in cases]
    (folder / "cases.json").write_text(json.dumps(kept, indent=2) + "\n")


def by_pipeline(pipe, request):
    """The last latents of StableDiffusionPipeline.__call__."""
    pipe.scheduler = scheduler_of(pipe, request)
    return pipe(
        request["prompt"],
        negative_prompt=request["negative"],
        guidance_scale=request.get("scale", 1),
        num_inference_steps=request["steps"],
        height=request["height"],
        width=request["width"],
        generator=torch.Generator().manual_seed(request["seed"]),
        output_type="latent",
    ).images


def decode(pipe, latents):
    """uint8 [height, width, 3], rounded by Diffusers' own image processor."""
    picture = pipe.vae.decode(latents / pipe.vae.config.scaling_factor, return_dict=False)[0]
    return np.array(pipe.image_processor.postprocess(picture, output_type="pil")[0])


def scheduler_of(pipe, request):
    config = pipe.scheduler.config
    match request["sampler"]:
        case "ddim":
            return DDIMScheduler.from_config(config)
        case "dpm++":
            return DPMSolverMultistepScheduler.from_config(config, use_karras_sigmas=request["karras"])
        case "euler":
            return EulerDiscreteScheduler.from_config(config, use_karras_sigmas=request["karras"])
        case "euler-a":
            return EulerAncestralDiscreteScheduler.from_config(config)


class Loop:
    """The explicit sampling loop. e(omega, text) evaluates the network with weights theta_omega."""

    def __init__(self, fixtures, one):
        self.request = one["request"]
        self.models = {0: fixtures.load(one, adapters=False), 1: fixtures.merged(one)}
        self.texts = {}
        self.steps = self.request["steps"]

    def model(self, omega):
        if omega not in self.models:
            self.models[omega] = interpolated(self.models[0], self.models[1], omega)
        return self.models[omega]

    def e(self, omega, prompt):
        model = self.model(omega)
        if (omega, prompt) not in self.texts:
            self.texts[omega, prompt] = encode(model, prompt)
        return model.unet(self.seen, self.t, encoder_hidden_states=self.texts[omega, prompt]).sample

    def guided(self, step):
        """The guided prediction, and the one for re-noising."""
        request, e = self.request, self.e
        c, null = request["prompt"], request["negative"]
        s, w, a = request.get("scale"), request.get("omega"), request.get("agScale")
        match request["guidance"]:
            case "none":
                return e(1, c), None
            case "cfg":
                return e(1, null) + s * (e(1, c) - e(1, null)), None
            case "ag":
                return e(0, c) + a * (e(1, c) - e(0, c)), None
            case "cfg+ag":
                return e(1, c) + (s - 1) * (e(1, c) - e(1, null)) + (a - 1) * (e(1, c) - e(0, c)), None
            case "autolora":
                tuned = e(1, null) + s * (e(1, c) - e(1, null))
                base = e(0, null) + s * (e(0, c) - e(0, null))
                return base + a * (tuned - base), None
            case "sag":
                text = agnostic(c) if step < self.steps / 10 else c
                return e(1, null) + s * (e(1, text) - e(1, null)), None
            case "sag-additive":
                return e(1, null) + s * (e(1, c) - e(1, null)) + (e(1, agnostic(c)) - e(1, c)), None
            case "output-interpolation":
                weak = w * e(1, null) + (1 - w) * e(0, null)
                return weak + s * (e(1, c) - weak), None
            case "pg":
                return e(w, null) + s * (e(1, c) - e(w, null)), None
            case "cfg++":
                return e(1, null) + s * (e(1, c) - e(1, null)), e(1, null)
            case "pg++":
                return e(w, null) + s * (e(1, c) - e(w, null)), e(w, null)

    def draw(self):
        """The last latents."""
        request = self.request
        generator = torch.Generator().manual_seed(request["seed"])
        scheduler = scheduler_of(self.models[1], request)
        scheduler.set_timesteps(request["steps"])
        x = torch.randn(1, 4, request["height"] // 8, request["width"] // 8, generator=generator)
        x = x * scheduler.init_noise_sigma
        noise = {} if request["sampler"] in ("dpm++",) else {"generator": generator}
        for step, self.t in enumerate(scheduler.timesteps):
            self.seen = scheduler.scale_model_input(x, self.t)
            prediction, weak = self.guided(step)
            if weak is None:
                x = scheduler.step(prediction, self.t, x, **noise).prev_sample
            else:
                x = plus_plus(scheduler, request["steps"], x, self.t, prediction, weak)
        return x


def plus_plus(scheduler, steps, x, t, prediction, weak):
    """CFG++: DDIM's x0 from the guided prediction, re-noised with the weak one, at Diffusers' indices."""
    a = scheduler.alphas_cumprod[t]
    before = t - 1000 // steps
    a_before = scheduler.alphas_cumprod[before] if before >= 0 else scheduler.final_alpha_cumprod
    if scheduler.config.prediction_type == "v_prediction":
        clean, noise = a.sqrt() * x - (1 - a).sqrt() * prediction, a.sqrt() * weak + (1 - a).sqrt() * x
    else:
        clean, noise = (x - (1 - a).sqrt() * prediction) / a.sqrt(), weak
    return a_before.sqrt() * clean + (1 - a_before).sqrt() * noise


def agnostic(prompt):
    """The prompt without its learned token."""
    return " ".join(word for word in prompt.split() if word not in LEARNED)


def report(tensors):
    """Prints statistics to show that the pictures are not grey, saturated or all alike, which would prove nothing."""
    print(f"{'picture':26} {'mean':>5} {'std':>5} {'inside 1..254':>14} {'latents std':>12} {'from cfg':>9}")
    for one in CASES:
        name = one["name"]
        picture = tensors[name].float()
        inside = ((picture > 0) & (picture < 255)).float().mean()
        prefix = name[: name.index(one["request"]["guidance"])] if one["request"]["guidance"] in name else "sd15-"
        cfg = tensors.get(f"{prefix}cfg")
        difference = (picture - cfg.float()).abs().mean() if cfg is not None and cfg.shape == picture.shape else float("nan")
        print(
            f"{name:26} {picture.mean():5.0f} {picture.std():5.0f} {inside:14.1%} "
            f"{tensors[f'{name}.latents'].std():12.2f} {difference:9.1f}"
        )
