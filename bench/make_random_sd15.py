"""Writes a Stable-Diffusion-1.5-size pipeline with random weights, and a rank-4 LoRA, for speed measurements.

    python bench/make_random_sd15.py FOLDER

The weights are random; shapes, key names and files are those of the real model (about 4.3 GB in float32).
"""
import json
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

folder = Path(sys.argv[1])
torch.manual_seed(0)

unet = UNet2DConditionModel(
    sample_size=64, in_channels=4, out_channels=4, layers_per_block=2, block_out_channels=(320, 640, 1280, 1280),
    down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    cross_attention_dim=768, attention_head_dim=8,
)
unet.save_pretrained(folder / "unet")
AutoencoderKL(
    block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4, sample_size=512,
    down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
).save_pretrained(folder / "vae")
CLIPTextModel(CLIPTextConfig(
    vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
    hidden_act="quick_gelu", max_position_embeddings=77, eos_token_id=2,
)).save_pretrained(folder / "text_encoder")
PNDMScheduler(
    beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1,
    set_alpha_to_one=False,
).save_pretrained(folder / "scheduler")

# A vocabulary of single bytes, padded to CLIP's size: works for any prompt without a download.
space = [b for b in [*range(33, 127), *range(161, 173), *range(174, 256)]]
letters = {b: chr(b) for b in space}
for n, b in enumerate(b for b in range(256) if b not in letters):
    letters[b] = chr(256 + n)
symbols = [letters[b] for b in space] + [letters[b] for b in range(256) if b not in space]
symbols += [s + "</w>" for s in symbols]
symbols += [f"<unused-{i}>" for i in range(49406 - len(symbols))]
symbols += ["<|startoftext|>", "<|endoftext|>"]
tokenizer = folder / "tokenizer"
tokenizer.mkdir(parents=True, exist_ok=True)
(tokenizer / "vocab.json").write_text(json.dumps({s: i for i, s in enumerate(symbols)}, ensure_ascii=False))
(tokenizer / "merges.txt").write_text("#version: 0.2\n")
special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
(tokenizer / "special_tokens_map.json").write_text(json.dumps(special))
(tokenizer / "tokenizer_config.json").write_text(json.dumps({**special, "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"}))
(folder / "model_index.json").write_text(json.dumps({
    "_class_name": "StableDiffusionPipeline",
    "feature_extractor": [None, None], "safety_checker": [None, None], "requires_safety_checker": False,
    "scheduler": ["diffusers", "PNDMScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}, indent=2))

unet.add_adapter(LoraConfig(r=4, lora_alpha=4, init_lora_weights=False, target_modules=["to_k", "to_q", "to_v", "to_out.0"]))
lora = {f"unet.{k}": v.contiguous() for k, v in get_peft_model_state_dict(unet).items()}
save_file(lora, folder / "lora.safetensors", metadata={"format": "pt"})
