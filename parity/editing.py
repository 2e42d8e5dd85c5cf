"""Edits by a tiny InstructPix2Pix model, fine-tuned, as it were, from the tiny SD 1.5.

    python parity/editing.py

writes parity/fixtures/editing/: `model`, whose autoencoder, text encoder and tokenizer are the tiny SD 1.5's, the pictures, and
their cases. `none` and `cfg-edit` are StableDiffusionInstructPix2PixPipeline's own; `pg-edit` is the loop below, which is checked
against it.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from diffusers import (
    EulerAncestralDiscreteScheduler,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from PIL import Image
from safetensors.torch import save_file

from reference_pictures import decode, scheduler_of

FIXTURES = Path(__file__).parent / "fixtures"
OUT = FIXTURES / "editing"
LORA = FIXTURES / "adapters" / "lora-peft.safetensors"
INSTRUCTION = "snow on the beach"
# As in folders of that time: absent settings get the defaults of the class that reads them.
SCHEDULER = {
    "_class_name": "EulerAncestralDiscreteScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


def case(name, guidance="cfg-edit", width=64, height=64, sampler="euler-a", karras=False, steps=10, lora=False, **request):
    scales = {} if guidance == "none" else {"scale": 7.5, "imageScale": 1.5}
    request = {"prompt": INSTRUCTION, "negative": "", "guidance": guidance, **scales, "sampler": sampler, "karras": karras, "steps": steps, "seed": 7, "width": width, "height": height, **request}
    return {"name": name, "lora": lora, "request": request}


CASES = [
    case("none", "none"),
    case("cfg-edit"),
    case("cfg-edit-5-1", scale=5, imageScale=1),
    case("cfg-edit-3-2.5", scale=3, imageScale=2.5),
    case("cfg-edit-wide", width=96, height=48),
    case("cfg-edit-tall", width=56, height=88, negative="blurry dark"),
    case("cfg-edit-ddim", sampler="ddim"),
    case("cfg-edit-dpm++", sampler="dpm++"),
    case("cfg-edit-dpm++-karras", sampler="dpm++", karras=True),
    case("cfg-edit-euler", sampler="euler"),
    case("cfg-edit-lora", lora=True),
    *[case(f"pg-edit-{omega}", "pg-edit", omega=omega) for omega in (0, 0.4, 1)],
    case("pg-edit-0-wide", "pg-edit", omega=0, width=96, height=48, sampler="ddim", scale=4, imageScale=2),
    case("pg-edit-0.4-null", "pg-edit", omega=0.4, weakRows="null"),
    case("pg-edit-0-null", "pg-edit", omega=0, weakRows="null", sampler="euler"),
    case("pg-edit-0.4-lora", "pg-edit", omega=0.4, lora=True),
]


def photo(width, height):
    y, x = np.mgrid[0:height, 0:width]
    planes = [128 + 100 * np.sin(x / 9 + 1), 128 + 90 * np.cos(y / 7), 60 + 140 * (x + y > (width + height) / 2) + 30 * (x % 2)]
    return Image.fromarray(np.stack(planes, -1).clip(0, 255).astype(np.uint8))


@torch.no_grad()
def tuned(base):
    """The base with eight input channels and every weight moved."""
    generator = torch.Generator().manual_seed(5)
    unet = UNet2DConditionModel.from_config({**base.config, "in_channels": 8}).eval()
    state = {}
    for key, value in base.state_dict().items():
        if key == "conv_in.weight":
            value = torch.cat([value, torch.randn(value.shape, generator=generator) * 0.15], 1)
        state[key] = value + torch.randn(value.shape, generator=generator) * 0.15 * value.std(correction=0)
    unet.load_state_dict(state)
    return unet


def between(base, unet, omega):
    """theta_omega; what the base lacks counts as 0."""
    mixed = UNet2DConditionModel.from_config(unet.config).eval()
    pre = base.state_dict()
    pre["conv_in.weight"] = torch.cat([pre["conv_in.weight"], torch.zeros_like(pre["conv_in.weight"])], 1)
    mixed.load_state_dict({key: (1 - omega) * pre[key] + omega * value for key, value in unet.state_dict().items()})
    return mixed


def encode(pipe, prompt):
    ids = pipe.tokenizer(prompt, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
    return pipe.text_encoder(ids)[0]


@torch.no_grad()
def loop(pipe, base, request):
    """The last latents; the weak U-Net predicts the unconditional row, or both null rows."""
    generator = torch.Generator().manual_seed(request["seed"])
    scheduler = scheduler_of(pipe, request)
    scheduler.set_timesteps(request["steps"])
    picture = pipe.image_processor.preprocess(photo(request["width"], request["height"]))
    seen = pipe.vae.encode(picture).latent_dist.mode()
    x = torch.randn(seen.shape, generator=generator) * scheduler.init_noise_sigma
    cond, null = encode(pipe, request["prompt"]), encode(pipe, request["negative"])
    w, s, i = request.get("omega", 1), request["scale"], request["imageScale"]
    weak = pipe.unet if w == 1 else base if w == 0 else between(base, pipe.unet, w)
    noise = {} if request["sampler"] == "dpm++" else {"generator": generator}
    for t in scheduler.timesteps:
        scaled = scheduler.scale_model_input(x, t)

        def e(unet, text, image):
            # The base takes no picture.
            given = scaled if unet is base else torch.cat([scaled, image], 1)
            return unet(given, t, encoder_hidden_states=text).sample

        both = e(pipe.unet, cond, seen)
        image = e(weak if request.get("weakRows") == "null" else pipe.unet, null, seen)
        nothing = e(weak, null, torch.zeros_like(seen))
        x = scheduler.step(nothing + s * (both - image) + i * (image - nothing), t, x, **noise).prev_sample
    return x


def by_pipeline(pipe, request):
    pipe.scheduler = scheduler_of(pipe, request)
    return pipe(
        request["prompt"],
        image=photo(request["width"], request["height"]),
        negative_prompt=request["negative"],
        guidance_scale=request.get("scale", 1),
        image_guidance_scale=request.get("imageScale", 1),
        num_inference_steps=request["steps"],
        generator=torch.Generator().manual_seed(request["seed"]),
        output_type="latent",
    ).images


@torch.no_grad()
def main():
    shutil.rmtree(OUT, ignore_errors=True)
    source = StableDiffusionPipeline.from_pretrained(FIXTURES / "pipelines" / "sd15", safety_checker=None)
    source.set_progress_bar_config(disable=True)
    base, unet = source.unet.eval(), tuned(source.unet.eval())
    parts = {key: value for key, value in source.components.items() if key in ("vae", "text_encoder", "tokenizer")}

    def pipeline(network):
        scheduler = EulerAncestralDiscreteScheduler.from_pretrained(OUT / "scheduler")
        pipe = StableDiffusionInstructPix2PixPipeline(
            **parts, unet=network, scheduler=scheduler, safety_checker=None, feature_extractor=None, requires_safety_checker=False
        )
        pipe.set_progress_bar_config(disable=True)
        return pipe

    (OUT / "scheduler").mkdir(parents=True)
    (OUT / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULER, indent=2) + "\n")
    pipeline(unet).save_pretrained(OUT / "model")
    for name in ("vae", "text_encoder", "tokenizer", "scheduler"):
        shutil.rmtree(OUT / "model" / name)
    tensors = {}
    for one in CASES:
        name, request = one["name"], one["request"]
        networks = [UNet2DConditionModel.from_config(each.config).eval() for each in (unet, base)]
        for copy, each in zip(networks, (unet, base)):
            copy.load_state_dict(each.state_dict())
        pipe, plain = pipeline(networks[0]), networks[1]
        if one["lora"]:
            pipe.load_lora_weights(str(LORA))
            pipe.fuse_lora()
            pipe.unload_lora_weights()
            # Between the two models, the adapter has omega's share as well.
            if request["guidance"] == "pg-edit":
                other = StableDiffusionPipeline.from_pretrained(FIXTURES / "pipelines" / "sd15", safety_checker=None)
                plain = other.unet.eval()
        size = request["width"], request["height"]
        if request["guidance"] == "none":
            latents = by_pipeline(pipe, request)
        else:
            latents = loop(pipe, plain, request)
            if request["guidance"] == "cfg-edit":
                theirs = by_pipeline(pipe, request)
                error = (latents - theirs).abs().max() / theirs.abs().max()
                assert error < 1e-3, f"{name}: the loop differs from the pipeline by {error}"
                latents = theirs
        tensors[name] = torch.from_numpy(decode(pipe, latents).copy())
        tensors[f"photo-{size[0]}x{size[1]}"] = torch.from_numpy(np.array(photo(*size)))
        picture = tensors[name].float()
        inside = ((picture > 0) & (picture < 255)).float().mean()
        print(f"{name:24} {picture.mean():5.0f} {picture.std():5.0f} {inside:6.1%} from cfg-edit {(picture - tensors['cfg-edit'].float()).abs().mean() if 'cfg-edit' in tensors and picture.shape == tensors['cfg-edit'].shape else 0:5.1f}")
    (OUT / "scheduler").rename(OUT / "model" / "scheduler")
    save_file(tensors, OUT / "pictures.safetensors")
    (OUT / "cases.json").write_text(json.dumps(CASES, indent=2) + "\n")


main()
