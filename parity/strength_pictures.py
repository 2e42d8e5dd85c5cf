"""Writes parity/fixtures/strengths/: pictures with an adapter's strength by component, set by Diffusers' set_adapters, and with the
weak model's null text encoded by the fine-tuned text encoder. See parity/README.md.

    python parity/strength_pictures.py
"""

import json
import warnings
from pathlib import Path

import torch

from reference_models import Fixtures
from reference_pictures import KOHYA, OLD, TWO, Loop, by_pipeline, case, decode, encode, keep_pictures, refuse_idle

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
here = Path(__file__).parent / "fixtures"
fixtures = Fixtures(here / "pipelines", here / "adapters")


class NullTextLoop(Loop):
    """The loop with the null text of every model encoded by the fine-tuned model."""

    def e(self, omega, prompt):
        encoder = 1 if prompt == self.request["negative"] else omega
        if (encoder, prompt) not in self.texts:
            self.texts[encoder, prompt] = encode(self.model(encoder), prompt)
        return self.model(omega).unet(self.seen, self.t, encoder_hidden_states=self.texts[encoder, prompt]).sample

    def guided(self, step):
        if self.request["guidance"] != "output-interpolation":
            return super().guided(step)
        c, null, s, w = (self.request[key] for key in ("prompt", "negative", "scale", "omega"))
        strong = self.e(1, c)
        return strong + (s - 1) * (w * (strong - self.e(1, null)) + (1 - w) * (strong - self.e(0, null))), None


SIZE = dict(steps=6, width=48, height=48)
STRONG = dict(nullText="strong", **SIZE)


def parts(adapters, **strength):
    return [{**one, "strength": strength} for one in adapters]


TWO_PARTS = [{**TWO[0], "strength": {"unet": 0.7}}, {**TWO[1], "strength": {"unet": 0.5, "text_encoder": 1.5}}]
CASES = [
    case("null-text-pg", "sd15", OLD, "pg", omega=0.3, **STRONG),
    case("null-text-pg-negative", "sd15", KOHYA, "pg", omega=0, negative="blurry, dark dog", **STRONG),
    case("null-text-pg++", "sd15", KOHYA, "pg++", omega=0, **STRONG),
    case("null-text-autolora", "sd15", OLD, "autolora", agScale=2, **STRONG),
    case("null-text-output-interpolation", "sd15", OLD, "output-interpolation", omega=0.3, **STRONG),
    case("unet-alone-cfg", "sd15", parts(KOHYA, text_encoder=0), "cfg", **SIZE),
    case("text-alone-cfg", "sd15", parts(KOHYA, unet=0), "cfg", **SIZE),
    case("both-cfg", "sd15", parts(OLD, unet=0.4, text_encoder=1.3), "cfg", **SIZE),
    case("both-pg", "sd15", parts(OLD, unet=0.4, text_encoder=1.3), "pg", omega=0.3, **SIZE),
    case("two-pg", "sd15", TWO_PARTS, "pg", omega=0.3, **SIZE),
]


@torch.no_grad()
def main():
    folder = here / "strengths"
    folder.mkdir(exist_ok=True)
    tensors, plain = {}, {}
    for one in CASES:
        name, request = one["name"], one["request"]
        latents = (NullTextLoop if "nullText" in request else Loop)(fixtures, one).draw()
        if request["guidance"] == "cfg":
            # set_adapters takes the entries out of the dictionaries it is given.
            by_diffusers = by_pipeline(fixtures.load(json.loads(json.dumps(one))), request)
            assert (latents - by_diffusers).abs().max() < 1e-3 * latents.abs().max(), name
        tensors[name] = torch.from_numpy(decode(fixtures.load({**one, "adapters": []}), latents))
        uniform = [{**adapter, "strength": 1} for adapter in one["adapters"]]
        unlike = Loop(fixtures, {**one, "adapters": uniform}) if "nullText" not in request else None
        if unlike is None and request["guidance"] != "output-interpolation":
            unlike = Loop(fixtures, one)
        if unlike is not None:
            other = torch.from_numpy(decode(fixtures.load({**one, "adapters": []}), unlike.draw()))
            refuse_idle(name, tensors[name], other, "the plain request")
    keep_pictures(folder, tensors, CASES)


main()
