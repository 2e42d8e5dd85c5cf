"""Writes parity/fixtures/kinds: adapters other than plain LoRA, written by LyCORIS and PEFT, and the outputs they give
in sd15's networks at strengths 1 and 0.6. See parity/README.md.

    pip install lycoris-lora==4.1.3
    python parity/adapter_kinds.py
"""

import copy
import json
import shutil
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from lycoris.modules.full import FullModule
from lycoris.modules.glora import GLoRAModule
from lycoris.modules.ia3 import IA3Module
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule
from lycoris.modules.norms import NormModule
from peft import IA3Config, LoHaConfig, LoKrConfig, LoraConfig, get_peft_model
from safetensors.torch import save_file

from reference_models import token_ids
from tiny_adapters import sort_metadata

PROMPTS = ["a red cat wearing a santa hat in the snow", ""]
TIMESTEPS = [951.0, 401.0, 1.0]
LAYERS = [
    "mid_block.attentions.0.transformer_blocks.0.attn1.to_q",
    "mid_block.attentions.0.transformer_blocks.0.attn2.to_k",
    "up_blocks.2.attentions.0.transformer_blocks.0.ff.net.0.proj",
    "up_blocks.2.attentions.0.proj_in",
    "up_blocks.1.resnets.0.conv1",
    "up_blocks.2.resnets.1.time_emb_proj",
]
NORMS = [
    "mid_block.attentions.0.norm",
    "mid_block.attentions.0.transformer_blocks.0.norm2",
    "up_blocks.2.resnets.0.norm1",
    "conv_norm_out",
]
TEXT = ["encoder.layers.0.self_attn.q_proj", "encoder.layers.1.mlp.fc1"]
TEXT_NORMS = ["encoder.layers.1.layer_norm1", "final_layer_norm"]

here = Path(__file__).parent / "fixtures"
torch.set_num_threads(1)


def lycoris(name, make, generator, layers=LAYERS, text=TEXT):
    """A file of `make`'s modules, as kohya's trainer saves LyCORIS, and the networks merged by LyCORIS itself."""
    pipe = StableDiffusionPipeline.from_pretrained(here / "pipelines" / "sd15", requires_safety_checker=False)
    tensors = {}
    for network, prefix, names in [(pipe.unet, "lora_unet_", layers), (pipe.text_encoder, "lora_te_text_model_", text)]:
        for path in names:
            try:
                layer = network.get_submodule(path)
            except AttributeError:
                layer = network.get_submodule(f"text_model.{path}")
            flat = prefix + path.replace(".", "_")
            module = make(flat, layer)
            with torch.no_grad():
                for parameter in module.parameters():
                    if parameter.dim() > 0:
                        fan = parameter[0].numel() if parameter.dim() > 1 else 8
                        parameter.copy_(torch.randn(parameter.shape, generator=generator) * strength_of(name) / fan**0.5)
                if getattr(module, "wd", False):
                    # A magnitude close to the base's own, but different.
                    norm = magnitude(layer.weight, module.wd_on_out)
                    module.dora_scale.copy_(norm * (1 + 0.5 * torch.rand(norm.shape, generator=generator)))
                if isinstance(module, (LohaModule, LokrModule)):
                    # As in forward; get_merged_weight of version 4.1.3 applies alpha / rank twice.
                    weight, bias = layer.weight + module.get_weight(layer.weight.shape), None
                    weight = module.apply_weight_decompose(weight) if module.wd else weight
                else:
                    weight, bias = module.get_merged_weight(1.0, layer.weight.shape)
                if name == "full":
                    state = {"diff": module.weight.detach().clone()}
                    weight = layer.weight + module.weight
                    if module.bias is not None:
                        state["diff_b"] = module.bias.detach().clone()
                        bias = layer.bias + module.bias
                elif hasattr(module, "custom_state_dict"):
                    state = module.custom_state_dict()
                    state = state if state is not None else module.state_dict()
                else:
                    state = module.state_dict()
                tensors |= {f"{flat}.{key}": value.detach().clone().contiguous() for key, value in state.items()}
                layer.weight.copy_(weight.reshape(layer.weight.shape))
                if bias is not None:
                    layer.bias.copy_(bias)
    file = here / "kinds" / f"{name}.safetensors"
    save_file(tensors, file, metadata={"format": "pt"})
    sort_metadata(file)
    return pipe


def strength_of(name):
    return {"full": 0.5, "norms": 1, "ia3": 2, "lokr": 1}.get(name, 1.2)


def magnitude(weight, by_output):
    norm = weight if by_output else weight.transpose(0, 1)
    norm = norm.reshape(norm.shape[0], -1).norm(dim=1).reshape(-1, *[1] * (weight.dim() - 1))
    return norm if by_output else norm.transpose(0, 1)


def peft(name, config, generator):
    """A folder saved by PEFT, and the U-Net merged by PEFT."""
    pipe = StableDiffusionPipeline.from_pretrained(here / "pipelines" / "sd15", requires_safety_checker=False)
    model = get_peft_model(pipe.unet, config)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            if "magnitude" in key:
                parameter.mul_(1 + 0.5 * torch.rand(parameter.shape, generator=generator))
            elif "ia3" in key:
                parameter.copy_(1 + 0.7 * torch.randn(parameter.shape, generator=generator))
            else:
                fan = parameter[0].numel() if parameter.dim() > 1 else 8
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 1.2 / fan**0.5)
    folder = here / "kinds" / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "adapter_config.json").read_text())
    config = {key: sorted(value) if key.endswith("modules") and isinstance(value, (list, set)) else value for key, value in config.items()}
    (folder / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": None}, indent=2) + "\n")
    sort_metadata(folder / "adapter_model.safetensors")
    pipe.unet = model.merge_and_unload()
    return pipe


@torch.no_grad()
def answers(base, tuned):
    """The networks' outputs at W0 + omega (W1 - W0)."""
    ids = token_ids(here / "pipelines" / "sd15", PROMPTS)
    context = base.text_encoder(ids).last_hidden_state[[0, 1, 0]]
    latents = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(100))
    inputs = {"ids": ids.int(), "timesteps": torch.tensor(TIMESTEPS), "context": context, "latents": latents}
    tensors = {}
    texts = [base.text_encoder(ids).last_hidden_state]
    for suffix, omega in [("0", 0.0), ("06", 0.6), ("1", 1.0)]:
        mixed = {part: copy.deepcopy(getattr(base, part)) for part in ("unet", "text_encoder")}
        for part, network in mixed.items():
            before, after = getattr(base, part).state_dict(), getattr(tuned, part).state_dict()
            assert before.keys() == after.keys()
            network.load_state_dict({key: (1 - omega) * before[key] + omega * after[key] for key in before})
        tensors[f"prediction_{suffix}"] = mixed["unet"](latents, torch.tensor(TIMESTEPS), encoder_hidden_states=context).sample
        tensors[f"text_{suffix}"] = mixed["text_encoder"](ids).last_hidden_state
    change = (tensors["prediction_1"] - tensors["prediction_0"]).abs().mean() / tensors["prediction_0"].abs().mean()
    text = (tensors["text_1"] - texts[0]).abs().mean() / texts[0].abs().mean()
    return inputs, tensors, change, text


def generator(seed):
    return torch.Generator().manual_seed(seed)


def lycoris_of(kind, dim=2, alpha=1.5, **options):
    return lambda name, layer: kind(name, layer, 1.0, dim, alpha, **options)


def kinds():
    """Writes every adapter, and returns the networks with each merged, by name."""
    (here / "kinds").mkdir(exist_ok=True)
    attention = dict(target_modules=["mid_block.attentions.0.transformer_blocks.0.attn1.to_q", "up_blocks.2.resnets.0.conv1"])
    return {
        "locon": lycoris("locon", lycoris_of(LoConModule, use_tucker=True), generator(1)),
        "dora": lycoris("dora", lycoris_of(LoConModule, weight_decompose=True, wd_on_out=True), generator(2)),
        "dora-by-input": lycoris("dora-by-input", lycoris_of(LoConModule, weight_decompose=True, wd_on_out=False), generator(3)),
        "loha": lycoris("loha", lycoris_of(LohaModule), generator(4)),
        "loha-wide": lycoris("loha-wide", lycoris_of(LohaModule, dim=5, use_tucker=True), generator(5)),
        "lokr": lycoris("lokr", lycoris_of(LokrModule, factor=2), generator(6)),
        "lokr-whole": lycoris("lokr-whole", lycoris_of(LokrModule, dim=1000, factor=4), generator(7)),
        "lokr-tucker": lycoris("lokr-tucker", lycoris_of(LokrModule, dim=1, factor=4, use_tucker=True, decompose_both=True), generator(8)),
        "lokr-dora": lycoris("lokr-dora", lycoris_of(LokrModule, factor=2, weight_decompose=True), generator(9)),
        "glora": lycoris("glora", lycoris_of(GLoRAModule), generator(10)),
        "ia3": lycoris("ia3", lycoris_of(IA3Module), generator(11)),
        "full": lycoris("full", lycoris_of(FullModule), generator(12)),
        "norms": lycoris("norms", lambda name, layer: NormModule(name, layer, 1.0), generator(13), NORMS, TEXT_NORMS),
        "peft-dora": peft("peft-dora", LoraConfig(r=3, lora_alpha=2, use_dora=True, **attention), generator(14)),
        "peft-bias": peft("peft-bias", LoraConfig(r=3, lora_alpha=2, lora_bias=True, target_modules=["mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0", "up_blocks.1.resnets.1.conv2"]), generator(15)),
        "peft-loha": peft("peft-loha", LoHaConfig(r=2, alpha=3, rank_pattern={"^mid.*to_q": 3}, **attention), generator(16)),
        "peft-lokr": peft("peft-lokr", LoKrConfig(r=2, alpha=3, **attention), generator(17)),
        "peft-ia3": peft("peft-ia3", IA3Config(target_modules=["to_v", "ff.net.2"], feedforward_modules=["ff.net.2"]), generator(18)),
    }


if __name__ == "__main__":
    base = StableDiffusionPipeline.from_pretrained(here / "pipelines" / "sd15", requires_safety_checker=False)
    for name, pipe in kinds().items():
        inputs, tensors, change, text = answers(base, pipe)
        assert change > 0.02, f"{name} changes too little: {change}"
        print(f"{name}: changes predictions by {change:.0%}, the text by {text:.0%}")
        for file, contents in [("inputs", inputs), (f"{name}.answers", tensors)]:
            contents = {key: value.detach().contiguous() for key, value in contents.items() if not key.endswith("_0")}
            save_file(contents, here / "kinds" / f"{file}.safetensors")
