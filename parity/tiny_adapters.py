"""Adapters with random weights, in the formats of their original tools."""

import json
import shutil

import torch
from diffusers import StableDiffusionPipeline
from diffusers.models.attention_processor import CustomDiffusionAttnProcessor2_0
from diffusers.training_utils import _collate_lora_metadata
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
# Size of a weight's change relative to the weight.
STRONG, MILD = 0.8, 0.35


def make_adapters(folder, pipelines):
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "custom-diffusion").mkdir(parents=True)
    sd15, sd21 = pipelines / "sd15", pipelines / "sd21"
    peft_lora(sd15, folder, "lora-peft.safetensors", seed=11, rank=4, alpha=8)
    peft_lora(sd15, folder, "lora-diffusers.safetensors", seed=12, rank=4, alpha=4, convert=True)
    peft_lora(sd21, folder, "lora-sd21.safetensors", seed=13, rank=4, alpha=4)
    old_diffusers_lora(sd15, folder / "lora-diffusers-old.safetensors", seed=14)
    kohya_lora(sd15, folder / "lora-kohya.safetensors", seed=15)
    custom_diffusion(sd15, folder / "custom-diffusion", seed=16)
    textual_inversion(sd15, folder / "ti.safetensors", seed=17)
    for file in folder.glob("*.safetensors"):
        sort_metadata(file)


def peft_lora(model, folder, file, seed, rank, alpha, convert=False):
    """The output of a training script: PEFT's names unchanged, or converted as in train_dreambooth_lora.py."""
    unet = StableDiffusionPipeline.from_pretrained(model).unet
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=alpha, init_lora_weights="gaussian", target_modules=ATTENTION))
    generator = torch.Generator().manual_seed(seed)
    layers = get_peft_model_state_dict(unet)
    for key, tensor in layers.items():
        size = tensor.shape[1] ** -0.5
        strength = 1 if ".lora_A." in key else STRONG * rank / alpha
        layers[key] = torch.randn(tensor.shape, generator=generator) * size * strength
    StableDiffusionPipeline.save_lora_weights(
        folder,
        unet_lora_layers=convert_state_dict_to_diffusers(layers) if convert else layers,
        weight_name=file,
        **_collate_lora_metadata({"unet": unet}),
    )


def old_diffusers_lora(model, file, seed, rank=3):
    """The format of Diffusers 0.17 to 0.24: attention processors in the U-Net, `lora_linear_layer` in the text encoder."""
    pipe = StableDiffusionPipeline.from_pretrained(model)
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, module in linear_modules(pipe.unet):
        attention, _, projection = name.removesuffix(".0").rpartition(".")
        if projection in ("to_q", "to_k", "to_v", "to_out"):
            pair = factors(generator, rank, module.weight.shape, STRONG)
            put(tensors, f"unet.{attention}.processor.{projection}_lora", ("down", "up"), pair)
    for name, module in text_modules(pipe.text_encoder, attention_only=True):
        pair = factors(generator, rank, module.weight.shape, MILD)
        put(tensors, f"text_encoder.{name}.lora_linear_layer", ("down", "up"), pair)
    save_file(tensors, file, metadata={"format": "pt"})


def kohya_lora(model, file, seed, rank=4, conv_rank=2):
    """The format of kohya's sd-scripts for a LoRA with convolutions: half precision, an alpha in each module."""
    pipe = StableDiffusionPipeline.from_pretrained(model)
    generator = torch.Generator().manual_seed(seed)
    tensors = {}

    def add(prefix, name, module, strength):
        shape = module.weight.shape
        r = conv_rank if len(shape) == 4 and shape[2] == 3 else rank
        alpha = r / 2
        pair = factors(generator, r, shape, strength * r / alpha)
        module_name = f"{prefix}_{name.replace('.', '_')}"
        put(tensors, module_name, ("lora_down", "lora_up"), [factor.half() for factor in pair])
        tensors[f"{module_name}.alpha"] = torch.tensor(alpha, dtype=torch.float16)

    for name, module in text_modules(pipe.text_encoder):
        add("lora_te", name, module, MILD)
    for name, module in pipe.unet.named_modules():
        trained = any(part in name for part in (".attentions.", ".resnets.", "samplers."))
        if trained and isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)):
            add("lora_unet", name, module, MILD)
    save_file(
        tensors,
        file,
        metadata={
            "ss_base_model_version": "sd_v1",
            "ss_network_module": "networks.lora",
            "ss_network_dim": str(rank),
            "ss_network_alpha": str(rank / 2),
            "ss_network_args": json.dumps({"conv_dim": conv_rank, "conv_alpha": conv_rank / 2}),
            "ss_output_name": "lora-kohya",
        },
    )


@torch.no_grad()
def custom_diffusion(model, folder, seed):
    """Cross-attention keys and values by `save_attn_procs`, and the modifier token beside them."""
    pipe = StableDiffusionPipeline.from_pretrained(model)
    generator = torch.Generator().manual_seed(seed)
    processors = {}
    for name in pipe.unet.attn_processors:
        attention = pipe.unet.get_submodule(name.removesuffix(".processor"))
        crosses = name.endswith("attn2.processor")
        processors[name] = CustomDiffusionAttnProcessor2_0(
            train_kv=crosses,
            train_q_out=False,
            hidden_size=attention.to_q.in_features,
            cross_attention_dim=attention.to_k.in_features if crosses else None,
        )
        if crosses:
            for projection in ("to_k", "to_v"):
                weight = getattr(attention, projection).weight
                change = torch.randn(weight.shape, generator=generator) / weight.shape[1] ** 0.5
                getattr(processors[name], f"{projection}_custom_diffusion").weight.copy_(weight + change * STRONG)
    pipe.unet.set_attn_processor(processors)
    pipe.unet.save_attn_procs(folder)
    width = pipe.text_encoder.config.hidden_size
    save_file({"<new1>": torch.randn(width, generator=generator) * 2}, folder / "new1.safetensors")  # "<" is invalid in file names on Windows


def textual_inversion(model, file, seed):
    """The format of textual_inversion.py for a token of two vectors."""
    width = StableDiffusionPipeline.from_pretrained(model).text_encoder.config.hidden_size
    vectors = torch.randn(2, width, generator=torch.Generator().manual_seed(seed)) * 2
    save_file({"<cat>": vectors}, file, metadata={"format": "pt"})


def sort_metadata(file):
    """Sorts the metadata, whose order in the safetensors library changes between runs."""
    content = file.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    if "__metadata__" in header:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write_bytes(len(text).to_bytes(8, "little") + text + content[end:])


def factors(generator, rank, weight, strength):
    """Down [rank, in, ...] and up [out, rank, ...] whose product is `strength` times as large as one of our weights."""
    fan_in = torch.Size(weight[1:]).numel()
    kernel = [1] * (len(weight) - 2)
    down = torch.randn(rank, *weight[1:], generator=generator) / fan_in**0.5
    up = torch.randn(weight[0], rank, *kernel, generator=generator) * strength / rank**0.5
    return down, up


def put(tensors, name, ends, pair):
    for end, tensor in zip(ends, pair):
        tensors[f"{name}.{end}.weight"] = tensor.contiguous()


def linear_modules(network):
    return [(name, module) for name, module in network.named_modules() if isinstance(module, torch.nn.Linear)]


def text_modules(encoder, attention_only=False):
    """Names as in adapters: with the prefix `text_model.`, which newer Transformers dropped."""
    for name, module in linear_modules(encoder):
        if not attention_only or ".self_attn." in name:
            yield name if name.startswith("text_model.") else f"text_model.{name}", module
