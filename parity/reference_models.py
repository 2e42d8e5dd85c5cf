"""The reference's models: loaded by Diffusers, merged, and interpolated."""

import copy
from dataclasses import dataclass

import torch
from diffusers import StableDiffusionPipeline
from diffusers.models.attention_processor import AttnProcessor2_0
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import CLIPTokenizer


@dataclass
class Fixtures:
    """The folders of pipelines and adapters."""

    pipelines: object
    adapters: object

    def load(self, case, adapters=True):
        """The pipeline with its adapters applied by Diffusers, each at its strength."""
        folder = self.pipelines / case["pipeline"]
        pipe = StableDiffusionPipeline.from_pretrained(
            folder, variant=case.get("variant"), dtype=torch.float32, requires_safety_checker=False
        )
        pipe.set_progress_bar_config(disable=True)
        loras, strengths = [], []
        for n, spec in enumerate(case["adapters"]):
            file, strength = self.adapters / spec["file"], spec["strength"]
            kind = kind_of(file)
            if kind == "tokens":
                pipe.load_textual_inversion(file.parent, weight_name=file.name)
            elif adapters and kind == "custom-diffusion":
                assert strength == 1
                # Diffusers needs the untrained self-attentions to be named too, which safetensors cannot store; without a
                # pipeline it accepts the file but does nothing.
                untrained = {name: {} for name in pipe.unet.attn_processors if ".attn1." in name}
                pipe.unet.load_attn_procs({**untrained, **load_file(file)}, _pipeline=pipe)
            elif adapters:
                pipe.load_lora_weights(file.parent, weight_name=file.name, adapter_name=f"adapter{n}")
                loras.append(f"adapter{n}")
                strengths.append(strength)
        if loras:
            pipe.set_adapters(loras, strengths)
        return pipe

    def merged(self, case):
        """Plain networks with the fine-tuned weights theta_1."""
        pipe = self.load(case)
        if pipe.get_active_adapters():
            pipe.fuse_lora(adapter_names=pipe.get_active_adapters())
            pipe.unload_lora_weights()
        processors = pipe.unet.attn_processors
        if any("CustomDiffusion" in type(p).__name__ for p in processors.values()):
            for name, processor in processors.items():
                if processor.train_kv:
                    attention = pipe.unet.get_submodule(name.removesuffix(".processor"))
                    attention.to_k.weight.data = processor.to_k_custom_diffusion.weight.data.clone()
                    attention.to_v.weight.data = processor.to_v_custom_diffusion.weight.data.clone()
            pipe.unet.set_attn_processor(AttnProcessor2_0())
        return pipe


def kind_of(file):
    with safe_open(file, "pt") as opened:
        keys = list(opened.keys())
    if any("custom_diffusion" in key for key in keys):
        return "custom-diffusion"
    return "tokens" if keys[0].startswith("<") else "lora"


@torch.no_grad()
def interpolated(base, tuned, omega):
    """theta_omega = omega theta_tuned + (1 - omega) theta_base: every weight of the U-Net and of the text encoder."""
    pipe = copy.deepcopy(base)
    for part in ("unet", "text_encoder"):
        before, after = getattr(base, part).state_dict(), getattr(tuned, part).state_dict()
        assert before.keys() == after.keys()
        getattr(pipe, part).load_state_dict({key: omega * after[key] + (1 - omega) * before[key] for key in before})
    return pipe


@torch.no_grad()
def encode(pipe, prompt):
    """Hidden states [1, 77, width] of a prompt, its learned tokens replaced, by the pipeline's own method."""
    return pipe.encode_prompt(prompt, "cpu", 1, False)[0]


def token_ids(folder, prompts):
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    return tokenizer(prompts, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
