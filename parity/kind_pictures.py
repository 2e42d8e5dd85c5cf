"""Writes parity/fixtures/kinds/pictures.safetensors: sd15's pictures with each kind of adapter at strength 1, at strength 0.6
and as the weak row of personalization guidance; and adapters in forms that adapter_kinds.py does not write. See parity/README.md.

    pip install lycoris-lora==4.1.3
    python parity/kind_pictures.py
"""

import torch
from diffusers import StableDiffusionPipeline
from lycoris import LycorisNetwork
from peft import LoraConfig
from safetensors.torch import load_file, save_file

from adapter_kinds import generator, here, kinds, magnitude, peft
from reference_models import Fixtures, interpolated
from reference_pictures import Loop, decode
from tiny_adapters import sort_metadata

REQUEST = dict(
    prompt="a red <cat> cat wearing a santa hat", negative="", scale=3, sampler="ddim", karras=False, steps=4, seed=7, width=32, height=32
)
BLOCK = "mid_block.attentions.0.transformer_blocks.0"
# The merging below follows sd-scripts at 48d368fa557731ad0488c07304dfeba8c07910eb, networks/lora.py, `merge_to`, and
# OneTrainer at 23df3832e8f213d64c337e39f9365ba46e99fed0, modules/module/LoRAModule.py, `make_weight` and the forward passes.
fixtures = Fixtures(here / "pipelines", here / "adapters")


def bare():
    return StableDiffusionPipeline.from_pretrained(here / "pipelines" / "sd15", requires_safety_checker=False)


def with_token(pipe, vectors=None):
    """The token <cat> with two vectors: those of ti.safetensors, or given ones."""
    vectors = load_file(here / "adapters" / "ti.safetensors")["<cat>"] if vectors is None else vectors
    pipe.load_textual_inversion({"<cat>": vectors})
    return pipe


def by_diffusers(file):
    return fixtures.merged({"pipeline": "sd15", "adapters": [{"file": file, "strength": 1}]})


@torch.no_grad()
def by_kohya(file):
    """sd-scripts' own merge: linear, 1x1 and 3x3."""
    pipe = bare()
    tensors = load_file(here / "adapters" / file)
    for network, prefix in ((pipe.unet, "lora_unet_"), (pipe.text_encoder, "lora_te_text_model_")):
        for path, module in network.named_modules():
            name = prefix + path.removeprefix("text_model.").replace(".", "_")
            if f"{name}.lora_up.weight" not in tensors:
                continue
            up, down = (tensors.pop(f"{name}.lora_{half}.weight").float() for half in ("up", "down"))
            scale = tensors.pop(f"{name}.alpha").float() / down.shape[0]
            if module.weight.dim() == 2:
                change = up @ down
            elif down.shape[2:] == (1, 1):
                change = (up.squeeze(3).squeeze(2) @ down.squeeze(3).squeeze(2)).unsqueeze(2).unsqueeze(3)
            else:
                change = torch.nn.functional.conv2d(down.permute(1, 0, 2, 3), up).permute(1, 0, 2, 3)
            module.weight += change * scale
    assert not tensors, tensors.keys()
    return pipe


@torch.no_grad()
def one_trainer(name):
    """LoRA, DoRA by input and by output, LoHa and LoKr with OneTrainer's shapes, and an embedding in the file."""
    pipe, g, tensors = bare(), generator(40), {}
    draw = lambda *shape: torch.randn(shape, generator=g) * 1.2 / (torch.Size(shape[1:]).numel() or 1) ** 0.5

    def module(path, network=pipe.unet, prefix="lora_unet_"):
        layer = network.get_submodule(path)
        return layer, (prefix + path).replace(".", "_"), tuple(layer.weight.shape)

    def put(flat, **values):
        tensors.update({f"{flat}.{key.replace('__', '.')}": value.contiguous() for key, value in values.items()})

    def lora(layer, flat, shape):
        ones = [1] * (len(shape) - 2)
        down, up = draw(2, *shape[1:]), draw(shape[0], 2, *ones)
        put(flat, lora_down__weight=down, lora_up__weight=up, alpha=torch.tensor(1.0))
        return (up.view(up.size(0), -1) @ down.view(2, -1)).view(shape) * (1.0 / 2)

    for place in [module(f"{BLOCK}.attn1.to_q"), module("up_blocks.1.resnets.0.conv2"), text(pipe, module)]:
        layer, flat, shape = place
        layer.weight += lora(layer, flat, shape)
    for path, by_output in ((f"{BLOCK}.attn2.to_v", False), ("up_blocks.2.resnets.0.conv1", False), (f"{BLOCK}.ff.net.2", True)):
        layer, flat, shape = module(path)
        scale = magnitude(layer.weight, by_output) * (1 + 0.5 * torch.rand(magnitude(layer.weight, by_output).shape, generator=g))
        whole = layer.weight + lora(layer, flat, shape)
        put(flat, dora_scale=scale)
        layer.weight.copy_(scale * (whole / (magnitude(whole, by_output) + torch.finfo(whole.dtype).eps)))
    for path in (f"{BLOCK}.attn2.to_q", "up_blocks.2.resnets.1.conv2"):
        layer, flat, shape = module(path)
        ones = [1] * (len(shape) - 2)
        a, b, c, d = draw(shape[0], 2, *ones), draw(2, *shape[1:]), draw(shape[0], 2, *ones), draw(2, *shape[1:])
        put(flat, hada_w1_a=a, hada_w1_b=b, hada_w2_a=c, hada_w2_b=d, alpha=torch.tensor(1.0))
        product = lambda up, down: (up.view(up.size(0), -1) @ down.view(2, -1)).view(shape)
        layer.weight += product(a, b) * product(c, d) * (1.0 / 2)
    layer, flat, shape = module(f"{BLOCK}.attn1.to_out.0")
    one, left, right = draw(4, 4), draw(shape[0] // 4, 2), draw(2, shape[1] // 4)
    put(flat, lokr_w1=one, lokr_w2_a=left, lokr_w2_b=right, alpha=torch.tensor(1.0))
    layer.weight += torch.kron(one, left @ right) * (1.0 / 2)
    token = draw(2, 32) * 32**0.5
    tensors["bundle_emb.<cat>.clip_l"] = token
    write(name, tensors)
    return pipe, token


def text(pipe, module):
    path = "encoder.layers.0.self_attn.q_proj"
    layer, flat, shape = module(path, pipe.text_encoder, "lora_te_text_model_")
    return layer, flat, shape


@torch.no_grad()
def lycoris_network(name):
    """A whole network, with trained norms, written and merged by lycoris-lora's wrapper."""
    torch.manual_seed(41)
    pipe = bare()
    preset = {"target_module": [], "target_name": [f"{BLOCK}.attn*.to_*", "up_blocks.1.resnets.*.conv*", f"{BLOCK}.norm2"]}
    LycorisNetwork.apply_preset({"enable_conv": True, "use_fnmatch": True, **preset})
    network = LycorisNetwork(
        pipe.unet, lora_dim=2, conv_lora_dim=2, alpha=1, conv_alpha=1, network_module="locon", train_norm=True
    )
    network.apply_to()
    for path, parameter in network.named_parameters():
        fan = parameter[0].numel() if parameter.dim() > 1 else 8
        parameter.copy_(torch.randn(parameter.shape) * 1.2 / fan**0.5)
    file = here / "kinds" / f"{name}.safetensors"
    network.save_weights(str(file), torch.float32, {})
    write(name, load_file(file))
    network.restore()
    network.merge_to(1.0)
    return pipe


def write(name, tensors):
    file = here / "kinds" / f"{name}.safetensors"
    save_file({key: tensors[key].contiguous() for key in sorted(tensors)}, file, metadata={"format": "pt"})
    sort_metadata(file)


class Tuned:
    """The networks for the sampling loop."""

    def __init__(self, base, tuned):
        self.load, self.merged = lambda *_, **__: base, lambda _: tuned


def forms():
    """By name: the networks with the adapter merged, and the token's vectors if the file has them."""
    attention = [f"{BLOCK}.attn2.to_q", "up_blocks.2.resnets.0.conv1"]
    for name, pipe in kinds().items():
        yield name, pipe, None
    for file in ("lora-peft", "lora-diffusers", "lora-diffusers-old"):
        yield file, by_diffusers(f"{file}.safetensors"), None
    yield "lora-kohya", by_kohya("lora-kohya.safetensors"), None
    yield "custom-diffusion", by_diffusers("custom-diffusion/pytorch_custom_diffusion_weights.safetensors"), None
    yield "ti", bare(), None
    yield ("one-trainer", *one_trainer("one-trainer"))
    yield "lycoris-network", lycoris_network("lycoris-network"), None
    config = dict(r=3, lora_alpha=2, target_modules=attention)
    yield "peft-rslora", peft("peft-rslora", LoraConfig(**config, use_rslora=True), generator(42)), None
    yield "peft-modules", peft("peft-modules", LoraConfig(**config, modules_to_save=["conv_out", "conv_norm_out"]), generator(43)), None
    yield "peft-biases", peft("peft-biases", LoraConfig(**config, bias="lora_only"), generator(44)), None


if __name__ == "__main__":
    pictures, plain = {}, None
    for name, pipe, token in forms():
        base, tuned = with_token(bare(), token), with_token(pipe, token)
        for key, strength, guidance in (("1", 1, "cfg"), ("0.6", 0.6, "cfg"), ("weak", 1, "pg")):
            request = REQUEST | {"guidance": guidance} | ({"omega": 0.6} if guidance == "pg" else {})
            with torch.no_grad():
                loop = Loop(Tuned(base, interpolated(base, tuned, strength)), {"request": request})
                pictures[f"{name} {key}"] = torch.from_numpy(decode(base, loop.draw()))
        if plain is None:
            plain = Loop(Tuned(base, base), {"request": REQUEST | {"guidance": "cfg"}})
            with torch.no_grad():
                plain = decode(base, plain.draw())
        one, part, weak = (pictures[f"{name} {key}"].float() for key in ("1", "0.6", "weak"))
        differ = [(a - b).abs().mean().item() for a, b in ((one, torch.from_numpy(plain).float()), (one, part), (one, weak))]
        print(f"{name:20} " + " ".join(f"{value:6.1f}" for value in differ))
    save_file(pictures, here / "kinds" / "pictures.safetensors")
