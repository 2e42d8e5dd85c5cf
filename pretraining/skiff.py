"""Trains skiff: a SANA transformer at dinghy's size, on dinghy's latents and its text encoder's states, by flow matching.

    npm ci && pip install -r parity/requirements.txt
    python pretraining/skiff.py [--minutes MINUTES] [--threads N] [--judge PICTURES]

Goes on from its checkpoint in pretraining/runs/skiff/, where the learning curve (curve.csv) is too. `--judge` draws held-out
prompts with the running average instead, and says how many of their scenes and kinds CLIP names, as `npm run pretrain:judge` does.
The network is not in the repository (NOTES.md).
"""

import argparse
import csv
import subprocess
import time

import numpy as np
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, SanaTransformer2DModel

from pretrain import HELD_OUT, IDS, SIDE, Learner, drawn, encoded, here, model, parts, states_of

runs = here / "runs" / "skiff"
CONFIG = dict(
    in_channels=4, out_channels=4, sample_size=16, patch_size=1,
    num_layers=8, num_attention_heads=8, attention_head_dim=32, mlp_ratio=2.5,
    num_cross_attention_heads=8, cross_attention_head_dim=32, cross_attention_dim=256, caption_channels=160,
)
SETTINGS = {"batch": 16, "rate": 1e-3}
# Their rows are not comparable directions, or they have few columns.
ENDS = (".patch_embed.", ".proj_out.", ".conv_depth.", "scale_shift_table")
PICTURES, WARMUP, DROPOUT = 8192, 200, 0.1
# The longest caption of the world has fewer tokens.
TEXT = 32
STEPS, SCALE, SHIFT = 20, 4.0, 1.0
END = 1022


def collected(count):
    """Latents and text states of that many pictures; kept on disk."""
    kept = runs / f"pictures-{count}.pt"
    if kept.exists():
        return torch.load(kept)
    pixels, ids = [], []
    stream = drawn("training", 0, count).stdout
    row = 3 * SIDE * SIDE + 2 * IDS
    while data := stream.read(256 * row):
        p, i = parts(data)
        pixels.append(encoded(p).float())
        ids.append(i)
    means, (states, which) = torch.cat(pixels), states_of(torch.cat(ids))
    lengths = lengths_of(torch.cat(ids), which, len(states))
    data = {"means": means, "states": states[:, :TEXT].clone(), "which": which, "lengths": lengths}
    torch.save(data, kept)
    return data


def lengths_of(ids, which, texts):
    """Tokens of each text, with its end; the last text is the empty one."""
    lengths = torch.full((texts,), 2)
    lengths[which] = (ids.long() == END).int().argmax(1) + 1
    return lengths


class Data:
    def __init__(self, data):
        self.means, self.states, self.which = data["means"], data["states"].float(), data["which"]
        self.mask = (torch.arange(TEXT) < data["lengths"][:, None]).int()

    def noised(self, rows, generator=None):
        clean = self.means[rows]
        sigma = torch.sigmoid(torch.randn(len(rows), generator=generator))
        noise = torch.randn(clean.shape, generator=generator)
        text = self.which[rows].masked_fill(torch.rand(len(rows), generator=generator) < DROPOUT, len(self.states) - 1)
        s = sigma[:, None, None, None]
        return (1 - s) * clean + s * noise, 1000 * sigma, self.states[text], self.mask[text], noise - clean


def error_of(network, latents, timesteps, states, mask, target):
    half = next(network.parameters()).dtype
    prediction = network(latents.to(half), states.to(half), timesteps, encoder_attention_mask=mask).sample
    return (prediction.float() - target).square().mean()


def started():
    """The network with zero output, and branches that begin small, as its gates are near zero."""
    network = SanaTransformer2DModel(**CONFIG)
    with torch.no_grad():
        network.proj_out.weight.zero_()
        network.proj_out.bias.zero_()
    return network


def train(minutes):
    data = Data(collected(PICTURES))
    held = torch.arange(HELD_OUT * 2)
    learner = Learner(started(), SETTINGS, ENDS)
    checkpoint, seconds = runs / "checkpoint.pt", 0.0
    if checkpoint.exists():
        kept = torch.load(checkpoint)
        for mine, theirs in zip(learner.masters, kept["masters"]):
            mine.copy_(theirs)
        learner.average.load_state_dict(kept["average"])
        learner.half.load_state_dict(learner.network.state_dict())
        for i, momentum in kept["momenta"].items():
            learner.momenta[i].copy_(momentum)
        learner.adamw.load_state_dict(kept["adamw"])
        learner.steps, seconds = kept["steps"], kept["seconds"]
    parameters = sum(p.numel() for p in learner.masters)
    print(f"{parameters / 1e6:.2f} million parameters, {len(data.states) - 1} captions, from step {learner.steps}", flush=True)
    learner.rate.fill_(learner.peak)

    def save():
        torch.save({
            "masters": learner.masters, "average": learner.average.state_dict(), "momenta": learner.momenta,
            "adamw": learner.adamw.state_dict(), "steps": learner.steps, "seconds": seconds,
        }, f"{checkpoint}.part")
        (runs / "checkpoint.pt.part").replace(checkpoint)

    @torch.no_grad()
    def held_out():
        generator = torch.Generator().manual_seed(0)
        return sum(error_of(learner.average, *data.noised(rows, generator)).item() for rows in held.split(50)) / len(held.split(50))

    began = said = time.time()
    done, errors = seconds, []
    try:
        while time.time() - began < 60 * minutes:
            learner.rate.fill_(learner.peak * min(1, (learner.steps + 1) / WARMUP))
            rows = torch.randint(len(held), PICTURES, (learner.batch,))
            loss = error_of(learner.half, *data.noised(rows))
            learner.step(loss)
            learner.blend(1)
            errors.append(loss.item())
            seconds = done + time.time() - began
            if time.time() - said > 120:
                said = time.time()
                line = [learner.steps, learner.steps * learner.batch, round(seconds), f"{np.mean(errors):.4f}", f"{held_out():.4f}"]
                with open(runs / "curve.csv", "a") as file:
                    csv.writer(file).writerow(line)
                print("step {}, {} pictures, {} s, error {}, held out {}".format(*line), flush=True)
                errors = []
                save()
    except KeyboardInterrupt:
        print("interrupted")
    save()


@torch.no_grad()
def judge(count):
    """Draws held-out prompts by flow Euler with classifier-free guidance, and has them judged."""
    network = started()
    kept = torch.load(runs / "checkpoint.pt")
    network.load_state_dict(kept["average"])
    told = subprocess.run(["node", here / "run.js", "skiff-judge-main", "prompts", str(count)], check=True, capture_output=True)
    ids = torch.from_numpy(np.frombuffer(told.stdout, np.int16).copy().reshape(-1, IDS))
    states, which = states_of(ids)
    mask = (torch.arange(TEXT) < lengths_of(ids, which, len(states))[:, None]).int()
    states = states[:, :TEXT].float()
    vae = AutoencoderKL.from_pretrained(model / "vae").float()
    pictures = []
    for rows in torch.arange(count).split(25):
        scheduler = FlowMatchEulerDiscreteScheduler(shift=SHIFT)
        scheduler.set_timesteps(sigmas=np.linspace(1, 1 / STEPS, STEPS))
        text = torch.cat([which[rows], torch.full((len(rows),), len(states) - 1)])
        generator = torch.Generator().manual_seed(int(rows[0]))
        latents = torch.randn(len(rows), 4, 16, 16, generator=generator)
        for t in scheduler.timesteps:
            both = network(torch.cat([latents] * 2), states[text], t.expand(len(text)), encoder_attention_mask=mask[text]).sample
            strong, null = both.chunk(2)
            latents = scheduler.step(null + SCALE * (strong - null), t, latents).prev_sample
        pictures.append(vae.decode(latents).sample)
    pixels = torch.cat(pictures).clamp(-1, 1).add(1).mul(127.5).round().byte().permute(0, 2, 3, 1).contiguous()
    (runs / "pictures.rgb").write_bytes(pixels.numpy().tobytes())
    print(f"after {kept['steps']} steps of {SETTINGS['batch']}, {kept['seconds'] / 60:.0f} minutes:", flush=True)
    subprocess.run(["node", here / "run.js", "skiff-judge-main", "judge", str(count), runs / "pictures.rgb"], check=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--minutes", type=float, default=60, help="how long to train")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--judge", type=int, default=0, help="how many pictures to draw and judge")
    options = arguments.parse_args()
    torch.manual_seed(time.time_ns() % 2**31)
    torch.set_num_threads(options.threads)
    runs.mkdir(parents=True, exist_ok=True)
    judge(options.judge) if options.judge else train(options.minutes)


main()
