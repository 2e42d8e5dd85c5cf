"""Losses, gradients and AdamW steps of an SDXL LoRA, by PEFT and PyTorch's autograd on the tiny pipeline of sdxl_pictures.py.

    python parity/sdxl_training.py

writes parity/fixtures/sdxl-pipeline/training-<case>.safetensors. The objective is that of Diffusers' script
train_dreambooth_lora_sdxl.py: uniform timesteps, text states and pooled text of both encoders, and sizes and crop per picture.
"""

import json
from pathlib import Path

import torch
from diffusers import DDPMScheduler, StableDiffusionXLPipeline
from peft import LoraConfig, inject_adapter_in_model
from safetensors.torch import save_file

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
OUT = Path(__file__).parent / "fixtures" / "sdxl-pipeline"

STEPS, SIDE, RANK, RATE = 10, 16, 2, 2e-3
CASES = {
    "dreambooth-prior": {"batch": 1, "alpha": 4, "prior": 0.7, "prediction": "v_prediction"},
    "dreambooth-text": {"batch": 1, "alpha": 4, "text": True},
    "dreambooth-ti": {"batch": 1, "alpha": 4, "vectors": 2},
}
PROMPTS = {"instance": "a photo of sks dog in the snow", "class": "a photo of dog"}
LEARNED = ["<new1>", "<new2>"]
# [original height, original width, crop top, crop left, side, side]
SIZES = [[1200, 900, 40, 0, 256, 256], [480, 720, 0, 64, 256, 256]]


def make(name, case, index):
    pipe = StableDiffusionXLPipeline.from_pretrained(OUT / "model", dtype=torch.float32)
    scheduler = DDPMScheduler.from_config(
        pipe.scheduler.config, prediction_type=case.get("prediction", pipe.scheduler.config.prediction_type)
    )
    encoders = [(pipe.tokenizer, pipe.text_encoder, "text_encoder"), (pipe.tokenizer_2, pipe.text_encoder_2, "text_encoder_2")]
    for network in (pipe.unet, pipe.text_encoder, pipe.text_encoder_2):
        network.requires_grad_(False)
    generator = torch.Generator().manual_seed(300 + index)
    trained = {}

    def adapt(network, component, targets):
        inject_adapter_in_model(LoraConfig(r=RANK, lora_alpha=case["alpha"], target_modules=targets), network)
        for key, parameter in network.named_parameters():
            if ".lora_" not in key:
                continue
            module, factor = key.split(".lora_")
            # The last layer of the first encoder is not used.
            if component == "text_encoder" and "layers.2." in module:
                continue
            if component != "unet" and not module.startswith("text_model."):
                module = f"text_model.{module}"
            spread = 1 / RANK if factor[0] == "A" else 0.05
            parameter.data = torch.randn(parameter.shape, generator=generator) * spread
            trained[f"{component}:{module}.{'down' if factor[0] == 'A' else 'up'}"] = parameter

    adapt(pipe.unet, "unet", ["to_q", "to_k", "to_v", "to_out.0"])
    if case.get("text"):
        for _, network, component in encoders:
            adapt(network, component, ["q_proj", "k_proj", "v_proj", "out_proj"])
    if "vectors" in case:
        for (tokenizer, network, _), key in zip(encoders, ["learned", "learned_2"]):
            tokenizer.add_tokens(LEARNED)
            table = network.get_input_embeddings()
            rows = torch.nn.Parameter(torch.randn(case["vectors"], table.weight.shape[1], generator=generator) * 0.02)
            trained[key] = rows
            table.forward = lambda ids, rows=rows, table=table: torch.nn.functional.embedding(ids, torch.cat([table.weight, rows]))

    def encoded(prompt):
        states = []
        for tokenizer, network, component in encoders:
            ids = tokenizer(prompt, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
            out = network(ids, output_hidden_states=True)
            states.append(out.hidden_states[-2])
            if component == "text_encoder_2":
                # The first end token: the largest id is not the end once tokens are learned.
                end = (ids[0] == tokenizer.eos_token_id).int().argmax()
                pooled = network.text_projection(out.last_hidden_state[:, end])
        return torch.cat(states, -1), pooled

    batch, count = case["batch"], case["batch"] * (2 if "prior" in case else 1)
    who = ["instance"] * batch + ["class"] * (count - batch)
    prompts = [PROMPTS[one] for one in who]
    written = [prompt.replace("sks", "".join(LEARNED)) for prompt in prompts] if "vectors" in case else prompts
    sizes = SIZES[:count]
    latents = torch.randn(STEPS, count, 4, SIDE, SIDE, generator=generator)
    noise = torch.randn(STEPS, count, 4, SIDE, SIDE, generator=generator)
    timesteps = torch.randint(1000, (STEPS, count), generator=generator)

    def loss_of(step):
        texts = [encoded(prompt) for prompt in written]
        states, pooled = (torch.cat(parts) for parts in zip(*texts))
        noised = scheduler.add_noise(latents[step], noise[step], timesteps[step])
        added = {"text_embeds": pooled, "time_ids": torch.tensor(sizes, dtype=torch.float32)}
        prediction = pipe.unet(noised, timesteps[step], states, added_cond_kwargs=added).sample
        velocity = case.get("prediction") == "v_prediction"
        target = scheduler.get_velocity(latents[step], noise[step], timesteps[step]) if velocity else noise[step]
        error = ((prediction - target) ** 2).mean([1, 2, 3])
        loss = error[:batch].mean()
        return loss + case["prior"] * error[batch:].mean() if "prior" in case else loss

    turned = lambda key, value: value if key.startswith("learned") else value.T
    tensors = {"latents": latents, "noise": noise, "timesteps": timesteps.float()}
    for key, parameter in trained.items():
        tensors[f"initial {key}"] = turned(key, parameter.detach()).clone()
    optimizer = torch.optim.AdamW(trained.values(), lr=RATE, betas=(0.9, 0.999), weight_decay=1e-4, eps=1e-8)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(step)
        loss.backward()
        if step == 0:
            for key, parameter in trained.items():
                tensors[f"gradient {key}"] = turned(key, parameter.grad).clone()
        norm = torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
        if step == 0:
            tensors["norm"] = norm.detach().reshape(1)
        optimizer.step()
        losses.append(loss.detach())
    tensors["losses"] = torch.stack(losses)
    for key, parameter in trained.items():
        tensors[f"final {key}"] = turned(key, parameter.detach()).clone()
    save_file({key: value.contiguous() for key, value in tensors.items()}, OUT / f"training-{name}.safetensors")
    print(f"{name:20} {len(trained)} tensors, loss {losses[0]:.4f} to {losses[-1]:.4f}, gradient {norm:.3f}")
    return {"name": name, "rank": RANK, "learningRate": RATE, "prompts": prompts, "sizes": sizes, **case}


if __name__ == "__main__":
    cases = [make(name, case, index) for index, (name, case) in enumerate(CASES.items())]
    (OUT / "training.json").write_text(json.dumps(cases, indent=2) + "\n")
