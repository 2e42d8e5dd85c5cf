"""A tiny SANA pipeline, a LoRA for it, and whole pictures with every guidance method.

    python parity/sana_pictures.py

writes parity/fixtures/sana-pipeline/, except trained.safetensors, which is Tiller's (parity/train_adapters.js) and which
Diffusers loads unchanged. `none` and `cfg` are SanaPipeline's own; the other methods are the loop below, which is
checked against them. Both libraries are given the same instruction, Tiller's own.
"""

import json
import re
import shutil
import warnings
from pathlib import Path

import torch
from diffusers import (
    AutoencoderDC,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    SanaPipeline,
    SanaTransformer2DModel,
)
from diffusers.training_utils import _collate_lora_metadata
from diffusers.utils import logging as diffusers_logging
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from torch import nn
from transformers import Gemma2Config, Gemma2Model, GemmaTokenizer
from transformers.utils import logging as transformers_logging

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
for logging in (diffusers_logging, transformers_logging):
    logging.set_verbosity_error()
    logging.disable_progress_bar()
HERE = Path(__file__).parent
OUT = HERE / "fixtures" / "sana-pipeline"

WORDS = "a cat dog hat red blue in the snow santa wearing prompt description photo of sks".split()
OWN = re.search(r"`(.*?)`", (HERE.parent / "src/families/sana/instruction.ts").read_text(), re.S)[1]
SHORT = "Draw what is asked for.\nUser Prompt: "


def tokenizer():
    """A tokenizer like Gemma's with a small vocabulary: its special tokens, bytes, characters, and some words."""
    symbols = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    symbols += ["▁", "\n"] + [chr(code) for code in range(33, 127)] + ["é"]
    merges = []
    for word in WORDS:
        parts = ["▁", *word]
        while len(parts) > 1:
            merges.append((parts[0], parts[1]))
            parts[:2] = [parts[0] + parts[1]]
    merges = list(dict.fromkeys(merges))
    vocab = {symbol: i for i, symbol in enumerate([*symbols, *dict.fromkeys(a + b for a, b in merges)])}
    return GemmaTokenizer(vocab=vocab, merges=merges, add_bos_token=True), len(vocab)


@torch.no_grad()
def draw_weights(network, generator, gemma=False):
    """Makes each layer's output as large as its input, and tables and norms other than their defaults, which would hide mistakes."""
    for name, parameter in network.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "embed_tokens" in name:
            parameter.copy_(noise * 0.5)
        elif "scale_shift_table" in name:
            parameter.copy_(noise * 0.3)
        elif "norm" in name and parameter.ndim == 1:
            parameter.copy_(noise * 0.2 + (0 if gemma or name.endswith("bias") else 1))
        elif parameter.ndim == 1:
            parameter.copy_(noise * 0.1)
        else:
            parameter.copy_(noise / parameter[0].numel() ** 0.5)


def pipeline():
    generator = torch.Generator().manual_seed(11)
    words, size = tokenizer()
    transformer = SanaTransformer2DModel(
        in_channels=4, out_channels=4, num_attention_heads=3, attention_head_dim=8, num_layers=2,
        num_cross_attention_heads=2, cross_attention_head_dim=12, cross_attention_dim=24, caption_channels=32,
        mlp_ratio=2.5, sample_size=16,
    )
    vae = AutoencoderDC(
        in_channels=3, latent_channels=4, attention_head_dim=8,
        encoder_block_types=("ResBlock", "ResBlock", "EfficientViTBlock"),
        decoder_block_types=("ResBlock", "ResBlock", "EfficientViTBlock"),
        encoder_block_out_channels=(8, 16, 16), decoder_block_out_channels=(8, 16, 16),
        encoder_layers_per_block=(1, 1, 1), decoder_layers_per_block=(1, 1, 1),
        encoder_qkv_multiscales=((), (), (5,)), decoder_qkv_multiscales=((), (), (5,)),
        upsample_block_type="interpolate", downsample_block_type="Conv", scaling_factor=0.41407,
    )
    encoder = Gemma2Model(Gemma2Config(
        vocab_size=size, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, query_pre_attn_scalar=12, sliding_window=64, attn_logit_softcapping=2.0,
        max_position_embeddings=2048, bos_token_id=2, eos_token_id=1, pad_token_id=0,
    ))
    draw_weights(transformer.eval(), generator)
    draw_weights(vae.eval(), generator)
    draw_weights(encoder.eval(), generator, gemma=True)
    with torch.no_grad():
        vae.decoder.conv_out.weight *= 0.5
    scheduler = DPMSolverMultistepScheduler(flow_shift=3.0, use_flow_sigmas=True, prediction_type="flow_prediction")
    return SanaPipeline(tokenizer=words, text_encoder=encoder, vae=vae, transformer=transformer, scheduler=scheduler)


@torch.no_grad()
def make_lora(folder):
    """Rank 4 and alpha 8: the factor 2 is only in the metadata."""
    transformer = load(False).transformer
    transformer.add_adapter(LoraConfig(r=4, lora_alpha=8, target_modules=["to_q", "to_k", "to_v"]))
    generator = torch.Generator().manual_seed(12)
    for name, parameter in transformer.named_parameters():
        if "lora_" in name:
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.25)
    SanaPipeline.save_lora_weights(
        folder,
        transformer_lora_layers=get_peft_model_state_dict(transformer),
        **_collate_lora_metadata({"transformer": transformer}),
    )
    (folder / "pytorch_lora_weights.safetensors").rename(folder / "lora.safetensors")


def load(variant):
    pipe = SanaPipeline.from_pretrained(OUT / "model", variant="bf16" if variant else None, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


PROMPT = "  A red Cat wearing a santa hat, in the snow  "
LONG = "a blue dog in the snow with " + "a very long text, " * 22


def case(name, guidance, lora="lora.safetensors", **request):
    scale = {} if guidance in ("none", "ag") else {"scale": 0.4 if guidance.endswith("++") else 4.5}
    usual = {"prompt": PROMPT, "negative": "", "guidance": guidance, **scale, "sampler": "dpm++", "steps": 20, "seed": 5}
    return {"name": name, "lora": lora, "request": {**usual, "width": 64, "height": 64, **request}}


CASES = [
    case("none-bare", "none", lora=None),
    case("cfg-bare", "cfg", lora=None),
    case("cfg-bare-short-instruction", "cfg", lora=None, instruction=SHORT, width=96, height=32),
    case("cfg-bare-no-instruction", "cfg", lora=None, instruction=""),
    case("cfg-bare-empty-prompt", "cfg", lora=None, prompt=""),
    case("cfg-bare-long-prompt", "cfg", lora=None, prompt=LONG, negative="Blurry, DARK"),
    case("cfg-bare-long-prompt-no-instruction", "cfg", lora=None, prompt=LONG, instruction="", width=32, height=64),
    case("cfg-bare-long-negative", "cfg", lora=None, negative=LONG),
    case("cfg-bare-bf16", "cfg", lora=None) | {"variant": "bf16"},
    case("cfg-bare-flow-euler", "cfg", lora=None, sampler="flow-euler"),
    case("none", "none"),
    case("cfg", "cfg"),
    case("ag", "ag", agScale=2),
    case("cfg+ag", "cfg+ag", agScale=2),
    case("autolora", "autolora", agScale=2),
    case("output-interpolation", "output-interpolation", omega=0.6),
    case("pg-0", "pg", omega=0),
    case("pg-0.6", "pg", omega=0.6),
    case("pg-1", "pg", omega=1),
    case("pg-0-wide-no-instruction", "pg", omega=0, instruction="", width=96),
    case("pg-0.6-negative", "pg", omega=0.6, negative="a blurry dog in the snow", height=96),
    case("pg-0.6-bf16", "pg", omega=0.6) | {"variant": "bf16"},
    case("cfg-trained", "cfg", lora="trained.safetensors", prompt="a photo of sks dog"),
    case("pg-0.3-trained", "pg", lora="trained.safetensors", prompt="a photo of sks dog", omega=0.3),
    case("cfg++", "cfg++"),
    case("pg++-flow-euler", "pg++", omega=0.6, sampler="flow-euler"),
]


def scheduler_of(pipe, request):
    if request["sampler"] == "flow-euler":
        return FlowMatchEulerDiscreteScheduler(shift=pipe.scheduler.config.flow_shift)
    return pipe.scheduler


def instruction_of(request):
    text = request.get("instruction", OWN)
    return text.split("\n") if text else None


def by_pipeline(pipe, request):
    pipe.scheduler = scheduler_of(pipe, request)
    return pipe(
        request["prompt"],
        negative_prompt=request["negative"],
        guidance_scale=request.get("scale", 1),
        num_inference_steps=request["steps"],
        height=request["height"],
        width=request["width"],
        generator=torch.Generator().manual_seed(request["seed"]),
        complex_human_instruction=instruction_of(request),
        use_resolution_binning=False,
        output_type="latent",
    ).images


class Loop:
    """The sampling loop in plain sight. e(omega, text) evaluates the network whose weights are theta_omega."""

    def __init__(self, one):
        self.request, self.pipe = one["request"], load(one.get("variant"))
        if one["lora"]:
            self.pipe.load_lora_weights(OUT, weight_name=one["lora"], adapter_name="lora")
        self.lora = one["lora"]
        encode = self.pipe.encode_prompt(
            self.request["prompt"], True, self.request["negative"], complex_human_instruction=instruction_of(self.request)
        )
        self.text = {"c": encode[:2], "null": encode[2:]}

    def e(self, omega, text):
        if self.lora:
            self.pipe.set_adapters(["lora"], [omega])
        states, mask = self.text[text]
        timestep = self.t.expand(1)
        return self.pipe.transformer(self.x, states, timestep, encoder_attention_mask=mask, return_dict=False)[0]

    def guided(self):
        request, e = self.request, self.e
        s, w, a = request.get("scale"), request.get("omega"), request.get("agScale")
        match request["guidance"]:
            case "none":
                return e(1, "c"), None
            case "cfg":
                return e(1, "null") + s * (e(1, "c") - e(1, "null")), None
            case "ag":
                return e(0, "c") + a * (e(1, "c") - e(0, "c")), None
            case "cfg+ag":
                return e(1, "c") + (s - 1) * (e(1, "c") - e(1, "null")) + (a - 1) * (e(1, "c") - e(0, "c")), None
            case "autolora":
                tuned = e(1, "null") + s * (e(1, "c") - e(1, "null"))
                base = e(0, "null") + s * (e(0, "c") - e(0, "null"))
                return base + a * (tuned - base), None
            case "output-interpolation":
                weak = w * e(1, "null") + (1 - w) * e(0, "null")
                return weak + s * (e(1, "c") - weak), None
            case "pg":
                return e(w, "null") + s * (e(1, "c") - e(w, "null")), None
            case "cfg++":
                return e(1, "null") + s * (e(1, "c") - e(1, "null")), e(1, "null")
            case "pg++":
                return e(w, "null") + s * (e(1, "c") - e(w, "null")), e(w, "null")

    def draw(self):
        request = self.request
        scheduler = scheduler_of(self.pipe, request)
        scheduler.set_timesteps(request["steps"])
        factor = self.pipe.vae_scale_factor
        shape = (1, 4, request["height"] // factor, request["width"] // factor)
        self.x = torch.randn(shape, generator=torch.Generator().manual_seed(request["seed"]))
        before, h_before = None, None
        for step, self.t in enumerate(scheduler.timesteps):
            prediction, weak = self.guided()
            if weak is None:
                self.x = scheduler.step(prediction, self.t, self.x, return_dict=False)[0]
                continue
            # CFG++: clean latents from the guided flow, noise from the weak one.
            s, s_next = scheduler.sigmas[step].double(), scheduler.sigmas[step + 1].double()
            clean, weak_clean, noise = self.x - s * prediction, self.x - s * weak, self.x + (1 - s) * weak
            x = (1 - s_next) * clean + s_next * noise
            if request["sampler"] == "dpm++" and s_next > 0:
                h = torch.log((1 - s_next) / s_next) - torch.log((1 - s) / s)
                if before is not None:
                    x = x - (1 - s_next) * torch.expm1(-h) * (clean - before) / (2 * h_before / h)
                h_before = h
            before, self.x = weak_clean, x.float()
        return self.x


@torch.no_grad()
def main():
    shutil.rmtree(OUT / "model", ignore_errors=True)
    pipe = pipeline()
    pipe.save_pretrained(OUT / "model")
    pipe.to(torch.bfloat16).save_pretrained(OUT / "model", variant="bf16")
    make_lora(OUT)
    tensors, cases = {}, []
    for one in CASES:
        loop = Loop(one)
        latents = loop.draw()
        if one["request"]["guidance"] in ("none", "cfg"):
            if one["lora"]:
                loop.pipe.set_adapters(["lora"], [1.0])
            own = by_pipeline(loop.pipe, one["request"])
            error = (own - latents).abs().max() / own.abs().max()
            assert error < 1e-4, f"{one['name']}: the loop differs from the pipeline by {error}"
            latents = own
        vae = loop.pipe.vae
        picture = vae.decode(latents / vae.config.scaling_factor, return_dict=False)[0]
        picture = (picture / 2 + 0.5).clamp(0, 1)[0].permute(1, 2, 0)
        tensors[one["name"]] = (picture * 255).round().to(torch.uint8).contiguous()
        tensors[f"{one['name']}.latents"] = latents.contiguous()
        inside = ((tensors[one["name"]] > 0) & (tensors[one["name"]] < 255)).float().mean()
        print(f"{one['name']:40} std {picture.std() * 255:5.0f} inside {inside:6.1%} latents {latents.std():6.2f}")
    save_file(tensors, OUT / "pictures.safetensors")
    (OUT / "cases.json").write_text(json.dumps({"instruction": OWN, "cases": CASES}, indent=2) + "\n")


if __name__ == "__main__":
    main()
