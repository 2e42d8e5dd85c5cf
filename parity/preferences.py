"""Writes parity/fixtures/preferences: tiny networks in the forms of PickScore and DreamSim, and scores of pictures.

    python parity/preferences.py [FOLDER]

PickScore's network is a CLIPModel with the H's particulars: `gelu`, an image size that its patches do not divide, a
0-dimensional `logit_scale`. DreamSim's are written anew here from its definition, with PEFT's own LoRA, and stored as
its checkpoints v0.2.0 are: `torch.save` files with a `state_dict`, and PEFT's adapter folders. Run it after encoders.py,
whose pictures it measures.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTextConfig, CLIPTokenizer, CLIPVisionConfig

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
fixtures = Path(__file__).parent / "fixtures"
folder = Path(sys.argv[1]) if len(sys.argv) > 1 else fixtures / "preferences"
pictures = [Image.open(file).convert("RGB") for file in sorted((fixtures / "encoders" / "pictures").glob("*.png"))]
texts = ["a dog in snow", "a red clock"]


def randomise(model, scale):
    """Weights that let features depend on the input; norms near 1. In half precision, to keep the files small."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.randn_like(parameter) * scale)
            if "norm" in name and name.endswith("weight") or name.endswith("pos_drop.weight"):
                parameter.add_(1)
            parameter.copy_(parameter.half().float())
    return model.eval()


# PickScore
torch.manual_seed(1)
text = CLIPTextConfig(
    hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, hidden_act="gelu",
    vocab_size=54, max_position_embeddings=20, bos_token_id=0, eos_token_id=2, projection_dim=10,
)  # fmt: skip
vision = CLIPVisionConfig(
    hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=3, hidden_act="gelu",
    image_size=28, patch_size=14, projection_dim=10,
)  # fmt: skip
clip = randomise(CLIPModel(CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=10)), 0.2)
with torch.no_grad():
    clip.logit_scale.fill_(4.6)
    clip.half().float()
home = folder / "pickscore"
clip.half().save_pretrained(home)
clip.float()
letters = [chr(ord("a") + i) for i in range(26)]
vocabulary = {token: i for i, token in enumerate([*letters, *(f"{letter}</w>" for letter in letters)])}
(home / "vocab.json").write_text(json.dumps({**vocabulary, "<|startoftext|>": 52, "<|endoftext|>": 53}))
(home / "merges.txt").write_text("#version: 0.2\n")
processor = CLIPImageProcessor(size={"shortest_edge": 28}, crop_size=28)
processor.save_pretrained(home)
tokenizer = CLIPTokenizer.from_pretrained(home, model_max_length=20)
with torch.no_grad():
    seen = clip.get_image_features(**processor(images=pictures, return_tensors="pt")).pooler_output
    # Padded to the longest and with its mask, as PickScore's model card does.
    words = clip.get_text_features(
        **tokenizer(texts, padding=True, truncation=True, max_length=20, return_tensors="pt")
    ).pooler_output
seen, words = (x / x.norm(dim=-1, keepdim=True) for x in (seen, words))
pickscore = (clip.logit_scale.exp() * words @ seen[2:].T).diag().tolist()


# DreamSim
class Block(nn.Module):
    def __init__(self, width, wide, eps, act):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=eps), nn.LayerNorm(width, eps=eps)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, wide), "fc2": nn.Linear(wide, width)})
        self.act = act

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.attn["qkv"](self.norm1(x)).reshape(b, n, 3, c // 64, 64).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) / 8).softmax(-1)
        x = x + self.attn["proj"]((weights @ v).transpose(1, 2).reshape(b, n, c))
        return x + self.mlp["fc2"](self.act(self.mlp["fc1"](self.norm2(x))))


class Transformer(nn.Module):
    """timm's names. `pre` has a norm before the blocks, as a CLIP does."""

    def __init__(self, width, wide, layers, patch, grid, eps, act, pre):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + grid * grid, width))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, patch, patch)})
        self.pos_drop = nn.LayerNorm(width, eps=eps) if pre else nn.Identity()
        self.blocks = nn.ModuleList([Block(width, wide, eps, act) for _ in range(layers)])
        self.norm = nn.LayerNorm(width, eps=eps)

    def forward(self, picture):
        x = self.patch_embed["proj"](picture).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        x = self.pos_drop(x)
        for block in self.blocks:
            x = block(x)
        return x[:, 0], self.norm(x)[:, 0]


class Extractor(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model


class Ensemble(nn.Module):
    def __init__(self, models):
        super().__init__()
        self.extractor_list = nn.ModuleList([Extractor(model) for model in models])


quick = lambda x: x * torch.sigmoid(1.702 * x)
exact = nn.functional.gelu
imagenet = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
clips = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
torch.manual_seed(2)
dino = randomise(Transformer(128, 32, 1, 4, 4, 1e-6, exact, False), 0.15)
clip16 = randomise(Transformer(64, 48, 2, 6, 3, 1e-5, quick, True), 0.15)
open16 = randomise(Transformer(64, 48, 2, 6, 3, 1e-5, exact, True), 0.15)
proj = [(torch.randn(64, 12) * 0.6).half() for _ in range(2)]
home = folder / "dreamsim"
(home / "checkpoints").mkdir(parents=True, exist_ok=True)
halves = lambda model: {name: tensor.half() for name, tensor in model.state_dict().items()}
torch.save(halves(dino), home / "checkpoints" / "dino_vitbase16_pretrain.pth")
for name, model, p in (("clip_vitb16", clip16, proj[0]), ("open_clip_vitb16", open16, proj[1])):
    torch.save({"state_dict": {**halves(model), "proj": p}}, home / f"{name}_pretrain.pth.tar")
# A single branch shares its form; it has another patch size, and is stored as safetensors.
clip32 = randomise(Transformer(64, 32, 2, 8, 2, 1e-5, quick, True), 0.12)
proj32 = (torch.randn(64, 12) * 0.2).half()
save_file({**halves(clip32), "proj": proj32}, home / "clip_vitb32_pretrain.safetensors")


def adapted(models, r, alpha, name):
    """The models with PEFT's LoRA on `qkv`, whose folder is written."""
    peft = get_peft_model(Ensemble(models), LoraConfig(r=r, lora_alpha=alpha, target_modules=["qkv"], bias="none"))
    with torch.no_grad():
        for key, parameter in peft.named_parameters():
            if "lora_" in key:
                parameter.copy_((torch.randn_like(parameter) * 0.3).half().float())
    peft.eval().save_pretrained(home / name)
    (home / name / "README.md").unlink()
    return [extractor.model for extractor in peft.base_model.model.extractor_list]


def features(branches):
    parts = []
    for model, (mean, std), size, p in branches:
        # torchvision's Resize of a PIL picture is PIL's.
        squares = np.stack([np.asarray(one.resize((size, size), Image.BICUBIC)) for one in pictures])
        planes = torch.from_numpy(squares).permute(0, 3, 1, 2).float() / 255
        planes = (planes - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
        with torch.no_grad():
            state, normed = model(planes)
        parts.append(state if p is None else normed @ p.float())
    joined = torch.cat(parts, -1)
    joined = joined / joined.norm(dim=1, keepdim=True)
    return joined - joined.mean(dim=1, keepdim=True)


def distances(branches):
    """Of the last two pictures: the mean over the first two."""
    own = features(branches)
    return [
        (1 - nn.functional.cosine_similarity(own[2 + i][None], own[:2], dim=-1)).mean().item() for i in range(2)
    ]


plain = distances([(dino, imagenet, 16, None), (clip16, clips, 18, proj[0]), (open16, clips, 18, proj[1])])
a, b, c = adapted([dino, clip16, open16], 4, 8, "ensemble_lora")
ensemble = distances([(a, imagenet, 16, None), (b, clips, 18, proj[0]), (c, clips, 18, proj[1])])
assert all(abs(x - y) > 0.003 for x, y in zip(plain, ensemble)), "the LoRA must matter"
(d,) = adapted([clip32], 2, 4, "clip_vitb32_single_lora")
single = distances([(d, clips, 16, proj32)])
assert min(single) > 0.01, "pictures must differ"
for file in folder.rglob("*"):
    file.chmod(0o755 if file.is_dir() else 0o644)
scores = {"texts": texts, "pickscore": pickscore, "dreamsim": {"ensemble": ensemble, "clip_vitb32": single}}
(folder / "scores.json").write_text(json.dumps(scores, indent=2) + "\n")
print(json.dumps(scores, indent=2))
