"""Times training steps of Diffusers on one model, in a separate process; prints one JSON line.

    python bench/diffusers_training.py FOLDER plain|checkpointed|cached|cached-bfloat16 STEPS START

What a step does is what examples/dreambooth/train_dreambooth_lora.py does by default: the picture through the autoencoder,
the prompt through the text encoder, noise, U-Net, backward, clipping, AdamW. In the cached modes picture and prompt are
encoded once; cached-bfloat16 has all weights in bfloat16 as well. START is the time the process was started at
(seconds since the epoch), so that imports and loading count.
"""

import json
import resource
import sys
import time

import torch
from diffusers import DDPMScheduler, StableDiffusionPipeline
from peft import LoraConfig

folder, mode, steps, start = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
scheduler = DDPMScheduler.from_config(pipe.scheduler.config)
for part in (pipe.vae, pipe.text_encoder, pipe.unet):
    part.requires_grad_(False)
pipe.unet.add_adapter(
    LoraConfig(r=4, lora_alpha=4, init_lora_weights="gaussian", target_modules=["to_k", "to_q", "to_v", "to_out.0"])
)
pipe.unet.train()
cached = mode.startswith("cached")
if mode == "cached-bfloat16":
    pipe.to(torch.bfloat16)
if mode == "checkpointed":
    pipe.unet.enable_gradient_checkpointing()
trained = [p for p in pipe.unet.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(trained, lr=1e-4, betas=(0.9, 0.999), weight_decay=1e-2, eps=1e-8)
picture = torch.zeros(1, 3, 512, 512, dtype=pipe.unet.dtype)
ids = pipe.tokenizer("a sks cat", padding="max_length", truncation=True, return_tensors="pt").input_ids
done = []


def encoded():
    return pipe.vae.encode(picture).latent_dist.sample() * pipe.vae.config.scaling_factor, pipe.text_encoder(ids)[0]


with torch.no_grad():
    once = encoded() if cached else None
for _ in range(steps):
    latents, text = once or encoded()
    noise = torch.randn_like(latents)
    t = torch.randint(0, scheduler.config.num_train_timesteps, (1,))
    prediction = pipe.unet(scheduler.add_noise(latents, noise, t), t, text).sample
    torch.nn.functional.mse_loss(prediction, noise).backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    optimizer.zero_grad()
    done.append(time.time() - start)

print(json.dumps({"done": done, "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
