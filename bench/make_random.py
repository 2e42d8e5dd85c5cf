"""Writes a pipeline of a published model's size with random weights, and a rank-4 LoRA, for measurements of speed and memory.

    python bench/make_random.py sana-600m|sana-1600m|sdxl|sd15 FOLDER [--layers N] [--float32]

Shapes, key names, files and number types are the real models' (sd15 float16 2.1 GB, sana-600m float16 and Gemma in bfloat16 7 GB,
sana-1600m bfloat16 9 GB, sdxl float16 7 GB). Tensors are written one by one, so it takes little memory. `--layers` makes the
denoiser and the text encoders shallower, to try a measurement quickly; `--float32` writes float32 instead of float16 (sd15 4.3 GB).
"""
import argparse
import json
import math
import struct
from pathlib import Path

import torch
from accelerate import init_empty_weights
from diffusers import (
    AutoencoderDC,
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    PNDMScheduler,
    SanaTransformer2DModel,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    Gemma2Config,
    Gemma2Model,
    GemmaTokenizer,
)

parser = argparse.ArgumentParser()
parser.add_argument("size", choices=["sd15", "sana-600m", "sana-1600m", "sdxl"])
parser.add_argument("folder", type=Path)
parser.add_argument("--layers", type=int)
parser.add_argument("--float32", action="store_true")
asked = parser.parse_args()
folder, size = asked.folder, asked.size
torch.manual_seed(0)
torch.set_num_threads(1)
NUMBERS = torch.float32 if asked.float32 else torch.float16

# Drawing 10 GB of normals takes minutes; pieces of one block at random places are as good for a measurement.
BLOCK = torch.randn(1 << 24)


def normals(count, scale, dtype):
    """`count` normals times `scale`, in pieces."""
    while count > 0:
        start = int(torch.randint(0, BLOCK.numel() // 2, (1,)))
        piece = BLOCK[start : start + min(count, BLOCK.numel() // 2)]
        count -= piece.numel()
        yield (piece * scale).to(dtype)


def pieces(name, shape, dtype, gemma):
    """The values of a tensor: each layer's output is about as large as its input, so that all numbers stay finite."""
    count = math.prod(shape)
    if "embedding" in name or "embed_tokens" in name:
        return normals(count, 0.02, dtype)
    if "scale_shift_table" in name:
        return normals(count, shape[-1] ** -0.5, dtype)
    if len(shape) == 1:
        one = "norm" in name and name.endswith("weight") and not gemma
        return iter([torch.full((count,), 1.0 if one else 0.0, dtype=dtype)])
    return normals(count, 0.7 * math.prod(shape[1:]) ** -0.5, dtype)


def save(model, part, dtype, file, gemma=False):
    """Writes the weights and config.json of a model on the meta device."""
    (folder / part).mkdir(parents=True, exist_ok=True)
    tensors = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    write(folder / part / file, tensors, dtype, lambda name: pieces(name, tensors[name], dtype, gemma))
    if hasattr(model, "save_config"):
        model.save_config(folder / part)
    else:
        model.config.architectures = [type(model).__name__]
        model.config.save_pretrained(folder / part)


def write(path, shapes, dtype, values):
    width, kind = (4, "F32") if dtype == torch.float32 else (2, "BF16" if dtype == torch.bfloat16 else "F16")
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes.items():
        length = math.prod(shape) * width
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [at, at + length]}
        at += length
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for name in shapes:
            for piece in values(name):
                out.write(piece.contiguous().view(torch.uint8).numpy().tobytes())


def lora(component, model, pattern):
    """A rank-4 LoRA on the linear layers whose name ends with one of `pattern`, in PEFT's spelling."""
    shapes = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and name.endswith(pattern):
            out, into = module.weight.shape
            shapes[f"{component}.{name}.lora_A.weight"] = (4, into)
            shapes[f"{component}.{name}.lora_B.weight"] = (out, 4)
    write(folder / "lora.safetensors", shapes, torch.float32, lambda name: normals(math.prod(shapes[name]), 0.02, torch.float32))


def clip_tokenizer(part, pad="<|endoftext|>"):
    """A vocabulary of single bytes, padded to CLIP's size: works for any prompt without a download."""
    space = [b for b in [*range(33, 127), *range(161, 173), *range(174, 256)]]
    letters = {b: chr(b) for b in space}
    for n, b in enumerate(b for b in range(256) if b not in letters):
        letters[b] = chr(256 + n)
    symbols = [letters[b] for b in space] + [letters[b] for b in range(256) if b not in space]
    symbols += [s + "</w>" for s in symbols]
    symbols += [f"<unused-{i}>" for i in range(49406 - len(symbols))]
    symbols += ["<|startoftext|>", "<|endoftext|>"]
    (folder / part).mkdir(parents=True, exist_ok=True)
    vocabulary = {s: i for i, s in enumerate(symbols)}
    (folder / part / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
    (folder / part / "merges.txt").write_text("#version: 0.2\n")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": pad}
    (folder / part / "special_tokens_map.json").write_text(json.dumps(special))
    config = {**special, "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"}
    (folder / part / "tokenizer_config.json").write_text(json.dumps(config))


def gemma_tokenizer():
    """Gemma's special tokens, bytes and characters: about as many tokens as letters."""
    symbols = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    symbols += ["▁", "\n"] + [chr(code) for code in range(33, 127)]
    words = GemmaTokenizer(vocab={symbol: i for i, symbol in enumerate(symbols)}, merges=[], add_bos_token=True)
    words.save_pretrained(folder / "tokenizer")


def index(name, parts, **more):
    (folder / "model_index.json").write_text(json.dumps({"_class_name": name, **more, **parts}, indent=2))


DIFFUSERS, CLIP = "diffusion_pytorch_model.safetensors", dict(vocab_size=49408, max_position_embeddings=77)


def clip_l(**more):
    return CLIPTextConfig(
        hidden_size=768, intermediate_size=3072, num_hidden_layers=asked.layers or 12, num_attention_heads=12,
        hidden_act="quick_gelu", projection_dim=768, eos_token_id=2, **CLIP, **more,
    )


def vae_kl(sample_size, scaling, dtype):
    vae = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4, sample_size=sample_size,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        scaling_factor=scaling,
    )
    save(vae, "vae", dtype, DIFFUSERS)


def sd15():
    unet = UNet2DConditionModel(
        sample_size=64, in_channels=4, out_channels=4, layers_per_block=2, block_out_channels=(320, 640, 1280, 1280),
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        cross_attention_dim=768, attention_head_dim=8,
    )
    save(unet, "unet", NUMBERS, DIFFUSERS)
    vae_kl(512, 0.18215, NUMBERS)
    save(CLIPTextModel(clip_l()), "text_encoder", NUMBERS, "model.safetensors")
    PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1,
        set_alpha_to_one=False,
    ).save_pretrained(folder / "scheduler")
    clip_tokenizer("tokenizer")
    index(
        "StableDiffusionPipeline",
        {
            "scheduler": ["diffusers", "PNDMScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"],
            "vae": ["diffusers", "AutoencoderKL"],
        },
        safety_checker=[None, None], feature_extractor=[None, None], requires_safety_checker=False,
    )
    lora("unet", unet, ("to_k", "to_q", "to_v", "to_out.0"))


def sdxl():
    deep = (1, 2, 10) if asked.layers is None else (1, min(2, asked.layers), min(10, asked.layers))
    unet = UNet2DConditionModel(
        sample_size=128, in_channels=4, out_channels=4, layers_per_block=2, block_out_channels=(320, 640, 1280),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=deep, attention_head_dim=(5, 10, 20), cross_attention_dim=2048,
        use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    )
    save(unet, "unet", NUMBERS, DIFFUSERS)
    vae_kl(1024, 0.13025, NUMBERS)
    save(CLIPTextModel(clip_l()), "text_encoder", NUMBERS, "model.safetensors")
    second = CLIPTextConfig(
        hidden_size=1280, intermediate_size=5120, num_hidden_layers=asked.layers or 32, num_attention_heads=20,
        hidden_act="gelu", projection_dim=1280, eos_token_id=2, **CLIP,
    )
    save(CLIPTextModelWithProjection(second), "text_encoder_2", NUMBERS, "model.safetensors")
    EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="leading", steps_offset=1,
    ).save_pretrained(folder / "scheduler")
    clip_tokenizer("tokenizer")
    clip_tokenizer("tokenizer_2", pad="!</w>")
    index(
        "StableDiffusionXLPipeline",
        {
            "scheduler": ["diffusers", "EulerDiscreteScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
            "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
            "tokenizer": ["transformers", "CLIPTokenizer"], "tokenizer_2": ["transformers", "CLIPTokenizer"],
            "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
        },
        force_zeros_for_empty_prompt=True,
    )
    lora("unet", unet, ("to_k", "to_q", "to_v", "to_out.0"))


def sana(dtype, layers, **config):
    transformer = SanaTransformer2DModel(num_layers=asked.layers or layers, sample_size=32, **config)
    save(transformer, "transformer", dtype, DIFFUSERS)
    vae = AutoencoderDC(
        attention_head_dim=32, encoder_layers_per_block=(2, 2, 2, 3, 3, 3), decoder_layers_per_block=(3,) * 6,
        encoder_block_types=("ResBlock",) * 3 + ("EfficientViTBlock",) * 3,
        decoder_block_types=("ResBlock",) * 3 + ("EfficientViTBlock",) * 3,
        encoder_block_out_channels=(128, 256, 512, 512, 1024, 1024),
        decoder_block_out_channels=(128, 256, 512, 512, 1024, 1024),
        encoder_qkv_multiscales=((), (), (), (5,), (5,), (5,)), decoder_qkv_multiscales=((), (), (), (5,), (5,), (5,)),
        upsample_block_type="interpolate", downsample_block_type="Conv", scaling_factor=0.41407,
    )
    save(vae, "vae", torch.float32 if dtype == NUMBERS else dtype, DIFFUSERS)
    gemma = Gemma2Model(Gemma2Config(num_hidden_layers=asked.layers or 26))
    save(gemma, "text_encoder", torch.bfloat16, "model.safetensors", gemma=True)
    DPMSolverMultistepScheduler(
        flow_shift=3.0, use_flow_sigmas=True, prediction_type="flow_prediction",
    ).save_pretrained(folder / "scheduler")
    gemma_tokenizer()
    index(
        "SanaPipeline",
        {
            "scheduler": ["diffusers", "DPMSolverMultistepScheduler"], "text_encoder": ["transformers", "Gemma2Model"],
            "tokenizer": ["transformers", "GemmaTokenizer"], "transformer": ["diffusers", "SanaTransformer2DModel"],
            "vae": ["diffusers", "AutoencoderDC"],
        },
    )
    lora("transformer", transformer, ("to_q", "to_k", "to_v"))


with init_empty_weights():
    if size == "sd15":
        sd15()
    elif size == "sdxl":
        sdxl()
    elif size == "sana-600m":
        sana(NUMBERS, 28, num_attention_heads=36, attention_head_dim=32, num_cross_attention_heads=16,
             cross_attention_head_dim=72, cross_attention_dim=1152)
    else:
        sana(torch.bfloat16, 20)
