"""Continues the pretraining of models/dinghy in PyTorch: minutes on a CUDA device replace days on a CPU.

    npm ci && pip install -r parity/requirements.txt
    python pretraining/pretrain.py [--vae MINUTES] [--unet MINUTES]

Trains the autoencoder, then the U-Net on its latents; each starts from models/dinghy and is written back at the end, or when
interrupted. Losses, noise and caption dropout are those of refine.ts and unet.ts, and both use Muon. Batches are larger; their
pictures are drawn continuously and may be repeated.
"""

import argparse
import copy
import math
import os
import subprocess
import time
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import CLIPTextModel

here = Path(__file__).parent
model = here.parent / "models" / "dinghy"
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
cuda = device.type == "cuda"

SIDE, CHANNELS, IDS = 128, 4, 77
PIXELS = 3 * SIDE * SIDE
CHUNK, CAPACITY = 250, 400_000 if cuda else 4000
FIRST, HELD_OUT = 1_300_000_000, 200
WEIGHT_DECAY, CLIP, AVERAGING = 1e-2, 1.0, 0.999
VAE = {"batch": 64 if cuda else 8, "rate": 2e-3}
UNET = {"batch": 256 if cuda else 16, "rate": 1e-3}
NOISE, ANCHOR = 0.1, 0.005
VARIANCE = math.log(0.016**2)
DROPOUT, LOGIT = 0.1, 0.2
# Layers at the network's ends do not use Muon: their rows are not comparable directions.
ENDS = (".conv_in.", ".conv_out.", "quant_conv.")


def drawn(kind, first, count):
    """Starts a process that draws pictures, each followed by its caption's ids."""
    command = ["node", here / "run.js", "pictures-main", kind, str(first), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def parts(data):
    """Pixels [count, side, side, 3] and ids [count, 77] from such a process's output."""
    rows = np.frombuffer(data, np.uint8).reshape(-1, PIXELS + 2 * IDS)
    pixels = torch.from_numpy(rows[:, :PIXELS].copy().reshape(-1, SIDE, SIDE, 3))
    ids = torch.from_numpy(rows[:, PIXELS:].copy().view(np.int16))
    return (pixels.pin_memory(), ids.pin_memory()) if cuda else (pixels, ids)


def planes(pixels):
    """Converts to -1..1, [count, 3, side, side]."""
    return pixels.permute(0, 3, 1, 2).float().div(127.5).sub(1)


class Pictures:
    """A buffer of pictures, drawn on all processors; new ones replace the oldest."""

    def __init__(self):
        self.pixels = torch.empty(CAPACITY, SIDE, SIDE, 3, dtype=torch.uint8, device=device)
        self.ids = torch.empty(CAPACITY, IDS, dtype=torch.int16, device=device)
        self.count = 0
        self.chunks = Queue(64)
        drawers = max(1, (os.cpu_count() or 1) - 1) if cuda else 1
        for drawer in range(drawers):
            process = drawn("training", FIRST + drawer * 20_000_000, 20_000_000)
            Thread(target=self.read, args=(process.stdout,), daemon=True).start()

    def read(self, stream):
        while data := stream.read(CHUNK * (PIXELS + 2 * IDS)):
            self.chunks.put(parts(data))
        self.chunks.put(None)

    def take(self, wait=False):
        """Adds newly drawn pictures; with `wait`, at least some."""
        while True:
            try:
                chunk = self.chunks.get(wait)
            except Empty:
                return
            if chunk is None:
                raise SystemExit("drawing pictures stopped; was `npm ci` run?")
            pixels, ids = chunk
            at = self.count % CAPACITY
            self.pixels[at : at + CHUNK].copy_(pixels, non_blocking=True)
            self.ids[at : at + CHUNK].copy_(ids, non_blocking=True)
            self.count += CHUNK
            wait = False

    @property
    def filled(self):
        return min(self.count, CAPACITY)


class Learner:
    """A network in float32, its bfloat16 computation, and the running average that is saved."""

    def __init__(self, network, settings, ends=ENDS):
        self.network = network.to(device).float()
        self.half = copy.deepcopy(self.network).bfloat16()
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.batch, self.peak = settings["batch"], settings["rate"]
        self.rate = torch.zeros((), device=device)
        self.steps = 0
        self.masters = [p.data for p in self.network.parameters()]
        names = [f".{name}" for name, _ in self.network.named_parameters()]
        shapes = {}
        others = []
        for i, (name, p) in enumerate(zip(names, self.masters)):
            matrix = p.ndim > 1 and not any(end in name for end in ends)
            (shapes.setdefault(p.shape, []) if matrix else others).append(i)
        self.alike, self.others = list(shapes.values()), others
        self.momenta = {i: torch.zeros_like(self.masters[i]) for group in self.alike for i in group}
        adjusted = [torch.nn.Parameter(self.masters[i]) for i in others]
        self.adamw = torch.optim.AdamW(
            adjusted, self.rate.clone(), betas=(0.9, 0.99), weight_decay=WEIGHT_DECAY, capturable=cuda
        )

    def step(self, loss):
        loss.backward()
        halves = list(self.half.parameters())
        gradients = [p.grad.float() for p in halves]
        for p in halves:
            p.grad = None
        length = torch.stack(torch._foreach_norm(gradients)).norm()
        torch._foreach_mul_(gradients, (CLIP / length).clamp(max=1))
        with torch.no_grad():
            for group in self.alike:
                self.muon(group, [gradients[i] for i in group])
            self.adamw.param_groups[0]["lr"].copy_(self.rate / 2)
            for i, p in zip(self.others, self.adamw.param_groups[0]["params"]):
                p.grad = gradients[i]
            self.adamw.step()
            torch._foreach_copy_(halves, self.masters)

    def muon(self, group, gradients):
        """torch.optim.Muon, also for kernels as matrices with a row per output; equal shapes are batched."""
        momenta, values = [self.momenta[i] for i in group], [self.masters[i] for i in group]
        torch._foreach_lerp_(momenta, gradients, 0.05)
        x = torch.stack(torch._foreach_lerp(gradients, momenta, 0.95)).flatten(2).bfloat16()
        length = 0.2 * math.sqrt(max(x.shape[1:]))
        tall = x.size(1) > x.size(2)
        x = x.mT if tall else x
        x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
        for _ in range(5):
            a = x @ x.mT
            x = 3.4445 * x + (-4.775 * a + 2.0315 * a @ a) @ x
        x = (x.mT if tall else x).float() * (self.rate * length)
        torch._foreach_mul_(values, 1 - self.rate * WEIGHT_DECAY)
        torch._foreach_sub_(values, [change.reshape(value.shape) for change, value in zip(x, values)])

    def blend(self, steps):
        """Updates the running average after that many more steps."""
        self.steps += steps
        decay = min(AVERAGING, (self.steps + 1) / (self.steps + 10)) ** steps
        torch._foreach_lerp_([p.data for p in self.average.parameters()], self.masters, 1 - decay)


def repeated(step):
    """Captures a step as one CUDA graph, to avoid launch overhead of many small kernels."""
    if not cuda:
        return step
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        step()
    return graph.replay


def learn(name, minutes, learner, objective, rows_of, judge):
    """Trains for that long: a short warm-up, a constant learning rate, then a decay to 0 in the second half."""
    rows = torch.zeros(learner.batch, dtype=torch.long, device=device)
    errors = torch.zeros((), device=device)

    def one():
        loss, error = objective(rows)
        learner.step(loss)
        errors.add_(error.detach())

    rows.copy_(rows_of(learner.batch))
    run = repeated(one)
    every = 20 if cuda else 2
    began = said = time.time()
    steps = 0
    try:
        while (share := (time.time() - began) / (60 * minutes)) < 1:
            learner.rate.fill_(learner.peak * min(1, (steps + 1) / 100, 2 * (1 - share)))
            errors.zero_()
            for _ in range(every):
                rows.copy_(rows_of(learner.batch))
                run()
            learner.blend(every)
            steps += every
            error = errors.item() / every
            if time.time() - said > 20:
                said = time.time()
                speed = steps * learner.batch / (said - began)
                print(f"{name}: step {steps}, {100 * share:.0f} %, error {error:.5f}, {judge()}, {speed:.0f} a second", flush=True)
    except KeyboardInterrupt:
        print(f"{name}: interrupted")
    print(f"{name}: {steps} steps of {learner.batch}, {judge()}", flush=True)


def write(network, folder):
    """Writes the average in float16, with the tensors in the file's order."""
    weights = model / folder / "diffusion_pytorch_model.safetensors"
    with safe_open(weights, "pt") as file:
        order = list(file.keys())
    state = network.state_dict()
    save_file({name: state[name].half().contiguous() for name in order}, f"{weights}.part", metadata={"format": "pt"})
    os.chmod(f"{weights}.part", 0o644)
    os.replace(f"{weights}.part", weights)


def train_vae(minutes, pictures):
    learner = Learner(AutoencoderKL.from_pretrained(model / "vae").to(memory_format=torch.channels_last), VAE)
    before = copy.deepcopy(learner.half).requires_grad_(False)
    held_out = planes(parts(drawn("held-out", 0, HELD_OUT).stdout.read())[0].to(device))

    def objective(rows):
        picture = planes(pictures.pixels[rows])
        x = picture.bfloat16()
        with torch.no_grad():
            anchor = before.encode(x).latent_dist.mean
        latents = learner.half.encode(x).latent_dist.mean
        deviation = NOISE * torch.rand(len(x), 1, 1, 1, device=device, dtype=x.dtype)
        y = learner.half.decode(latents + deviation * torch.randn_like(latents)).sample
        error = (y.float() - picture).square().mean()
        return error + ANCHOR * (latents.float() - anchor.float()).square().mean(), error

    def rows_of(batch):
        pictures.take(wait=pictures.count == 0)
        return torch.randint(pictures.filled, (batch,), device=device)

    @torch.no_grad()
    def judge():
        error = 0.0
        for x in held_out.split(50):
            y = learner.average.decode(learner.average.encode(x).latent_dist.mean).sample
            error += (y.clamp(-1, 1) - x).square().mean((1, 2, 3)).sum().item()
        return f"PSNR {10 * math.log10(4 * HELD_OUT / error):.2f} dB of {pictures.count} pictures"

    learn("vae", minutes, learner, objective, rows_of, judge)
    # The latents' variance was not trained: keep it constant from here on.
    with torch.no_grad():
        learner.average.quant_conv.weight[CHANNELS :] = 0
        learner.average.quant_conv.bias[CHANNELS :] = VARIANCE
    write(learner.average, "vae")


@torch.no_grad()
def encoded(pixels):
    """Mean latents [count, 4, 16, 16]."""
    vae = AutoencoderKL.from_pretrained(model / "vae").to(device).bfloat16()
    return torch.cat([vae.encode(planes(part).bfloat16()).latent_dist.mean for part in pixels.split(500)])


@torch.no_grad()
def states_of(ids):
    """The distinct captions' states [texts, 77, width], the empty caption's last, and each caption's index."""
    text = CLIPTextModel.from_pretrained(model / "text_encoder").to(device).float()
    # Begin token, padded with end tokens.
    empty = torch.cat([ids[:1, :1], ids[:1, -1:].expand(1, IDS - 1)], 1)
    distinct, which = torch.unique(ids, dim=0, return_inverse=True)
    texts = torch.cat([distinct, empty]).long()
    return torch.cat([text(part).last_hidden_state.bfloat16() for part in texts.split(1000)]), which


def train_unet(minutes, pictures):
    learner = Learner(UNet2DConditionModel.from_pretrained(model / "unet").to(memory_format=torch.channels_last), UNET)
    while pictures.filled < CAPACITY:
        pictures.take(wait=True)
    means = encoded(pictures.pixels)
    states, which = states_of(pictures.ids)
    print(f"unet: {len(means)} pictures, {len(states) - 1} captions", flush=True)
    kept = DDIMScheduler.from_pretrained(model / "scheduler").alphas_cumprod.to(device)
    held = min(2048, CAPACITY // 8)

    def noised(rows, generator=None):
        random = {"device": device, "generator": generator}
        clean = means[rows].float()
        clean = clean + math.exp(VARIANCE / 2) * torch.randn(clean.shape, **random)
        timesteps = (len(kept) * torch.sigmoid(LOGIT + torch.randn(len(rows), **random))).long().clamp(max=len(kept) - 1)
        share = kept[timesteps][:, None, None, None]
        noise = torch.randn(clean.shape, **random)
        text = which[rows].masked_fill(torch.rand(len(rows), **random) < DROPOUT, len(states) - 1)
        latents = share.sqrt() * clean + (1 - share).sqrt() * noise
        return latents.bfloat16(), timesteps, states[text], share.sqrt() * noise - (1 - share).sqrt() * clean

    def error_of(network, latents, timesteps, text, target):
        return (network(latents, timesteps, text).sample.float() - target).square().mean()

    def objective(rows):
        error = error_of(learner.half, *noised(rows))
        return error, error

    def rows_of(batch):
        return torch.randint(held, CAPACITY, (batch,), device=device)

    @torch.no_grad()
    def judge():
        """The error on held-out pictures."""
        generator = torch.Generator(device).manual_seed(0)
        average = copy.deepcopy(learner.average).bfloat16()
        batches = torch.arange(held, device=device).split(256)
        error = sum(len(rows) * error_of(average, *noised(rows, generator)).item() for rows in batches)
        return f"held-out error {error / held:.5f}"

    print(f"unet: before, {judge()}", flush=True)
    learn("unet", minutes, learner, objective, rows_of, judge)
    write(learner.average, "unet")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--vae", type=float, default=5, help="minutes for the autoencoder, 0 for none")
    arguments.add_argument("--unet", type=float, default=5, help="minutes for the U-Net, 0 for none")
    options = arguments.parse_args()
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    pictures = Pictures()
    if options.vae:
        train_vae(options.vae, pictures)
    if options.unet:
        train_unet(options.unet, pictures)


if __name__ == "__main__":
    main()
