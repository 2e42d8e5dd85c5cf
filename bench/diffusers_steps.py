"""Times denoising steps of Diffusers on one model, in a separate process; prints one JSON line.

    python bench/diffusers_steps.py FOLDER none|cfg|pg|cfg+ag float32|bfloat16 STEPS START

START is the start time of the process (seconds since the epoch), so that imports and loading count.
"""
import json
import resource
import sys
import time

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline

folder, method, dtype, steps, start = *sys.argv[1:3], getattr(torch, sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, torch_dtype=dtype)
pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
pipe.load_lora_weights(folder, weight_name="lora.safetensors", adapter_name="subject")
pipe.set_progress_bar_config(disable=True)
if dtype == torch.bfloat16:
    pipe.unet.to(memory_format=torch.channels_last)
s, s_ag, omega = 7.5, 2.0, 0.6
done = []

with torch.no_grad():
    cond, null = pipe.encode_prompt("a photo of a cat in a santa hat", "cpu", 1, True, "")
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn((1, 4, 64, 64), generator=generator).to(dtype)
    pipe.scheduler.set_timesteps(steps)

    def run(x, t, text, strength):
        pipe.unet.set_adapters(["subject"], [strength])
        return pipe.unet(x, t, encoder_hidden_states=text).sample

    for t in pipe.scheduler.timesteps:
        if method == "none":
            e = run(latents, t, cond, 1.0)
        elif method == "cfg":
            e_null, e_cond = run(torch.cat([latents] * 2), t, torch.cat([null, cond]), 1.0).chunk(2)
            e = e_null + s * (e_cond - e_null)
        elif method == "pg":  # two strengths cannot share a batch in PEFT
            e_cond, e_weak = run(latents, t, cond, 1.0), run(latents, t, null, omega)
            e = e_weak + s * (e_cond - e_weak)
        else:
            e_null, e_cond = run(torch.cat([latents] * 2), t, torch.cat([null, cond]), 1.0).chunk(2)
            e_base = run(latents, t, cond, 0.0)
            e = e_cond + (s - 1) * (e_cond - e_null) + (s_ag - 1) * (e_cond - e_base)
        latents = pipe.scheduler.step(e, t, latents).prev_sample
        done.append(time.time() - start)

print(json.dumps({"done": done, "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
