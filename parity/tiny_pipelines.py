"""Tiny Stable Diffusion pipelines with random weights, saved by Diffusers and Transformers themselves.

The libraries' default initialisation gives grey pictures. Here every layer preserves the scale of its input, and the last
layers of the networks are scaled so that predictions look like noise and pictures use most of their range.
"""

import json
import shutil

import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

WORDS = (
    "a the in on of and with photo cat dog hat red blue snow beach santa wearing wooden floor dark blurry mountain "
    "background jungle purple wizard outfit pink glasses"
).split()
BEGIN, END = "<|startoftext|>", "<|endoftext|>"

# As in the public SD 1.5 folder: absent settings get the defaults of the class that reads them.
SCHEDULER = {
    "_class_name": "PNDMScheduler",
    "_diffusers_version": "0.6.0",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
    "clip_sample": False,
}

SD15_UNET = dict(
    block_out_channels=(8, 16, 24),
    down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    layers_per_block=1,
    attention_head_dim=2,
    cross_attention_dim=32,
    norm_num_groups=4,
    sample_size=8,
)
SD21_UNET = dict(
    block_out_channels=(8, 16, 16),
    down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    layers_per_block=2,
    attention_head_dim=[1, 2, 4],
    cross_attention_dim=24,
    norm_num_groups=4,
    sample_size=8,
    use_linear_projection=True,
)
SD15_TEXT = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, hidden_act="quick_gelu")
SD21_TEXT = dict(hidden_size=24, intermediate_size=48, num_hidden_layers=3, num_attention_heads=3, hidden_act="gelu")


def make_pipelines(folder):
    shutil.rmtree(folder, ignore_errors=True)
    for name, seed, unet, text, pad, prediction in [
        ("sd15", 1, SD15_UNET, SD15_TEXT, END, "epsilon"),
        ("sd21", 2, SD21_UNET, SD21_TEXT, "!", "epsilon"),
        ("sd21-v", 3, SD21_UNET, SD21_TEXT, "!", "v_prediction"),
        ("sd15-fp16", 4, SD15_UNET, SD15_TEXT, END, "epsilon"),
    ]:
        target = folder / name
        write_tokenizer(target / "tokenizer", pad)
        tokenizer = CLIPTokenizer.from_pretrained(target / "tokenizer")
        pipe = make_pipeline(seed, unet, text, tokenizer, prediction)
        if name == "sd15-fp16":
            pipe.to(torch.float16).save_pretrained(target, variant="fp16")
            spell_as_in_2022(target)
        else:
            pipe.save_pretrained(target)
        if name == "sd21":
            shutil.rmtree(target / "unet")
            pipe.unet.save_pretrained(target / "unet", max_shard_size="200KB")
        write_tokenizer(target / "tokenizer", pad)
        if name.startswith("sd15"):
            write_json(target / "scheduler" / "scheduler_config.json", SCHEDULER)


def make_pipeline(seed, unet, text, tokenizer, prediction):
    generator = torch.Generator().manual_seed(seed)
    config = CLIPTextConfig(
        **text,
        vocab_size=len(tokenizer),
        max_position_embeddings=77,
        projection_dim=text["hidden_size"],
        # As in the public folders, although their vocabulary ends with other ids.
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
    )
    unet = UNet2DConditionModel(**unet)
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 8, 12),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=4,
        latent_channels=4,
        scaling_factor=0.18215,
        sample_size=64,
    )
    encoder = CLIPTextModel(config)
    for network in (encoder, unet, vae):
        draw_weights(network.eval(), generator)
    with torch.no_grad():
        unet.conv_out.weight *= 1.4
        vae.decoder.conv_out.weight *= 0.5
        vae.decoder.conv_out.bias *= 0.5
        vae.encoder.conv_out.weight *= 2
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=PNDMScheduler.from_config({**SCHEDULER, "prediction_type": prediction}),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


@torch.no_grad()
def draw_weights(network, generator):
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            noise = torch.randn(parameter.shape, generator=generator)
            if isinstance(module, (nn.GroupNorm, nn.LayerNorm)):
                parameter.copy_(noise * 0.2 + (1 if name == "weight" else 0))
            elif isinstance(module, nn.Embedding):
                parameter.copy_(noise)
            elif name == "bias":
                parameter.copy_(noise * 0.1)
            else:
                parameter.copy_(noise / parameter[0].numel() ** 0.5)


def spell_as_in_2022(folder):
    """Names and configs of the public SD 1.5 folder, which is older than today's libraries; Diffusers reads both."""
    rename = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def old_attention(key):
        for new, old in rename.items():
            key = key.replace(f"mid_block.attentions.0.{new}.", f"mid_block.attentions.0.{old}.")
        return key

    respell(folder / "vae" / "diffusion_pytorch_model.fp16.safetensors", old_attention)
    respell(
        folder / "text_encoder" / "model.fp16.safetensors",
        lambda key: "text_model." + key,
        {"text_model.embeddings.position_ids": torch.arange(77)[None]},
    )
    keep_keys(
        folder / "unet" / "config.json",
        "act_fn attention_head_dim block_out_channels center_input_sample cross_attention_dim down_block_types "
        "downsample_padding flip_sin_to_cos freq_shift in_channels layers_per_block mid_block_scale_factor norm_eps "
        "norm_num_groups out_channels sample_size up_block_types",
    )
    keep_keys(
        folder / "vae" / "config.json",
        "act_fn block_out_channels down_block_types in_channels latent_channels layers_per_block norm_num_groups "
        "out_channels sample_size up_block_types",
    )


def respell(file, spelling, extra={}):
    tensors = {spelling(key): value for key, value in load_file(file).items()}
    save_file({**tensors, **extra}, file, metadata={"format": "pt"})


def keep_keys(file, keys):
    config = json.loads(file.read_text())
    write_json(file, {key: config[key] for key in ["_class_name", "_diffusers_version", *keys.split()]})


def write_tokenizer(folder, pad):
    """The four tokenizer files of public folders, for a small vocabulary: bytes, word-final bytes, and whole words."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(b) for b in printable] + [chr(256 + n) for n in range(256 - len(printable))]
    merges = []
    for word in WORDS:
        parts = [*word[:-1], word[-1] + "</w>"]
        while len(parts) > 1:
            merges.append(f"{parts[0]} {parts[1]}")
            parts[:2] = [parts[0] + parts[1]]
    merges = list(dict.fromkeys(merges))
    symbols = letters + [letter + "</w>" for letter in letters] + [merge.replace(" ", "") for merge in merges] + [BEGIN, END]
    write_json(folder / "vocab.json", {symbol: i for i, symbol in enumerate(symbols)})
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    special = {"bos_token": BEGIN, "eos_token": END, "unk_token": END}
    write_json(folder / "special_tokens_map.json", {**special, "pad_token": pad})
    write_json(
        folder / "tokenizer_config.json",
        {**special, "pad_token": END, "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"},
    )


def write_json(file, value):
    file.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
