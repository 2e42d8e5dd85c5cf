"""A tiny SDXL pipeline, adapters for it, and whole pictures with every guidance method.

    python parity/sdxl_pictures.py

writes parity/fixtures/sdxl-pipeline/. `none` and `cfg` are StableDiffusionXLPipeline's own; the other methods are the
loop below, which is checked against them. The tests open the fixture under other schedulers and flags, as the cases say.
"""

import json
import shutil
import warnings
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.training_utils import _collate_lora_metadata
from diffusers.utils import logging as diffusers_logging
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from tiny_pipelines import END, draw_weights, write_json, write_tokenizer

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
for logging in (diffusers_logging, transformers_logging):
    logging.set_verbosity_error()
    logging.disable_progress_bar()
HERE = Path(__file__).parent
OUT = HERE / "fixtures" / "sdxl-pipeline"
MODEL = OUT / "model"

# As in the public SDXL folder.
SCHEDULER = {
    "_class_name": "EulerDiscreteScheduler",
    "_diffusers_version": "0.19.0.dev0",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "interpolation_type": "linear",
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "sample_max_value": 1.0,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "trained_betas": None,
    "use_karras_sigmas": False,
}
VELOCITY = {"prediction_type": "v_prediction"}
ZERO_SNR = {**VELOCITY, "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}


def text_config(size, **config):
    # As in the public folders, although their vocabulary ends with other ids.
    return CLIPTextConfig(**config, vocab_size=size, max_position_embeddings=77, bos_token_id=0, pad_token_id=1, eos_token_id=2)


def pipeline():
    generator = torch.Generator().manual_seed(21)
    tokenizers = []
    for name, pad in [("tokenizer", END), ("tokenizer_2", "!")]:
        write_tokenizer(MODEL / name, pad)
        tokenizers.append(CLIPTokenizer.from_pretrained(MODEL / name))
    size = len(tokenizers[0])
    first = CLIPTextModel(text_config(
        size, hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2, hidden_act="quick_gelu",
        projection_dim=16,
    ))
    second = CLIPTextModelWithProjection(text_config(
        size, hidden_size=24, intermediate_size=48, num_hidden_layers=4, num_attention_heads=3, hidden_act="gelu",
        projection_dim=20,
    ))
    unet = UNet2DConditionModel(
        sample_size=16, block_out_channels=(8, 16, 16), layers_per_block=2, norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 1, 2), attention_head_dim=(1, 2, 4), cross_attention_dim=40,
        use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 20,
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 16), down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2, layers_per_block=1, norm_num_groups=4, latent_channels=4,
        scaling_factor=0.13025, sample_size=32, force_upcast=True,
    )
    for network in (first, second, unet, vae):
        draw_weights(network.eval(), generator)
    with torch.no_grad():
        unet.conv_out.weight *= 1.4
        vae.decoder.conv_out.weight *= 0.7
        vae.decoder.conv_out.bias *= 0.5
    scheduler = EulerDiscreteScheduler.from_config(SCHEDULER)
    return StableDiffusionXLPipeline(
        vae=vae, text_encoder=first, text_encoder_2=second, tokenizer=tokenizers[0], tokenizer_2=tokenizers[1],
        unet=unet, scheduler=scheduler, force_zeros_for_empty_prompt=True, add_watermarker=False,
    )


@torch.no_grad()
def make_lora():
    """Rank 4 on the U-Net and both text encoders, as Diffusers saves it."""
    pipe = load()
    generator = torch.Generator().manual_seed(22)
    layers = {}
    for part in ("unet", "text_encoder", "text_encoder_2"):
        network = getattr(pipe, part)
        targets = ["to_k", "to_q", "to_v", "to_out.0"] if part == "unet" else ["q_proj", "k_proj", "v_proj", "out_proj"]
        network.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=targets))
        for name, parameter in network.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.25)
        layers[f"{part}_lora_layers"] = {key: value.half() for key, value in get_peft_model_state_dict(network).items()}
    StableDiffusionXLPipeline.save_lora_weights(
        OUT, **layers, **_collate_lora_metadata({"unet": pipe.unet, "text_encoder": pipe.text_encoder, "text_encoder_2": pipe.text_encoder_2})
    )
    (OUT / "pytorch_lora_weights.safetensors").rename(OUT / "lora.safetensors")
    token = {"clip_l": torch.randn(2, 16, generator=generator), "clip_g": torch.randn(2, 24, generator=generator)}
    save_file(token, OUT / "cat-toy.safetensors")


def load(scheduler=None):
    pipe = StableDiffusionXLPipeline.from_pretrained(MODEL, dtype=torch.float32, add_watermarker=False)
    pipe.scheduler = EulerDiscreteScheduler.from_config({**SCHEDULER, **(scheduler or {})})
    pipe.set_progress_bar_config(disable=True)
    return pipe


PROMPT = "a red cat wearing a santa hat in the snow"
LEARNED = "cat-toy"


def case(name, guidance, lora="lora.safetensors", scheduler=None, zeros=True, embedding=None, **request):
    scale = {} if guidance in ("none", "ag") else {"scale": 0.4 if guidance.endswith("++") else 5}
    usual = {"prompt": PROMPT, "guidance": guidance, **scale, "sampler": "euler", "steps": 20, "seed": 9}
    if guidance.endswith("++"):
        usual["sampler"] = "ddim"
    more = {key: value for key, value in {"lora": lora, "scheduler": scheduler, "embedding": embedding}.items() if value}
    return {"name": name, **more, **({} if zeros else {"zeros": False}), "request": {**usual, "width": 32, "height": 32, **request}}


SIZES = {"originalSize": {"width": 20, "height": 48}, "crop": {"left": 3, "top": 7}, "targetSize": {"width": 64, "height": 40}}
NEGATIVE_SIZES = {
    "negativeOriginalSize": {"width": 30, "height": 10},
    "negativeCrop": {"left": 1, "top": 2},
    "negativeTargetSize": {"width": 18, "height": 22},
}
TOY = f"a {LEARNED} cat wearing a santa hat in the snow"
CASES = [
    case("none-bare", "none", lora=None),
    case("cfg-bare", "cfg", lora=None),
    case("cfg-bare-empty-negative", "cfg", lora=None, negative=""),
    case("cfg-bare-negative", "cfg", lora=None, negative="blurry, dark dog"),
    case("cfg-bare-no-zeros", "cfg", lora=None, zeros=False),
    case("cfg-bare-wide", "cfg", lora=None, width=48),
    case("cfg-bare-odd-latents", "cfg", lora=None, width=40, height=24),
    case("cfg-bare-sizes", "cfg", lora=None, **SIZES),
    case("cfg-bare-negative-sizes", "cfg", lora=None, **SIZES, **NEGATIVE_SIZES),
    case("cfg-bare-clip-skip", "cfg", lora=None, clipSkip=1),
    case("cfg-bare-exclamation", "cfg", lora=None, prompt="a cat ! dog", negative="!"),
    case("cfg-bare-ddim", "cfg", lora=None, sampler="ddim"),
    case("cfg-bare-dpm++", "cfg", lora=None, sampler="dpm++"),
    case("cfg-bare-euler-a", "cfg", lora=None, sampler="euler-a"),
    case("cfg-bare-v", "cfg", lora=None, scheduler=VELOCITY),
    case("cfg-bare-v-zero-snr", "cfg", lora=None, scheduler=ZERO_SNR),
    case("cfg-bare-v-zero-snr-ddim", "cfg", lora=None, scheduler=ZERO_SNR, sampler="ddim"),
    case("cfg-bare-v-zero-snr-euler-a", "cfg", lora=None, scheduler=ZERO_SNR, sampler="euler-a"),
    case("cfg-bare-v-zero-snr-dpm++", "cfg", lora=None, scheduler=ZERO_SNR, sampler="dpm++"),
    case("none", "none"),
    case("cfg", "cfg"),
    case("cfg-v", "cfg", scheduler=VELOCITY),
    case("ag", "ag", agScale=2),
    case("cfg+ag", "cfg+ag", agScale=2),
    case("autolora", "autolora", agScale=2),
    case("output-interpolation", "output-interpolation", omega=0.6),
    case("pg-0", "pg", omega=0),
    case("pg-0.6", "pg", omega=0.6),
    case("pg-1", "pg", omega=1),
    case("pg-0.6-wide-negative", "pg", omega=0.6, negative="blurry, dark dog", width=48),
    case("pg-0.6-empty-negative", "pg", omega=0.6, negative=""),
    case("pg-0.6-sizes", "pg", omega=0.6, **SIZES, **NEGATIVE_SIZES),
    case("pg-0.6-v", "pg", omega=0.6, scheduler=VELOCITY),
    case("pg-0.6-v-zero-snr", "pg", omega=0.6, scheduler=ZERO_SNR),
    case("cfg++", "cfg++"),
    case("pg++-0.6", "pg++", omega=0.6),
    case("pg++-0-v-tall", "pg++", omega=0, scheduler=VELOCITY, height=48),
    case("cfg-token", "cfg", lora=None, embedding="cat-toy.safetensors", prompt=TOY),
    case("sag-token", "sag", lora=None, embedding="cat-toy.safetensors", prompt=TOY),
    case("sag-additive-token", "sag-additive", lora=None, embedding="cat-toy.safetensors", prompt=TOY),
    case("pg-0.6-token", "pg", omega=0.6, embedding="cat-toy.safetensors", prompt=TOY),
]


def scheduler_of(pipe, request):
    classes = {"ddim": DDIMScheduler, "dpm++": DPMSolverMultistepScheduler, "euler-a": EulerAncestralDiscreteScheduler}
    return classes.get(request["sampler"], EulerDiscreteScheduler).from_config(pipe.scheduler.config)


def size_of(size):
    return None if size is None else (size["height"], size["width"])


def place_of(place):
    return (0, 0) if place is None else (place["top"], place["left"])


def spread(text):
    """The token of two vectors as Diffusers spells it."""
    return text.replace(LEARNED, f"{LEARNED} {LEARNED}_1")


def by_pipeline(pipe, request):
    pipe.scheduler = scheduler_of(pipe, request)
    return pipe(
        request["prompt"],
        negative_prompt=request.get("negative"),
        guidance_scale=request.get("scale", 1),
        num_inference_steps=request["steps"],
        height=request["height"],
        width=request["width"],
        original_size=size_of(request.get("originalSize")),
        crops_coords_top_left=place_of(request.get("crop")),
        target_size=size_of(request.get("targetSize")),
        negative_original_size=size_of(request.get("negativeOriginalSize")),
        negative_crops_coords_top_left=place_of(request.get("negativeCrop")),
        negative_target_size=size_of(request.get("negativeTargetSize")),
        clip_skip=request.get("clipSkip"),
        generator=torch.Generator().manual_seed(request["seed"]),
        output_type="latent",
    ).images


class Loop:
    """The sampling loop in plain sight. e(omega, text) evaluates the network whose weights are theta_omega."""

    def __init__(self, one):
        self.request, self.pipe = one["request"], load(one.get("scheduler"))
        self.pipe.register_to_config(force_zeros_for_empty_prompt=one.get("zeros", True))
        if one.get("embedding"):
            for key, number in [("clip_l", ""), ("clip_g", "_2")]:
                self.pipe.load_textual_inversion(
                    embedding(one["embedding"], key), token=LEARNED,
                    text_encoder=getattr(self.pipe, f"text_encoder{number}"), tokenizer=getattr(self.pipe, f"tokenizer{number}"),
                )
            # Diffusers would pool at the highest id, which is the learned token's: Tiller pools at the end token.
            self.pipe.text_encoder_2.config.eos_token_id = self.pipe.tokenizer_2.eos_token_id
            self.pipe.text_encoder_2.text_model.eos_token_id = self.pipe.tokenizer_2.eos_token_id
        self.lora = one.get("lora")
        if self.lora:
            self.pipe.load_lora_weights(OUT, weight_name=self.lora, adapter_name="lora")
        self.texts = {}

    def time_ids(self, negative):
        request = self.request
        own = {"width": request["width"], "height": request["height"]}
        at = {key: request.get(key) for key in ("originalSize", "crop", "targetSize")}
        if negative:
            at |= {key: request[other] for key, other in zip(at, NEGATIVE_SIZES) if other in request}
        return torch.tensor([[*size_of(at["originalSize"] or own), *place_of(at["crop"]), *size_of(at["targetSize"] or own)]]).float()

    def encoded(self, omega, text):
        """Text states and pooled text of the prompt ("c"), of the null text, or of the prompt without its token."""
        if (omega, text) not in self.texts:
            prompt, negative = self.request["prompt"], self.request.get("negative")
            if text == "agnostic":
                prompt = " ".join(word for word in prompt.split() if word != LEARNED)
            all = self.pipe.encode_prompt(prompt, negative_prompt=negative, clip_skip=self.request.get("clipSkip"))
            self.texts[omega, text] = (all[1], all[3]) if text == "null" else (all[0], all[2])
        return self.texts[omega, text]

    def e(self, omega, text):
        if self.lora:
            self.pipe.set_adapters(["lora"], [omega])
        states, pooled = self.encoded(omega, text)
        added = {"text_embeds": pooled, "time_ids": self.time_ids(text == "null")}
        return self.pipe.unet(self.seen, self.t, encoder_hidden_states=states, added_cond_kwargs=added).sample

    def guided(self, step):
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
            case "sag":
                text = "agnostic" if step < request["steps"] / 10 else "c"
                return e(1, "null") + s * (e(1, text) - e(1, "null")), None
            case "sag-additive":
                return e(1, "null") + s * (e(1, "c") - e(1, "null")) + (e(1, "agnostic") - e(1, "c")), None
            case "pg":
                return e(w, "null") + s * (e(1, "c") - e(w, "null")), None
            case "cfg++":
                return e(1, "null") + s * (e(1, "c") - e(1, "null")), e(1, "null")
            case "pg++":
                return e(w, "null") + s * (e(1, "c") - e(w, "null")), e(w, "null")

    def draw(self):
        request = self.request
        generator = torch.Generator().manual_seed(request["seed"])
        scheduler = scheduler_of(self.pipe, request)
        scheduler.set_timesteps(request["steps"])
        factor = self.pipe.vae_scale_factor
        x = torch.randn(1, 4, request["height"] // factor, request["width"] // factor, generator=generator)
        x = x * scheduler.init_noise_sigma
        noise = {} if request["sampler"] == "dpm++" else {"generator": generator}
        for step, self.t in enumerate(scheduler.timesteps):
            self.seen = scheduler.scale_model_input(x, self.t)
            prediction, weak = self.guided(step)
            if weak is None:
                x = scheduler.step(prediction, self.t, x, **noise).prev_sample
            else:
                x = plus_plus(scheduler, request["steps"], x, self.t, prediction, weak)
        return x


def plus_plus(scheduler, steps, x, t, prediction, weak):
    """CFG++: DDIM's x0 from the guided prediction, re-noised with the weak one."""
    a = scheduler.alphas_cumprod[t]
    before = t - 1000 // steps
    a_before = scheduler.alphas_cumprod[before] if before >= 0 else scheduler.final_alpha_cumprod
    if scheduler.config.prediction_type == "v_prediction":
        clean, noise = a.sqrt() * x - (1 - a).sqrt() * prediction, a.sqrt() * weak + (1 - a).sqrt() * x
    else:
        clean, noise = (x - (1 - a).sqrt() * prediction) / a.sqrt(), weak
    return a_before.sqrt() * clean + (1 - a_before).sqrt() * noise


def embedding(file, key):
    from safetensors.torch import load_file

    return load_file(OUT / file)[key]


@torch.no_grad()
def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    pipeline().to(torch.float16).save_pretrained(MODEL)
    for name, pad in [("tokenizer", END), ("tokenizer_2", "!")]:
        write_tokenizer(MODEL / name, pad)
    write_json(MODEL / "scheduler" / "scheduler_config.json", SCHEDULER)
    make_lora()
    tensors = {}
    for one in CASES:
        loop = Loop(one)
        latents = loop.draw()
        if one["request"]["guidance"] in ("none", "cfg"):
            if one.get("lora"):
                loop.pipe.set_adapters(["lora"], [1.0])
            own = by_pipeline(loop.pipe, one["request"])
            error = (own - latents).abs().max() / own.abs().max()
            assert error < 1e-4, f"{one['name']}: the loop differs from the pipeline by {error}"
            latents = own
        vae = loop.pipe.vae
        picture = vae.decode(latents / vae.config.scaling_factor, return_dict=False)[0]
        picture = (picture / 2 + 0.5).clamp(0, 1)[0].permute(1, 2, 0)
        tensors[one["name"]] = (picture * 255).round().to(torch.uint8).contiguous()
        inside = ((tensors[one["name"]] > 0) & (tensors[one["name"]] < 255)).float().mean()
        cfg = tensors.get("cfg-bare", tensors[one["name"]])
        other = (tensors[one["name"]].float() - cfg.float()).abs().mean() if cfg.shape == tensors[one["name"]].shape else float("nan")
        print(f"{one['name']:32} std {picture.std() * 255:5.0f} inside {inside:6.1%} latents {latents.std():6.2f} from cfg-bare {other:6.1f}", flush=True)
    save_file(tensors, OUT / "pictures.safetensors")
    (OUT / "cases.json").write_text(json.dumps({"cases": CASES}, indent=1) + "\n")


if __name__ == "__main__":
    main()
