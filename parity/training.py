"""Writes parity/fixtures/training: losses, gradients and AdamW steps of every training method, by PyTorch's autograd.

    python parity/training.py [FOLDER]

Networks are those of the tiny pipelines, in float32. A low-rank change is added to its linear layer by a forward hook, which
the first case checks against PEFT; learned tokens are rows appended to the text encoder's table.
"""

import json
import sys
from pathlib import Path

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from peft import LoraConfig
from safetensors.torch import save_file
from torch.nn.functional import cosine_similarity, mse_loss
from transformers import CLIPTextModel

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
here = Path(__file__).parent / "fixtures"
folder = Path(sys.argv[1]) if len(sys.argv) > 1 else here / "training"

STEPS, BATCH, SIDE, POSITIONS = 10, 2, 8, 77
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
TEXT = ("q_proj", "k_proj", "v_proj", "out_proj")

# What each case trains and minimises. Learning rates are high, so that ten steps have an effect.
CASES = {
    "dreambooth": {"pipeline": "sd15", "unet": True, "alpha": 8},
    "dreambooth-prior-text": {"pipeline": "sd15", "unet": True, "text": True, "prior": 0.7},
    "dreambooth-v": {"pipeline": "sd21-v", "unet": True},
    "dreambooth-snr": {"pipeline": "sd15", "unet": True, "snrGamma": 5},
    "dreambooth-v-snr": {"pipeline": "sd21-v", "unet": True, "snrGamma": 5},
    "dreambooth-ti": {"pipeline": "sd15", "unet": True, "vectors": 2},
    "textual-inversion": {"pipeline": "sd15", "vectors": 2},
    "custom-diffusion": {"pipeline": "sd15", "matrices": True, "vectors": 1, "mask": True, "prior": 1},
    "class-diffusion": {"pipeline": "sd15", "matrices": True, "vectors": 1, "mask": True, "semantic": 1},
    "full": {"pipeline": "sd15", "network": True},
    # As Diffusers' advanced DreamBooth script trains a token: a rate of its own, until a fraction of the steps, and drawn back after each.
    "dreambooth-ti-advanced": {
        "pipeline": "sd15", "unet": True, "vectors": 2, "textLearningRate": 5e-2, "textUntil": 0.55, "retract": True,
    },
    "dreambooth-text-until": {"pipeline": "sd15", "unet": True, "text": True, "textLearningRate": 2e-3, "textUntil": 0.3},
}
RANK = 4


class Model:
    def __init__(self, case, seed):
        root = here / "pipelines" / case["pipeline"]
        self.case = case
        self.unet = UNet2DConditionModel.from_pretrained(root / "unet").requires_grad_(False)
        self.text = CLIPTextModel.from_pretrained(root / "text_encoder").requires_grad_(False)
        self.scheduler = DDPMScheduler.from_pretrained(root / "scheduler")
        self.trained = {}
        random = torch.Generator().manual_seed(seed)
        if case.get("unet"):
            self.add_lora(self.unet, "", [n for n, _ in self.unet.named_modules() if n.endswith(ATTENTION)], random)
        if case.get("text"):
            # Newer Transformers drop the prefix that checkpoints and Tiller use.
            prefix = "" if any(n.startswith("text_model.") for n, _ in self.text.named_modules()) else "text_model."
            self.add_lora(self.text, prefix, [n for n, _ in self.text.named_modules() if n.endswith(TEXT)], random)
        if case.get("matrices"):
            for name, parameter in self.unet.named_parameters():
                if ".attn2.to_k." in name or ".attn2.to_v." in name:
                    self.trained[name] = parameter.requires_grad_(True)
        if case.get("network"):
            self.trained = {name: parameter.requires_grad_(True) for name, parameter in self.unet.named_parameters()}
        self.table = self.text.get_input_embeddings().weight
        if case.get("vectors"):
            rows = torch.randn(case["vectors"], self.table.shape[1], generator=random) * self.table.std()
            self.trained["learned"] = torch.nn.Parameter(rows)
        self.text.set_input_embeddings(Embedding(self))

    def add_lora(self, network, prefix, names, random):
        for name in names:
            layer = network.get_submodule(name)
            down = torch.randn(layer.in_features, RANK, generator=random) / RANK
            up = torch.randn(RANK, layer.out_features, generator=random) * 0.05
            down, up = torch.nn.Parameter(down), torch.nn.Parameter(up)
            scale = self.case.get("alpha", RANK) / RANK
            layer.register_forward_hook(lambda _, x, y, down=down, up=up: y + x[0] @ down @ up * scale)
            self.trained[f"{prefix}{name}.down"], self.trained[f"{prefix}{name}.up"] = down, up

    def loss(self, step):
        case, scheduler = self.case, self.scheduler
        noised = scheduler.add_noise(step["latents"], step["noise"], step["timesteps"])
        context = self.text(step["ids"])[0]
        prediction = self.unet(noised, step["timesteps"], context).sample
        if scheduler.config.prediction_type == "v_prediction":
            target = scheduler.get_velocity(step["latents"], step["noise"], step["timesteps"])
        else:
            target = step["noise"]
        if "prior" in case:
            (prediction, prior), (target, prior_target) = prediction.chunk(2), target.chunk(2)
        error = (prediction - target) ** 2
        if case.get("mask"):
            mask = step["mask"][:, None]
            loss = ((error * mask).sum([1, 2, 3]) / mask.sum([1, 2, 3])).mean()
        elif "snrGamma" in case:
            alpha = scheduler.alphas_cumprod[step["timesteps"]]
            snr = alpha / (1 - alpha)
            weight = snr.clamp(max=case["snrGamma"]) / (snr + (scheduler.config.prediction_type == "v_prediction"))
            loss = (error.mean([1, 2, 3]) * weight).mean()
        else:
            loss = error.mean()
        if "prior" in case:
            loss = loss + case["prior"] * mse_loss(prior, prior_target)
        if "semantic" in case:
            # The state of the first end token, after the final norm.
            states = self.text(step["pair"])[0]
            pooled = states[torch.arange(2), (step["pair"] == END).int().argmax(1)]
            loss = loss + case["semantic"] * (1 - cosine_similarity(pooled[0], pooled[1], dim=0))
        return loss


class Embedding(torch.nn.Module):
    """The text encoder's table with the learned rows appended."""

    def __init__(self, model):
        super().__init__()
        self.model = [model]

    def forward(self, ids):
        model = self.model[0]
        rows = [model.table] + ([model.trained["learned"]] if "learned" in model.trained else [])
        return torch.cat(rows)[ids]


END = 999  # set below: the tiny tokenizers' end token


def steps_of(case, vocabulary, random):
    """Ten batches; with a prior, class images follow instance images."""
    count = BATCH * (2 if "prior" in case else 1)
    latents = torch.randn(STEPS, count, 4, SIDE, SIDE, generator=random)
    noise = torch.randn(STEPS, count, 4, SIDE, SIDE, generator=random)
    timesteps = torch.randint(0, 1000, (STEPS, count), generator=random)

    def ids(learned):
        row = torch.full((POSITIONS,), END)
        words = torch.randint(5, 200, (6,), generator=random)
        row[0], row[1:7] = END - 1, words
        if learned:
            row[2 : 2 + case.get("vectors", 0)] = torch.arange(case.get("vectors", 0)) + vocabulary
        return row

    for i in range(STEPS):
        step = {"latents": latents[i], "noise": noise[i], "timesteps": timesteps[i]}
        step["ids"] = torch.stack([ids(j < BATCH) for j in range(count)])
        if case.get("mask"):
            mask = torch.zeros(BATCH, SIDE, SIDE)
            mask[0, 1:6, 2:7] = 1
            mask[1] = 1
            step["mask"] = mask
        if "semantic" in case:
            step["pair"] = torch.stack([ids(True), ids(False)])
        yield step


def check_against_peft(model, step):
    """Checks that the hook gives the same output, loss and gradients as PEFT's layer."""
    reference = UNet2DConditionModel.from_pretrained(here / "pipelines" / "sd15" / "unet").requires_grad_(False)
    reference.add_adapter(LoraConfig(r=RANK, lora_alpha=model.case["alpha"], target_modules=list(ATTENTION)))
    parameters = {}
    for name, parameter in reference.named_parameters():
        if ".lora_" in name:
            module, factor = name.split(".lora_")
            ours = model.trained[f"{module}.{'down' if factor[0] == 'A' else 'up'}"]
            parameter.data = ours.data.T.clone()
            parameters[name] = (parameter, ours)
    noised = model.scheduler.add_noise(step["latents"], step["noise"], step["timesteps"])
    loss = mse_loss(reference(noised, step["timesteps"], model.text(step["ids"])[0]).sample, step["noise"])
    loss.backward()
    ours = model.loss(step)
    ours.backward()
    assert torch.allclose(loss, ours, rtol=1e-6), (loss, ours)
    for name, (theirs, mine) in parameters.items():
        assert torch.allclose(theirs.grad.T, mine.grad, rtol=1e-3, atol=1e-6), name
    for parameter in model.trained.values():
        parameter.grad = None


def make(name, case, index):
    global END
    model = Model(case, seed=index)
    config = model.text.config
    END = config.eos_token_id if config.eos_token_id > 2 else config.vocab_size - 1
    steps = list(steps_of(case, config.vocab_size, torch.Generator().manual_seed(100 + index)))
    if name == "dreambooth":
        check_against_peft(model, steps[0])
    tensors = {}
    for key in steps[0]:
        stacked = torch.stack([step[key] for step in steps])
        tensors[key] = stacked.to(torch.int32) if stacked.dtype == torch.int64 else stacked
    # A whole network begins as it is in its pipeline.
    for key, parameter in [] if case.get("network") else model.trained.items():
        tensors[f"initial {key}"] = parameter.detach().clone()
    rate = 1e-3 if case.get("matrices") or case.get("network") else 1e-2
    of_text = [key for key in model.trained if key == "learned" or key.startswith("text_model.")]
    groups = [
        {"params": [value for key, value in model.trained.items() if key not in of_text]},
        {"params": [model.trained[key] for key in of_text], "lr": case.get("textLearningRate", rate)},
    ]
    optimizer = torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=rate, betas=(0.9, 0.999), weight_decay=1e-2, eps=1e-8
    )
    losses = []
    for i, step in enumerate(steps):
        if i >= case.get("textUntil", 1) * STEPS:
            optimizer.param_groups[1]["lr"] = 0.0
        optimizer.zero_grad()
        loss = model.loss(step)
        loss.backward()
        if i == 0:
            for key, parameter in model.trained.items():
                tensors[f"gradient {key}"] = parameter.grad.clone()
        norm = torch.nn.utils.clip_grad_norm_(model.trained.values(), 1.0)
        if i == 0:
            tensors["norm"] = norm.detach().reshape(1)
        optimizer.step()
        if case.get("retract"):
            with torch.no_grad():
                rows = model.trained["learned"]
                rows *= (model.table.std() / rows.std()) ** 0.1
        losses.append(loss.detach())
    tensors["losses"] = torch.stack(losses)
    for key, parameter in model.trained.items():
        tensors[f"final {key}"] = parameter.detach().clone()
    save_file({key: value.contiguous() for key, value in tensors.items()}, folder / f"{name}.safetensors")
    print(f"{name:24} {len(model.trained):4} tensors, loss {losses[0]:.4f} to {losses[-1]:.4f}, gradient {norm:.3f}")
    return {"name": name, "rank": RANK, "learningRate": rate, "end": END, **case}


folder.mkdir(parents=True, exist_ok=True)
cases = [make(name, case, index) for index, (name, case) in enumerate(CASES.items())]
(folder / "cases.json").write_text(json.dumps(cases, indent=2) + "\n")
