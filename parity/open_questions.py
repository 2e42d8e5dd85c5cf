"""Writes parity/fixtures/open-questions/: pictures of every choice that the paper leaves open, where it is not the default.

    python parity/open_questions.py
"""

import warnings
from pathlib import Path

import torch

from reference_models import Fixtures
from reference_pictures import KOHYA, OLD, PEFT, TI, TI_PROMPT, Loop, agnostic, case, decode, keep_pictures, refuse_idle

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
here = Path(__file__).parent / "fixtures"
fixtures = Fixtures(here / "pipelines", here / "adapters")


class OpenLoop(Loop):
    """The formulas as guidance inside guidance, which Tiller writes as one row of coefficients."""

    def guided(self, step):
        request, e = self.request, self.e
        c, null, s, a = (request.get(key) for key in ("prompt", "negative", "scale", "agScale"))

        def guide(weak, strong, by):
            return weak + by * (strong - weak)

        match request["guidance"], request.get("mix", request.get("renoise")):
            case "cfg+ag", "nested-cond":
                return guide(e(1, null), guide(e(0, c), e(1, c), a), s), None
            case "cfg+ag", "outer":
                return guide(e(0, c), guide(e(1, null), e(1, c), s), a), None
            case "pg++", "strong":
                return guide(e(request["omega"], null), e(1, c), s), e(1, null)
            case "sag", _:
                weight = -1 if 1 - step / self.steps > request["sagThreshold"] else request["sagWeight"]
                mixed = (1 + weight) * e(1, c) - weight * e(1, agnostic(c))
                return guide(e(1, null), mixed, s), None
            case "sag-additive", _:
                return guide(e(1, null), e(1, c), s) + request["sagScale"] * (e(1, agnostic(c)) - e(1, c)), None


SIZE = dict(steps=6, width=48, height=48)
CASES = [
    case("cfg+ag-nested-cond", "sd15", PEFT, "cfg+ag", agScale=2, mix="nested-cond", **SIZE),
    case("cfg+ag-outer", "sd15", OLD, "cfg+ag", agScale=2, mix="outer", **SIZE),
    case("pg++-strong", "sd15", KOHYA, "pg++", omega=0.3, renoise="strong", **SIZE),
    case("sag-threshold-weight", "sd15", TI, "sag", TI_PROMPT, sagThreshold=0.6, sagWeight=-0.4, **SIZE),
    case("sag-additive-scale", "sd15", TI, "sag-additive", TI_PROMPT, sagScale=2.5, **SIZE),
]
CHOICES = ("mix", "renoise", "sagThreshold", "sagWeight", "sagScale")


@torch.no_grad()
def main():
    folder = here / "open-questions"
    folder.mkdir(exist_ok=True)
    tensors = {}
    for one in CASES:
        picture = fixtures.load({**one, "adapters": []})
        tensors[one["name"]] = torch.from_numpy(decode(picture, OpenLoop(fixtures, one).draw())).contiguous()
        usual = {key: value for key, value in one["request"].items() if key not in CHOICES}
        plain = torch.from_numpy(decode(picture, Loop(fixtures, {**one, "request": usual}).draw()))
        refuse_idle(one["name"], tensors[one["name"]], plain, "the default")
    keep_pictures(folder, tensors, CASES)


main()
