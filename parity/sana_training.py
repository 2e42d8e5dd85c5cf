"""Losses, gradients and AdamW steps of a SANA LoRA, by PEFT and PyTorch's autograd on the tiny pipeline of sana_pictures.py.

    python parity/sana_training.py

writes parity/fixtures/sana-pipeline/training-<case>.safetensors. The objective is that of Diffusers' script
train_dreambooth_lora_sana.py: uniform u on the scheduler that it builds, whose shift is 1.0.
"""

import json
from pathlib import Path

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, SanaPipeline
from peft import LoraConfig
from safetensors.torch import save_file

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
OUT = Path(__file__).parent / "fixtures" / "sana-pipeline"

STEPS, HEIGHT, WIDTH, RANK, RATE = 10, 16, 16, 4, 2e-3
CASES = {
    "dreambooth": {"batch": 2, "alpha": 8},
    # Instance and class prompts have different lengths.
    "dreambooth-prior": {"batch": 1, "alpha": 4, "prior": 0.7},
}
PROMPTS = {"instance": "a photo of sks dog in the snow", "class": "a photo of dog"}


def make(name, case, index):
    pipe = SanaPipeline.from_pretrained(OUT / "model", dtype=torch.float32)
    scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(OUT / "model" / "scheduler")
    assert scheduler.shift == 1.0
    transformer = pipe.transformer.requires_grad_(False)
    transformer.add_adapter(LoraConfig(r=RANK, lora_alpha=case["alpha"], target_modules=["to_q", "to_k", "to_v"]))
    generator = torch.Generator().manual_seed(200 + index)
    trained = {}
    for key, parameter in transformer.named_parameters():
        if ".lora_" in key:
            module, factor = key.split(".lora_")
            spread = 1 / RANK if factor[0] == "A" else 0.05
            parameter.data = torch.randn(parameter.shape, generator=generator) * spread
            trained[f"{module}.{'down' if factor[0] == 'A' else 'up'}"] = parameter
    with torch.no_grad():
        texts = {who: pipe.encode_prompt(text, False)[:2] for who, text in PROMPTS.items()}

    batch, count = case["batch"], case["batch"] * (2 if "prior" in case else 1)
    who = ["instance"] * batch + ["class"] * (count - batch)
    states = torch.cat([texts[one][0] for one in who])
    mask = torch.cat([texts[one][1] for one in who])
    latents = torch.randn(STEPS, count, 4, HEIGHT, WIDTH, generator=generator)
    noise = torch.randn(STEPS, count, 4, HEIGHT, WIDTH, generator=generator)
    indices = (torch.rand(STEPS, count, generator=generator) * 1000).long()
    timesteps = scheduler.timesteps[indices]

    def loss_of(step):
        sigmas = scheduler.sigmas[indices[step]].reshape(-1, 1, 1, 1)
        noised = (1.0 - sigmas) * latents[step] + sigmas * noise[step]
        prediction = transformer(
            noised, encoder_hidden_states=states, encoder_attention_mask=mask, timestep=timesteps[step], return_dict=False
        )[0]
        error = ((prediction - (noise[step] - latents[step])) ** 2).mean([1, 2, 3])
        loss = error[:batch].mean()
        return loss + case["prior"] * error[batch:].mean() if "prior" in case else loss

    tensors = {"latents": latents, "noise": noise, "timesteps": timesteps.float(), "indices": indices.to(torch.int32)}
    for key, parameter in trained.items():
        tensors[f"initial {key}"] = parameter.detach().T.clone()
    optimizer = torch.optim.AdamW(trained.values(), lr=RATE, betas=(0.9, 0.999), weight_decay=1e-4, eps=1e-8)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(step)
        loss.backward()
        if step == 0:
            for key, parameter in trained.items():
                tensors[f"gradient {key}"] = parameter.grad.T.clone()
        norm = torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
        if step == 0:
            tensors["norm"] = norm.detach().reshape(1)
        optimizer.step()
        losses.append(loss.detach())
    tensors["losses"] = torch.stack(losses)
    for key, parameter in trained.items():
        tensors[f"final {key}"] = parameter.detach().T.clone()
    save_file({key: value.contiguous() for key, value in tensors.items()}, OUT / f"training-{name}.safetensors")
    print(f"{name:20} {len(trained)} tensors, loss {losses[0]:.4f} to {losses[-1]:.4f}, gradient {norm:.3f}")
    return {"name": name, "rank": RANK, "learningRate": RATE, "prompts": [PROMPTS[one] for one in who], **case}


if __name__ == "__main__":
    cases = [make(name, case, index) for index, (name, case) in enumerate(CASES.items())]
    (OUT / "training.json").write_text(json.dumps(cases, indent=2) + "\n")
