"""Pictures that start from a picture, with and without a mask.

    python parity/from_picture.py

writes parity/fixtures/from-picture/: `photo` and `mask`, the pictures, and the widened first layer that makes an inpainting model
of the tiny SD 1.5. `none` and `cfg` are StableDiffusionImg2ImgPipeline's and StableDiffusionInpaintPipeline's own; the other
methods use the loop below, which is checked against them. Diffusers has no such pipelines for SANA: there the loop starts and
blends by Diffusers' schedulers, and goes on as in sana_pictures.py.
"""

import json
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import (
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLInpaintPipeline,
    UNet2DConditionModel,
)
from PIL import Image, ImageOps
from safetensors.torch import save_file

import sana_pictures
import sdxl_pictures
from reference_models import Fixtures
from reference_pictures import PEFT, SD21, TI, TI_PROMPT, Loop, decode, plus_plus, scheduler_of
from reference_pictures import case as case_of

OUT = sana_pictures.HERE / "fixtures" / "from-picture"
WIDTH, HEIGHT = 64, 48


def case(name, guidance, strength, mask=False, pipeline="sd15", adapters=PEFT, **request):
    one = case_of(name, pipeline, adapters, guidance, **{"width": WIDTH, "height": HEIGHT, "steps": 10, **request})
    return {**{key: one[key] for key in ("name", "pipeline", "adapters")}, "mask": mask, "request": {**one["request"], "strength": strength}}


SAMPLERS = [("ddim", False), ("dpm++", False), ("dpm++", True), ("euler", False), ("euler", True), ("euler-a", False)]


def named(sampler, karras):
    return f"{sampler}{'-karras' if karras else ''}"


CASES = [
    *[case(f"picture-cfg-{named(s, k)}", "cfg", 0.6, sampler=s, karras=k) for s, k in SAMPLERS],
    case("picture-none", "none", 0.6),
    case("picture-cfg-whole", "cfg", 1),
    case("picture-cfg-v", "cfg", 0.5, pipeline="sd21-v", adapters=SD21),
    case("picture-ag", "ag", 0.6, agScale=2),
    case("picture-cfg+ag", "cfg+ag", 0.6, agScale=2),
    case("picture-autolora", "autolora", 0.6, agScale=2),
    case("picture-output-interpolation", "output-interpolation", 0.6, omega=0.6),
    case("picture-sag", "sag", 0.6, adapters=TI, prompt=TI_PROMPT, steps=20),
    case("picture-sag-additive", "sag-additive", 0.6, adapters=TI, prompt=TI_PROMPT),
    case("picture-pg-0.6", "pg", 0.6, omega=0.6),
    case("picture-cfg++", "cfg++", 0.6),
    case("picture-pg++", "pg++", 0.6, omega=0.6),
    *[case(f"mask-cfg-{named(s, k)}", "cfg", 0.7, mask=True, sampler=s, karras=k) for s, k in SAMPLERS],
    case("mask-none", "none", 0.7, mask=True),
    case("mask-cfg-whole", "cfg", 1, mask=True),
    case("mask-pg-0.6", "pg", 0.7, mask=True, omega=0.6),
    case("mask-pg++", "pg++", 0.7, mask=True, omega=0.6),
    *[case(f"inpainting-cfg-{named(s, k)}", "cfg", 0.7, mask=True, pipeline="inpainting", sampler=s, karras=k) for s, k in SAMPLERS[::2] + SAMPLERS[-1:]],
    case("inpainting-cfg-whole", "cfg", 1, mask=True, pipeline="inpainting"),
    case("inpainting-none", "none", 1, mask=True, pipeline="inpainting"),
    case("inpainting-pg-0.6", "pg", 1, mask=True, pipeline="inpainting", omega=0.6),
]


def sana_case(name, guidance, strength, mask=False, **request):
    one = sana_pictures.case(name, guidance, **{"width": 96, **request})
    return {"name": name, "pipeline": "sana", "lora": one["lora"], "mask": mask, "request": {**one["request"], "strength": strength}}


SANA_CASES = [
    sana_case("sana-picture-cfg", "cfg", 0.6),
    sana_case("sana-picture-cfg-flow-euler", "cfg", 0.6, sampler="flow-euler"),
    sana_case("sana-picture-pg-0.6", "pg", 0.6, omega=0.6),
    sana_case("sana-mask-cfg", "cfg", 0.6, mask=True),
    sana_case("sana-mask-pg-0-flow-euler", "pg", 1, mask=True, omega=0, sampler="flow-euler"),
]


def sdxl_case(name, guidance, strength, pipeline="sdxl", mask=False, **request):
    one = sdxl_pictures.case(name, guidance, lora=None, **{"width": WIDTH, "height": HEIGHT, "steps": 10, **request})
    return {"name": name, "pipeline": pipeline, "adapters": [], "mask": mask, "request": {**one["request"], "strength": strength}}


SDXL_CASES = [
    sdxl_case("sdxl-picture-cfg", "cfg", 0.6),
    sdxl_case("sdxl-picture-none-euler-a", "none", 0.6, sampler="euler-a"),
    sdxl_case("sdxl-mask-cfg", "cfg", 0.7, mask=True),
    sdxl_case("sdxl-inpainting-cfg", "cfg", 0.7, pipeline="sdxl-inpainting", mask=True),
    sdxl_case("sdxl-inpainting-cfg-whole", "cfg", 1, pipeline="sdxl-inpainting", mask=True),
]


def photo(width, height):
    """Colours that change smoothly, with an edge and a fine pattern."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [128 + 100 * np.sin(x / 9 + 1), 128 + 90 * np.cos(y / 7), 60 + 140 * (x + y > (width + height) / 2) + 30 * (x % 2)]
    return Image.fromarray(np.stack(planes, -1).clip(0, 255).astype(np.uint8))


def mask_of(width, height):
    """An off-centre ellipse with a soft edge, not aligned to the latents."""
    y, x = np.mgrid[0:height, 0:width]
    distance = ((x - width * 0.4) / (width * 0.33)) ** 2 + ((y - height * 0.55) / (height * 0.36)) ** 2
    return Image.fromarray((255 * (1.4 - distance)).clip(0, 255).astype(np.uint8)).convert("RGB")


def widened(pipe, conv_in):
    """The pipeline with a U-Net of nine input channels."""
    state = {**pipe.unet.state_dict(), "conv_in.weight": conv_in}
    pipe.unet = UNet2DConditionModel.from_config({**pipe.unet.config, "in_channels": 9}).eval()
    pipe.unet.load_state_dict(state)
    return pipe


class Tiny(Fixtures):
    conv_in = None

    def pipeline_of(self, one):
        return {**one, "pipeline": "sd15"} if one["pipeline"] == "inpainting" else one

    def load(self, one, adapters=True):
        # LoRAs stay apart from the widened layer, so they are loaded first.
        pipe = super().load(self.pipeline_of(one), adapters)
        if one["pipeline"] == "inpainting" and not adapters:
            widened(pipe, self.conv_in)
        return pipe

    def merged(self, one):
        pipe = super().merged(self.pipeline_of(one))
        return widened(pipe, self.conv_in) if one["pipeline"] == "inpainting" else pipe


def first_step(request):
    return request["steps"] - int(request["steps"] * request["strength"])


class FromPicture(Loop):
    def draw(self, image, mask):
        request, pipe = self.request, self.models[1]
        generator = torch.Generator().manual_seed(request["seed"])
        scheduler = scheduler_of(pipe, request)
        scheduler.set_timesteps(request["steps"])
        first = first_step(request)
        self.steps = request["steps"] - first
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(first)
        timesteps = scheduler.timesteps[first:]
        factor = pipe.vae.config.scaling_factor
        planes = pipe.image_processor.preprocess(image)
        from_noise = mask is not None and request["strength"] == 1
        wide = pipe.unet.config.in_channels == 9

        def sampled(pixels):
            return factor * pipe.vae.encode(pixels).latent_dist.sample(generator)

        clean = None if from_noise and wide else sampled(planes)
        noise = torch.randn(1, 4, HEIGHT // 8, WIDTH // 8, generator=generator)
        x = noise * scheduler.init_noise_sigma if from_noise else scheduler.add_noise(clean, noise, timesteps[:1])
        if mask is not None:
            white = (torch.from_numpy(np.array(mask.convert("L"))) / 255 >= 0.5).float()[None, None]
            small = F.interpolate(white, size=(HEIGHT // 8, WIDTH // 8))
            masked = sampled(planes * (white < 0.5))
        extra = {} if request["sampler"] == "dpm++" else {"generator": generator}
        for step, self.t in enumerate(timesteps):
            self.seen = scheduler.scale_model_input(x, self.t)
            if wide:
                self.seen = torch.cat([self.seen, small, masked], 1)
            prediction, weak = self.guided(step)
            if weak is None:
                x = scheduler.step(prediction, self.t, x, **extra).prev_sample
            else:
                x = plus_plus(scheduler, request["steps"], x, self.t, prediction, weak)
            if mask is not None and not wide:
                last = step == len(timesteps) - 1
                around = clean if last else scheduler.add_noise(clean, noise, timesteps[step + 1 : step + 2])
                x = (1 - small) * around + small * x
        return x


def by_pipeline(pipe, one, image, mask):
    kind = StableDiffusionImg2ImgPipeline if mask is None else StableDiffusionInpaintPipeline
    drawing = kind(**pipe.components, requires_safety_checker=False)
    drawing.scheduler = scheduler_of(pipe, one["request"])
    return drawn_by(drawing, one["request"], image, mask)


def by_sdxl_pipeline(conv_in, one, image, mask):
    pipe = sdxl_pictures.load()
    if one["pipeline"] == "sdxl-inpainting":
        widened(pipe, conv_in)
    kind = StableDiffusionXLImg2ImgPipeline if mask is None else StableDiffusionXLInpaintPipeline
    drawing = kind(**pipe.components, force_zeros_for_empty_prompt=True, add_watermarker=False)
    drawing.scheduler = sdxl_pictures.scheduler_of(pipe, one["request"])
    return drawn_by(drawing, one["request"], image, mask)


def drawn_by(drawing, request, image, mask):
    drawing.set_progress_bar_config(disable=True)
    return drawing(
        request["prompt"],
        image=image,
        **({} if mask is None else {"mask_image": mask, "height": HEIGHT, "width": WIDTH}),
        strength=request["strength"],
        negative_prompt=request.get("negative"),
        guidance_scale=request.get("scale", 1),
        num_inference_steps=request["steps"],
        generator=torch.Generator().manual_seed(request["seed"]),
        output_type="latent",
    ).images


class SanaFromPicture(sana_pictures.Loop):
    def draw(self, image, mask):
        request, vae = self.request, self.pipe.vae
        scheduler = sana_pictures.scheduler_of(self.pipe, request)
        scheduler.set_timesteps(request["steps"])
        first = first_step(request)
        scheduler.set_begin_index(first)
        noisy = scheduler.scale_noise if request["sampler"] == "flow-euler" else scheduler.add_noise
        order = (lambda a, t, n: noisy(a, t, n)) if request["sampler"] == "flow-euler" else (lambda a, t, n: noisy(a, n, t))
        timesteps = scheduler.timesteps[first:]
        planes = self.pipe.image_processor.preprocess(image)
        clean = vae.encode(planes).latent * vae.config.scaling_factor
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(request["seed"]))
        pure = mask is not None and request["strength"] == 1
        self.x = noise if pure else order(clean, timesteps[:1], noise)
        if mask is not None:
            white = (torch.from_numpy(np.array(mask.convert("L"))) / 255 >= 0.5).float()[None, None]
            small = F.interpolate(white, size=clean.shape[2:])
        for step, self.t in enumerate(timesteps):
            prediction, _ = self.guided()
            self.x = scheduler.step(prediction, self.t, self.x, return_dict=False)[0]
            if mask is not None:
                last = step == len(timesteps) - 1
                around = clean if last else order(clean, timesteps[step + 1 : step + 2], noise)
                self.x = (1 - small) * around + small * self.x
        return self.x


@torch.no_grad()
def main():
    OUT.mkdir(exist_ok=True)
    fixtures = Tiny(sana_pictures.HERE / "fixtures" / "pipelines", sana_pictures.HERE / "fixtures" / "adapters")
    conv_in = fixtures.load(CASES[0], adapters=False).unet.conv_in.weight.detach()
    generator = torch.Generator().manual_seed(11)
    # So that the mask and the masked picture count as much as the latents.
    fixtures.conv_in = torch.cat([conv_in, torch.randn(conv_in.shape[0], 5, 3, 3, generator=generator) * conv_in.std()], 1)
    tensors = {"conv_in.weight": fixtures.conv_in.contiguous()}
    sizes = {"": (WIDTH, HEIGHT), "sana-": (96, 64)}
    pictures = {prefix: (photo(*size), mask_of(*size)) for prefix, size in sizes.items()}
    for prefix, (image, mask) in pictures.items():
        tensors[f"{prefix}photo"] = torch.from_numpy(np.array(image))
        tensors[f"{prefix}mask"] = torch.from_numpy(np.array(mask))
    # The rule that fits a picture to a size.
    odd = photo(71, 53)
    tensors["odd"] = torch.from_numpy(np.array(odd))
    for width, height in ((32, 32), (48, 16), (24, 64), (96, 64)):
        fitted = ImageOps.fit(odd, (width, height), Image.Resampling.LANCZOS)
        tensors[f"fitted {width}x{height}"] = torch.from_numpy(np.array(fitted))
    image, mask = pictures[""]
    for one in CASES:
        given = (image, mask if one["mask"] else None)
        latents = FromPicture(fixtures, one).draw(*given)
        if one["request"]["guidance"] in ("none", "cfg"):
            own = by_pipeline(fixtures.merged(one), one, *given)
            error = (own - latents).abs().max() / own.abs().max()
            assert error < 1e-4, f"{one['name']}: the loop differs from the pipeline by {error}"
            latents = own
        picture = decode(fixtures.load({**one, "adapters": []}, adapters=False), latents)
        tensors[one["name"]] = torch.from_numpy(picture)
        report(one["name"], picture, np.array(image))
    generator = torch.Generator().manual_seed(13)
    conv_in = sdxl_pictures.load().unet.conv_in.weight.detach()
    wider = torch.cat([conv_in, torch.randn(conv_in.shape[0], 5, 3, 3, generator=generator) * conv_in.std()], 1)
    tensors["sdxl-conv_in.weight"] = wider.contiguous()
    for one in SDXL_CASES:
        latents = by_sdxl_pipeline(wider, one, image, mask if one["mask"] else None)
        picture = decode(sdxl_pictures.load(), latents)
        tensors[one["name"]] = torch.from_numpy(picture)
        report(one["name"], picture, np.array(image))
    image, mask = pictures["sana-"]
    for one in SANA_CASES:
        loop = SanaFromPicture(one)
        latents = loop.draw(image, mask if one["mask"] else None)
        vae = loop.pipe.vae
        picture = vae.decode(latents / vae.config.scaling_factor, return_dict=False)[0]
        picture = (picture / 2 + 0.5).clamp(0, 1)[0].permute(1, 2, 0)
        tensors[one["name"]] = (picture * 255).round().to(torch.uint8).contiguous()
        report(one["name"], tensors[one["name"]].numpy(), np.array(image))
    save_file(tensors, OUT / "pictures.safetensors")
    (OUT / "cases.json").write_text(json.dumps([*CASES, *SDXL_CASES, *SANA_CASES], indent=2) + "\n")


def report(name, picture, given):
    """Prints statistics to show that pictures are neither grey nor saturated, nor the given one."""
    inside = ((picture > 0) & (picture < 255)).mean()
    print(f"{name:40} std {picture.std():5.0f} inside {inside:6.1%} from the photo {np.abs(picture.astype(float) - given).mean():5.0f}")


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})
    main()
