"""Times steps of Diffusers for bench/size.js; prints one JSON line.

Families differ in the pipeline class only: the pipeline's own encode_prompt, transformer or U-Net and scheduler are called in the loop
below. The text encoder is deleted once the prompts are encoded.
"""
import argparse
import gc
import json
import resource
import time

import torch
from diffusers import DiffusionPipeline

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--dtype")
parser.add_argument("--guidance")
parser.add_argument("--side", type=int)
parser.add_argument("--steps", type=int)
parser.add_argument("--start", type=float)
asked = parser.parse_args()
dtype = getattr(torch, asked.dtype)
prompt, s, s_ag, omega = "a photo of a cat in a santa hat", 4.5, 2.0, 0.6
pipe = DiffusionPipeline.from_pretrained(asked.folder, torch_dtype=dtype)
pipe.load_lora_weights(asked.folder, weight_name="lora.safetensors", adapter_name="subject")
kind = type(pipe).__name__
network = pipe.transformer if kind == "SanaPipeline" else pipe.unet
if dtype == torch.bfloat16 and kind != "SanaPipeline":
    network.to(memory_format=torch.channels_last)
done = []

with torch.no_grad():
    more = {}
    if kind == "SanaPipeline":
        cond, cond_mask, null, null_mask = pipe.encode_prompt(prompt, True, "", device="cpu", complex_human_instruction=None)
        shape = (1, network.config.in_channels, asked.side // 32, asked.side // 32)
        masks = {"cond": cond_mask, "null": null_mask}
    elif kind == "StableDiffusionXLPipeline":
        cond, null, pooled, null_pooled = pipe.encode_prompt(prompt, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=True)
        ids = torch.tensor([[asked.side, asked.side, 0, 0, asked.side, asked.side]], dtype=dtype)
        pooleds = {"cond": pooled, "null": null_pooled}
        shape = (1, 4, asked.side // 8, asked.side // 8)
    else:
        cond, null = pipe.encode_prompt(prompt, "cpu", 1, True, "")
        shape = (1, 4, asked.side // 8, asked.side // 8)
    texts = {"cond": cond.to(dtype), "null": null.to(dtype)}
    for name in ("text_encoder", "text_encoder_2"):
        if getattr(pipe, name, None) is not None:
            setattr(pipe, name, None)
    gc.collect()
    latents = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    pipe.scheduler.set_timesteps(asked.steps)
    latents = latents * pipe.scheduler.init_noise_sigma

    def run(x, t, names, strength):
        network.set_adapters(["subject"], [strength])
        x, text = torch.cat([x] * len(names)), torch.cat([texts[name] for name in names])
        t = torch.as_tensor(t).expand(len(names))
        if kind == "SanaPipeline":
            mask = torch.cat([masks[name] for name in names])
            return network(x, encoder_hidden_states=text, encoder_attention_mask=mask, timestep=t).sample.chunk(len(names))
        if kind == "StableDiffusionXLPipeline":
            added = {"text_embeds": torch.cat([pooleds[name] for name in names]), "time_ids": ids.repeat(len(names), 1)}
            return network(x, t, encoder_hidden_states=text, added_cond_kwargs=added).sample.chunk(len(names))
        return network(x, t, encoder_hidden_states=text).sample.chunk(len(names))

    for t in pipe.scheduler.timesteps:
        x = pipe.scheduler.scale_model_input(latents, t)
        if asked.guidance == "pg":  # two strengths cannot share a batch in PEFT
            (strong,), (weak,) = run(x, t, ["cond"], 1.0), run(x, t, ["null"], omega)
            e = weak + s * (strong - weak)
        else:
            weak, strong = run(x, t, ["null", "cond"], 1.0)
            e = weak + s * (strong - weak)
            if asked.guidance == "cfg+ag":
                e = e + (s_ag - 1) * (strong - run(x, t, ["cond"], 0.0)[0])
        latents = pipe.scheduler.step(e, t, latents, return_dict=False)[0].to(dtype)
        done.append(time.time() - asked.start)

steps = [after - before for before, after in zip(done, done[1:])]
print(json.dumps({"first": done[0], "steps": steps, "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
