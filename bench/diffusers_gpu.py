"""Times Diffusers in float16 on a GPU; prints one JSON line: seconds per CFG step, and pictures per second.

    python bench/diffusers_gpu.py FOLDER cuda STEPS BATCH

Attention is PyTorch's scaled_dot_product_attention, Diffusers' default. On cpu it uses float32, for trying the script.
"""
import json
import statistics
import sys
import time

import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline

folder, device, steps, batch = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
cuda = device == "cuda"
dtype = torch.float16 if cuda else torch.float32
pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, torch_dtype=dtype).to(device)
pipe.scheduler = DPMSolverMultistepScheduler.from_config(pipe.scheduler.config)
pipe.set_progress_bar_config(disable=True)


def now():
    if cuda:
        torch.cuda.synchronize()
    return time.perf_counter()


def draw(count):
    """Seconds of each step after the first, and total seconds."""
    at = []

    def done(pipe, step, timestep, values):
        at.append(now())
        return values

    began = now()
    pipe("a cat in the snow", num_inference_steps=steps, num_images_per_prompt=count, output_type="np",
         generator=torch.Generator().manual_seed(1), callback_on_step_end=done)
    return [b - a for a, b in zip(at, at[1:])], now() - began


draw(1)  # warms up
each, _ = draw(1)
draw(batch)
_, whole = draw(batch)
print(json.dumps({"step": statistics.median(each), "rate": batch / whole}))
