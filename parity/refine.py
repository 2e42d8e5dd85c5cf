"""The stage `refine` of `npm run pretrain`, in PyTorch: its bfloat16 is several times as fast where a processor multiplies that.

    npm run build
    python parity/refine.py [--steps 30000] [--decay 6000]

The autoencoder in models/dinghy goes on learning, its latents held near those it had, and is written there at the end. The
losses are those of src/world/pretrain/refine.ts, the pictures others of the same world. Muon is the same; AdamW, for all that is no
matrix, has half the rate and forgets sooner. The learning rate is constant, then falls to 0 in `--decay` steps.
A run goes on from its checkpoint, every 500 steps, in pretraining/refine-torch/: first without `--decay`, for as long as it gets
better, say, and once more with it.
"""

import argparse
import math
import os
import subprocess
import time
from pathlib import Path
from queue import Queue
from threading import Thread

import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

root = Path(__file__).parent.parent
model = root / "models" / "dinghy" / "vae"
work = root / "pretraining" / "refine-torch"
checkpoint = work / "checkpoint.pt"

BATCH, SIDE, RATE, WEIGHT_DECAY, CLIP = 8, 128, 2e-3, 1e-2, 1.0
NOISE, ANCHOR, AVERAGING = 0.1, 0.005, 0.997
FIRST, SHARD, HELD_OUT = 960_000_000, 4000, 200
ENDS = (".conv_in.", ".conv_out.", "quant_conv.")


def pictures(kind, first, count):
    """Of the world, RGB bytes [count, side, side, 3]."""
    script = root / "dist" / "world" / "pretrain" / "pictures-main.js"
    done = subprocess.run(["node", script, kind, str(first), str(count)], stdout=subprocess.PIPE, check=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, SIDE, SIDE, 3)


def planes(data):
    """In -1..1, [count, 3, side, side], channels last in memory."""
    return torch.from_numpy(data.copy()).float().div_(127.5).sub_(1).permute(0, 3, 1, 2)


def autoencoder():
    return AutoencoderKL.from_pretrained(model).float().to(memory_format=torch.channels_last)


def half():
    return torch.autocast("cpu", torch.bfloat16)


def batches(step):
    """From a step on; the next shard is drawn while one is used."""
    shards = Queue(1)

    def draw(shard):
        while True:
            shards.put(pictures("training", FIRST + shard * SHARD, SHARD))
            shard += 1

    position = step * BATCH
    Thread(target=draw, args=(position // SHARD,), daemon=True).start()
    while True:
        shard = shards.get()
        for i in range(position % SHARD, SHARD, BATCH):
            yield planes(shard[i : i + BATCH])
        position = 0


class Muon:
    """As torch.optim.Muon, for kernels too: matrices of as many rows as they have outputs."""

    def __init__(self, parameters):
        self.parameters = parameters
        self.momenta = [torch.zeros_like(p) for p in parameters]

    @torch.no_grad()
    def step(self, rate):
        for parameter, momentum in zip(self.parameters, self.momenta):
            momentum.lerp_(parameter.grad, 0.05)
            x = parameter.grad.lerp(momentum, 0.95).reshape(len(parameter), -1).bfloat16()
            length = 0.2 * math.sqrt(max(x.shape))
            tall = x.size(0) > x.size(1)
            x = x.T if tall else x
            x = x / x.norm().clamp(min=1e-7)
            for _ in range(5):
                a = x @ x.T
                x = 3.4445 * x + (-4.775 * a + 2.0315 * a @ a) @ x
            x = (x.T if tall else x).float().reshape(parameter.shape)
            parameter.mul_(1 - rate * WEIGHT_DECAY).sub_(x, alpha=rate * length)


@torch.no_grad()
def psnr(vae, held_out):
    error = 0.0
    for x in held_out.split(20):
        with half():
            y = vae.decode(vae.encode(x).latent_dist.mean).sample
        error += (y.float().clamp(-1, 1) - x).square().mean((1, 2, 3)).sum().item()
    return 10 * math.log10(4 * len(held_out) / error)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--steps", type=int, default=30000, help="to come")
    arguments.add_argument("--decay", type=int, default=0, help="of these, how many the learning rate falls in")
    options = arguments.parse_args()
    work.mkdir(parents=True, exist_ok=True)

    vae = autoencoder()
    before = autoencoder().requires_grad_(False)
    average = autoencoder().requires_grad_(False)
    networks = {"vae": vae, "before": before, "average": average}
    parameters = dict(vae.named_parameters())
    matrices = [name for name, p in parameters.items() if p.ndim > 1 and not any(end in f".{name}" for end in ENDS)]
    muon = Muon([parameters.pop(name) for name in matrices])
    adamw = torch.optim.AdamW(parameters.values(), RATE, betas=(0.9, 0.99), weight_decay=WEIGHT_DECAY)
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint)
        for name, network in networks.items():
            network.load_state_dict(state[name])
        for momentum, stored in zip(muon.momenta, state["muon"]):
            momentum.copy_(stored)
        adamw.load_state_dict(state["adamw"])
        first = state["step"]
    end = first + options.steps

    def save(step):
        states = {name: network.state_dict() for name, network in networks.items()}
        torch.save({**states, "muon": muon.momenta, "adamw": adamw.state_dict(), "step": step}, f"{checkpoint}.part")
        os.replace(f"{checkpoint}.part", checkpoint)

    held_out = planes(pictures("held-out", 0, HELD_OUT))
    draws = batches(first)
    random = torch.Generator().manual_seed(first)
    began = time.time()
    for step in range(first, end):
        warmup = min(1, (step + 1) / 100)
        rate = RATE * warmup * (min(1, (end - step) / options.decay) if options.decay else 1)
        x = next(draws)
        with half():
            with torch.no_grad():
                anchor = before.encode(x).latent_dist.mean
            latents = vae.encode(x).latent_dist.mean
            deviation = NOISE * torch.rand(BATCH, 1, 1, 1, generator=random)
            y = vae.decode(latents + deviation * torch.randn(latents.shape, generator=random)).sample
        error = (y.float() - x).square().mean()
        loss = error + ANCHOR * (latents.float() - anchor.float()).square().mean()
        vae.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), CLIP)
        muon.step(rate)
        for group in adamw.param_groups:
            group["lr"] = rate / 2
        adamw.step()
        with torch.no_grad():
            for mean, value in zip(average.parameters(), vae.parameters()):
                mean.lerp_(value, 1 - min(AVERAGING, (step + 1) / (step + 10)))
        if (step + 1) % 500 == 0 or step + 1 == end:
            save(step + 1)
            seconds = (time.time() - began) / (step + 1 - first) / BATCH
            print(f"{step + 1}: error {error.item():.5f}, PSNR {psnr(average, held_out):.2f} dB, {seconds:.3f} s a picture", flush=True)
    tensors = {name: tensor.half().contiguous() for name, tensor in average.state_dict().items()}
    weights = model / "diffusion_pytorch_model.safetensors"
    save_file(tensors, f"{weights}.part", metadata={"format": "pt"})
    os.replace(f"{weights}.part", weights)


main()
