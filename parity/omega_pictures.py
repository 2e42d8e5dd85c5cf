"""Writes parity/fixtures/omega/: pictures with an omega that changes over the steps, or differs between blocks or components.

    python parity/omega_pictures.py

after sana_pictures.py and sdxl_pictures.py. On Stable Diffusion the weak model is a second network whose every weight is interpolated
by its own omega; on SDXL it is Diffusers' adapter strength by block and component, on SANA PEFT's strength of each layer.
"""

import copy
import math
import re
import warnings
from pathlib import Path

import torch
from peft.tuners.tuners_utils import BaseTunerLayer

import sana_pictures
import sdxl_pictures
from reference_models import Fixtures
from reference_pictures import KOHYA, OLD, SD21, Loop, case, decode, keep_pictures, refuse_idle

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
here = Path(__file__).parent / "fixtures"
fixtures = Fixtures(here / "pipelines", here / "adapters")


def level(text, step, steps):
    """A number, or its value at a step of a course."""
    form, _, numbers = text.rpartition(":")
    if not form:
        return float(text)
    ends, _, at = numbers.partition("@")
    start, end = map(float, ends.split(".."))
    share = step / (steps - 1)
    match form:
        case "linear":
            return start + (end - start) * share
        case "cosine":
            return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
        case "step":
            return start if step < math.ceil(round(steps * float(at or 0.5), 6)) else end


def omega_at(omega, step, steps):
    """One number, or the numbers of parts and of the rest."""
    if "=" not in omega:
        return level(omega, step, steps)
    entries = omega.split(",")
    rest = 1.0 if "=" in entries[0] else level(entries.pop(0), step, steps)
    parts = dict(entry.split("=") for entry in entries)
    return tuple((name, level(text, step, steps)) for name, text in parts.items()) + (("rest", rest),)


def parts_of(component, key):
    """What a weight belongs to, the smallest part first."""
    found = re.match(r"(down|mid|up)_block(?:s\.(\d+))?\.", key)
    if component == "unet" and found:
        block, number = found.groups()
        return [f"{block}.{number}", block, component]
    if component == "unet":
        return ["up" if key.startswith(("conv_norm_out", "conv_out")) else "down", component]
    return [component]


def share(omega, component, key):
    if not isinstance(omega, tuple):
        return omega
    named = dict(omega)
    return next((named[name] for name in parts_of(component, key) if name in named), named["rest"])


@torch.no_grad()
def interpolated(base, tuned, omega):
    pipe = copy.deepcopy(base)
    for name in ("unet", "text_encoder"):
        before, after = getattr(base, name).state_dict(), getattr(tuned, name).state_dict()
        assert before.keys() == after.keys()
        shares = {key: share(omega, name, key) for key in before}
        getattr(pipe, name).load_state_dict({key: w * after[key] + (1 - w) * before[key] for key, w in shares.items()})
    return pipe


class OmegaLoop(Loop):
    """The loop with each step's own omega."""

    def __init__(self, fixtures, one):
        super().__init__(fixtures, one)
        self.omega = self.request["omega"]
        if one.get("base"):
            self.models[0] = fixtures.load({"pipeline": one["base"], "variant": "fp16", "adapters": []})

    def model(self, omega):
        if omega not in self.models:
            self.models = {key: self.models[key] for key in (0, 1)}
            self.models[omega] = interpolated(self.models[0], self.models[1], omega)
        return self.models[omega]

    def guided(self, step):
        self.request = {**self.request, "omega": omega_at(self.omega, step, self.steps)}
        return super().guided(step)


class XlLoop(sdxl_pictures.Loop):
    def __init__(self, one):
        super().__init__(one)
        self.omega = self.request["omega"]
        by_diffusers = self.pipe.set_adapters

        def set_adapters(names, omegas):
            by_diffusers(names, [self.nested(omega) if isinstance(omega, tuple) else omega for omega in omegas])

        self.pipe.set_adapters = set_adapters

    @staticmethod
    def nested(omega):
        """As Diffusers takes it."""
        named = dict(omega)
        encoders = {name: named.get(name, named["rest"]) for name in ("text_encoder", "text_encoder_2")}
        return {"unet": {block: named.get(block, named["rest"]) for block in ("down", "mid", "up")}, **encoders}

    def guided(self, step):
        self.request = {**self.request, "omega": omega_at(self.omega, step, self.request["steps"])}
        return super().guided(step)


class SanaLoop(sana_pictures.Loop):
    def __init__(self, one):
        super().__init__(one)
        self.omega, self.step = self.request["omega"], 0

    def e(self, omega, text):
        if not isinstance(omega, tuple):
            return super().e(omega, text)
        self.pipe.set_adapters(["lora"], [1.0])
        named, layers = dict(omega), self.pipe.transformer.config.num_layers
        for name, module in self.pipe.transformer.named_modules():
            if isinstance(module, BaseTunerLayer):
                block = int(name.split(".")[1])
                third = ("early", "middle", "late")[3 * block // layers]
                module.set_scale("lora", named.get(third, named["rest"]))
        states, mask = self.text[text]
        return self.pipe.transformer(self.x, states, self.t.expand(1), encoder_attention_mask=mask, return_dict=False)[0]

    def guided(self):
        self.request = {**self.request, "omega": omega_at(self.omega, self.step, self.request["steps"])}
        self.step += 1
        return super().guided()


SIZE = dict(steps=6, width=48, height=48)
FULL = {"base": "sd15-fp16"}
CASES = [
    case("linear", "sd15", OLD, "pg", omega="linear:0..0.9", **SIZE),
    case("cosine-negative", "sd15", KOHYA, "pg", omega="cosine:0.9..0.1", negative="blurry, dark dog", **SIZE),
    case("step-dpm++", "sd21", SD21, "pg", omega="step:0..0.8@0.3", sampler="dpm++", **SIZE),
    case("linear-pg++", "sd15", KOHYA, "pg++", omega="linear:1..0", **SIZE),
    case("linear-output-interpolation", "sd15", OLD, "output-interpolation", omega="linear:0..1", **SIZE),
    case("blocks", "sd15", KOHYA, "pg", omega="0.6,down=0,mid=0.3,up=1", **SIZE),
    case("blocks-unnamed", "sd15", KOHYA, "pg", omega="mid=0,up=0.4", **SIZE),
    case("levels", "sd21", SD21, "pg", omega="0.2,up.1=0.9,down.0=0.5,up=0", **SIZE),
    case("components", "sd15", OLD, "pg", omega="unet=0.2,text_encoder=0.9", **SIZE),
    case("text-alone", "sd15", KOHYA, "pg", omega="text_encoder=0", **SIZE),
    case("linear-blocks", "sd15", KOHYA, "pg", omega="0.6,up=linear:0..1,text_encoder=step:0..1@0.4", **SIZE),
    case("full-linear", "sd15", [], "pg", omega="linear:0.2..0.9", **SIZE) | FULL,
    case("full-blocks", "sd15", [], "pg", omega="0.5,down=0.1,up=1", **SIZE) | FULL,
]
XL = [
    sdxl_pictures.case("sdxl-linear", "pg", omega="linear:0..1", steps=6, negative="blurry, dark dog"),
    sdxl_pictures.case("sdxl-blocks", "pg", omega="0.5,down=0,mid=0.9,up=0.3,text_encoder_2=1", steps=6, negative="blurry, dark dog"),
]
SANA = [
    sana_pictures.case("sana-cosine", "pg", omega="cosine:0..0.9", steps=6),
    sana_pictures.case("sana-thirds", "pg", omega="early=0,middle=0.6", steps=6),
]


@torch.no_grad()
def main():
    folder = here / "omega"
    folder.mkdir(exist_ok=True)
    tensors = {}

    def add(name, picture, plain):
        tensors[name] = picture.contiguous()
        refuse_idle(name, tensors[name], plain, "omega 0.6")

    for one in CASES:
        def drawn(request):
            latents = OmegaLoop(fixtures, {**one, "request": request}).draw()
            return torch.from_numpy(decode(fixtures.load({**one, "adapters": []}), latents))

        add(one["name"], drawn(one["request"]), drawn({**one["request"], "omega": "0.6"}))
    for cases, loop_of in ((XL, XlLoop), (SANA, SanaLoop)):
        for one in cases:
            def drawn(request):
                loop = loop_of({**one, "request": request})
                vae = loop.pipe.vae
                picture = vae.decode(loop.draw() / vae.config.scaling_factor, return_dict=False)[0]
                picture = (picture / 2 + 0.5).clamp(0, 1)[0].permute(1, 2, 0)
                return (picture * 255).round().to(torch.uint8)

            add(one["name"], drawn(one["request"]), drawn({**one["request"], "omega": "0.6"}))
    placed = [
        {**one, "pipeline": f"../{family}-pipeline/model", "adapters": [{"file": f"../{family}-pipeline/lora.safetensors", "strength": 1}]}
        for family, cases in (("sdxl", XL), ("sana", SANA))
        for one in cases
    ]
    keep_pictures(folder, tensors, [*CASES, *placed])


main()
