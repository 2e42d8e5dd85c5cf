"""Adapters for the tiny SDXL pipeline in every spelling that people share, and whole pictures with them.

    python parity/sdxl_adapters.py

writes parity/fixtures/sdxl-adapters/, after sdxl_pictures.py. Diffusers loads the files it can read, and for the rest the weights
are merged here; where it can, both are done and compared. Style guidance is PairCustomization's equation 10, written out.
"""

import json
import shutil
import warnings

import torch
from safetensors.torch import save_file

from sdxl_pictures import HERE, Loop, by_pipeline, load

warnings.filterwarnings("ignore")
OUT = HERE / "fixtures" / "sdxl-adapters"
PARTS = ("unet", "text_encoder", "text_encoder_2")


# LDM's names by a table for this network: three levels of two resnets each, with attention on the last two levels. Each
# row is written out from the layout of sd_xl_base_1.0.safetensors.
BLOCKS = {
    "down_blocks.0.resnets.0": "input_blocks.1.0", "down_blocks.0.resnets.1": "input_blocks.2.0",
    "down_blocks.0.downsamplers.0.conv": "input_blocks.3.0.op",
    "down_blocks.1.resnets.0": "input_blocks.4.0", "down_blocks.1.attentions.0": "input_blocks.4.1",
    "down_blocks.1.resnets.1": "input_blocks.5.0", "down_blocks.1.attentions.1": "input_blocks.5.1",
    "down_blocks.1.downsamplers.0.conv": "input_blocks.6.0.op",
    "down_blocks.2.resnets.0": "input_blocks.7.0", "down_blocks.2.attentions.0": "input_blocks.7.1",
    "down_blocks.2.resnets.1": "input_blocks.8.0", "down_blocks.2.attentions.1": "input_blocks.8.1",
    "mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1", "mid_block.resnets.1": "middle_block.2",
    "up_blocks.0.resnets.0": "output_blocks.0.0", "up_blocks.0.attentions.0": "output_blocks.0.1",
    "up_blocks.0.resnets.1": "output_blocks.1.0", "up_blocks.0.attentions.1": "output_blocks.1.1",
    "up_blocks.0.resnets.2": "output_blocks.2.0", "up_blocks.0.attentions.2": "output_blocks.2.1",
    "up_blocks.0.upsamplers.0.conv": "output_blocks.2.2.conv",
    "up_blocks.1.resnets.0": "output_blocks.3.0", "up_blocks.1.attentions.0": "output_blocks.3.1",
    "up_blocks.1.resnets.1": "output_blocks.4.0", "up_blocks.1.attentions.1": "output_blocks.4.1",
    "up_blocks.1.resnets.2": "output_blocks.5.0", "up_blocks.1.attentions.2": "output_blocks.5.1",
    "up_blocks.1.upsamplers.0.conv": "output_blocks.5.2.conv",
    "up_blocks.2.resnets.0": "output_blocks.6.0", "up_blocks.2.resnets.1": "output_blocks.7.0", "up_blocks.2.resnets.2": "output_blocks.8.0",
}
RESNET = {
    "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
    "norm1": "in_layers.0", "norm2": "out_layers.0",
}
OUTER = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0", "conv_out": "out.2", "conv_norm_out": "out.0",
}


def ldm(path):
    if path in OUTER:
        return OUTER[path]
    for block, name in BLOCKS.items():
        if path == block:
            return name
        if path.startswith(block + "."):
            rest = path[len(block) + 1 :]
            return f"{name}.{RESNET[rest] if '.resnets.' in block else rest}"
    raise KeyError(path)


def hf(path, five=False):
    """A text encoder's path, as Transformers 4 has it, or Transformers 5 for the first encoder."""
    bare = path.removeprefix("text_model.")
    return bare if five else f"text_model.{bare}"


def modules(pipe, part, pattern):
    network = getattr(pipe, part)
    return [(path, module) for path, module in network.named_modules() if getattr(module, "weight", None) is not None and pattern(path, module)]


def attention(path, module):
    return ".attn" in path and path.split(".")[-1] in ("to_q", "to_k", "to_v", "0") and module.weight.dim() == 2


def clip_attention(path, module):
    return path.endswith(("q_proj", "k_proj", "v_proj", "out_proj"))


def everything(path, module):
    return module.weight.dim() in (2, 4)


def clip_layers(path, module):
    return ".layers." in path and module.weight.dim() == 2


def factors(generator, module, rank, size):
    out, *inner = module.weight.shape
    if module.weight.dim() == 4 and inner[1:] != [1, 1]:
        down = torch.randn(rank, *inner, generator=generator)
        up = torch.randn(out, rank, 1, 1, generator=generator)
    else:
        down = torch.randn(rank, *inner, generator=generator)
        up = torch.randn(out, rank, *[1] * (module.weight.dim() - 2), generator=generator)
    down *= size / down[0].numel() ** 0.5 * 0.7
    return down.half(), (up * 0.5).half()


def draw(pipe, seed, of, rank=2, size=1.0):
    """Factors by part and path."""
    generator = torch.Generator().manual_seed(seed)
    return {part: {path: factors(generator, module, rank, size) for path, module in modules(pipe, part, of[part])} for part in of}


LORA = {"unet": attention, "text_encoder": clip_attention, "text_encoder_2": clip_attention}
WIDE = {"unet": everything, "text_encoder": clip_layers, "text_encoder_2": clip_layers}
UNET = {"unet": attention}


def spelled(drawn, key, alpha=None):
    """`key` names the two halves of a module and, with an alpha, that."""
    tensors = {}
    for part, paths in drawn.items():
        for path, (down, up) in paths.items():
            down_key, up_key, *alpha_key = key(part, path)
            tensors |= {down_key: down.contiguous(), up_key: up.contiguous()}
            if alpha is not None:
                tensors[alpha_key[0]] = torch.tensor(float(alpha))
    return tensors


def diffusers_script(five):
    def key(part, path):
        if part == "unet":
            return f"unet.{path}.lora.down.weight", f"unet.{path}.lora.up.weight"
        stem = f"{part}.{hf(path, five and part == 'text_encoder')}.lora_linear_layer"
        return f"{stem}.down.weight", f"{stem}.up.weight"
    return key


def old_processors(part, path):
    site, name = path.removesuffix(".0").rsplit(".", 1)
    stem = f"unet.{site}.processor.{name}_lora"
    return f"{stem}.down.weight", f"{stem}.up.weight"


def peft(part, path):
    stem = f"{part}.{path if part == 'unet' else hf(path)}"
    return f"{stem}.lora_A.weight", f"{stem}.lora_B.weight"


TE = {"text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}


def kohya(name, prefix=None):
    def key(part, path):
        flat = (name(path) if part == "unet" else hf(path)).replace(".", "_")
        stem = (prefix or {"unet": "lora_unet_", **TE}[part]) + flat
        return f"{stem}.lora_down.weight", f"{stem}.lora_up.weight", f"{stem}.alpha"
    return key


def comfy(part, path):
    stem = {
        "unet": lambda: f"diffusion_model.{ldm(path)}",
        "text_encoder": lambda: f"text_encoders.clip_l.transformer.{hf(path)}",
        "text_encoder_2": lambda: f"text_encoders.clip_g.transformer.{hf(path)}",
    }[part]()
    return f"{stem}.lora_down.weight", f"{stem}.lora_up.weight", f"{stem}.alpha"


def merged(drawn, factor=1.0, pipe=None):
    """The pipeline with W + factor * up down."""
    pipe = pipe or load()
    for part, paths in drawn.items():
        for path, (down, up) in paths.items():
            weight = getattr(pipe, part).get_submodule(path).weight
            down, up = down.float(), up.float()
            weight += factor * (up.flatten(1) @ down.flatten(1)).reshape(weight.shape)
    return pipe


def by_diffusers(one):
    """The pipeline with an adapter of this folder fused by Diffusers, at the case's strength or strengths by component."""
    pipe, strength = load(), one.get("strength", 1.0)
    pipe.load_lora_weights(OUT, weight_name=one["adapter"], adapter_name="lora")
    # set_adapters takes the entries out of the dictionary it is given.
    pipe.set_adapters(["lora"], [dict(strength) if isinstance(strength, dict) else strength])
    pipe.fuse_lora(components=[part for part in PARTS if getattr(getattr(pipe, part), "peft_config", None)])
    pipe.unload_lora_weights()
    return pipe


class AdapterLoop(Loop):
    """The loop over two models, of which `tuned` has the adapter in its weights; between them, weights are interpolated."""

    def __init__(self, one, tuned):
        super().__init__({**one, "lora": None})
        self.models = {0: self.pipe, 1: tuned}

    def model(self, omega):
        if omega not in self.models:
            pipe = self.models[omega] = load()
            for part in PARTS:
                before, after = (getattr(self.models[end], part).state_dict() for end in (0, 1))
                getattr(pipe, part).load_state_dict({key: omega * after[key] + (1 - omega) * before[key] for key in before})
        return self.models[omega]

    def e(self, omega, text):
        encoder = 1 if text == "null" and self.request.get("nullText") == "strong" else omega
        self.pipe = self.model(encoder)
        states, pooled = self.encoded(encoder, text)
        added = {"text_embeds": pooled, "time_ids": self.time_ids(text == "null")}
        return self.model(omega).unet(self.seen, self.t, encoder_hidden_states=states, added_cond_kwargs=added).sample

    def encoded(self, omega, text):
        """A style is the end of the prompt, except for the text "plain"."""
        prompt, style = self.request["prompt"], self.request.get("style")
        if style and text != "plain":
            self.request["prompt"] = f"{prompt} {style}"
        try:
            return super().encoded(omega, text)
        finally:
            self.request["prompt"] = prompt

    def guided(self, step):
        request = self.request
        if request["guidance"] != "style":
            return super().guided(step)
        # The authors' timestep, of 1000, from which the style counts.
        start, s, g = 1000 * (1 - request.get("styleFrom", 0)), request["scale"], request["styleScale"]
        null, plain = self.e(0, "null"), self.e(0, "plain")
        content = null + s * (plain - null)
        return content + g * (self.e(1, "c") - plain) if self.t <= start else content, None


PROMPT = "a red cat wearing a santa hat in the snow"


def case(name, adapter, guidance, **more):
    strength = {"strength": more.pop("strength")} if "strength" in more else {}
    merge = {"merged": True} if more.pop("merge", False) else {}
    request = {"prompt": PROMPT, "guidance": guidance, "scale": 5, "sampler": "euler", "steps": 20, "seed": 9, "width": 32, "height": 32}
    return {"name": name, "adapter": adapter, **strength, **merge, "request": {**request, **more}}


STYLE = dict(prompt="a photo of a cat", style="in the snow", scale=5)


def cases():
    for file in FILES:
        yield case(f"{file} cfg", f"{file}.safetensors", "cfg", merge=file in MERGED)
        yield case(f"{file} pg", f"{file}.safetensors", "pg", omega=0.3, negative="", merge=file in MERGED)
    lora = "diffusers.safetensors"
    parts = {"unet": 0.6, "text_encoder": 0.2, "text_encoder_2": 1.4}
    yield case("strengths cfg", lora, "cfg", strength=parts)
    yield case("strengths pg", lora, "pg", omega=0.3, negative="blurry, dark dog", strength=parts)
    yield case("first encoder alone", lora, "cfg", strength={"unet": 0, "text_encoder_2": 0})
    yield case("second encoder alone", lora, "cfg", strength={"unet": 0, "text_encoder": 0})
    yield case("strong null text", lora, "pg", omega=0, negative="", nullText="strong")
    yield case("pair style", "pair.safetensors", "style", styleScale=4, **STYLE)
    yield case("pair style from", "pair.safetensors", "style", styleScale=4, styleFrom=0.2, **STYLE)
    yield case("pair style negative", "pair.safetensors", "style", styleScale=5.5, **{**STYLE, "scale": 7.5}, negative="blurry, dark dog")
    yield case("pair style cfg", "pair.safetensors", "cfg", **STYLE)
    yield case("pair style pg", "pair.safetensors", "pg", omega=0, **STYLE)
    yield case("style text encoders", lora, "style", styleScale=4, **STYLE)


# Files that Diffusers does not read, or reads only in part: of the DoRA, it drops the magnitudes.
MERGED = {"comfy", "lycoris", "kohya-wide", "dora", "loha"}
FILES = [
    "diffusers", "diffusers-4", "processors", "peft", "kohya-ldm", "kohya", "kohya-ldm-wide", "kohya-wide", "comfy", "lycoris", "dora", "loha", "pair",
]


def orthonormal(drawn):
    """PairCustomization's down matrices: rows of one orthonormal basis for each input width."""
    generator, made = torch.Generator().manual_seed(33), {}
    for part, paths in drawn.items():
        for path, (down, up) in paths.items():
            width = down.shape[1]
            if width not in made:
                made[width] = torch.linalg.qr(torch.randn(width, width, generator=generator))[0]
            rank = down.shape[0]
            paths[path] = (made[width][rank : 2 * rank].contiguous(), up.float() * 0.7)
    return drawn


def make_files():
    pipe = load()
    drawn, wide, unet = draw(pipe, 31, LORA), draw(pipe, 32, WIDE, rank=1, size=0.5), draw(pipe, 34, UNET)
    pair = orthonormal(draw(pipe, 35, UNET))
    tensors = {
        "diffusers": spelled(drawn, diffusers_script(five=True)),
        "diffusers-4": spelled(drawn, diffusers_script(five=False)),
        "processors": spelled(unet, old_processors),
        "peft": spelled(drawn, peft),
        "kohya-ldm": spelled(drawn, kohya(ldm), alpha=1),
        "kohya": spelled(drawn, kohya(lambda path: path), alpha=1),
        "kohya-ldm-wide": spelled(wide, kohya(ldm), alpha=0.5),
        "kohya-wide": spelled(wide, kohya(lambda path: path), alpha=0.5),
        "comfy": spelled(drawn, comfy, alpha=1),
        "lycoris": spelled({"unet": drawn["unet"]}, kohya(lambda path: path, "lycoris_"), alpha=1),
        "pair": spelled(pair, diffusers_script(five=True)),
    }
    tuned = {
        "comfy": lambda: merged(drawn, 1 / 2), "lycoris": lambda: merged({"unet": drawn["unet"]}, 1 / 2),
        "kohya-wide": lambda: merged(wide, 1 / 2),
    }
    tensors["dora"], tuned["dora"] = dora(pipe, drawn)
    tensors["loha"], tuned["loha"] = loha(pipe)
    settings = lambda part: {"r": 2, "lora_alpha": 3, "target_modules": ["to_k", "to_q", "to_v", "to_out.0"] if part == "unet" else ["q_proj", "k_proj", "v_proj", "out_proj"]}
    configs = {f"{part}.{key}": value for part in PARTS for key, value in settings(part).items()}
    metadata = {"peft": {"lora_adapter_metadata": json.dumps(configs)}}
    for name, file in tensors.items():
        save_file(file, OUT / f"{name}.safetensors", {"format": "pt", **metadata.get(name, {})})
    return tuned


def dora(pipe, drawn):
    """kohya's DoRA by output, on the keys and values of the U-Net's cross-attentions."""
    kept = {path: pair for path, pair in drawn["unet"].items() if "attn2" in path and path.endswith(("to_k", "to_v"))}
    generator = torch.Generator().manual_seed(36)
    file = spelled({"unet": kept}, kohya(ldm), alpha=2)
    sizes = {}
    for path in kept:
        weight = pipe.unet.get_submodule(path).weight
        size = weight.norm(dim=1, keepdim=True) * (1 + 0.2 * torch.randn(weight.shape[0], 1, generator=generator))
        file[f"lora_unet_{ldm(path).replace('.', '_')}.dora_scale"] = sizes[path] = size.half()
    def tuned():
        pipe = merged({"unet": kept})
        for path, size in sizes.items():
            weight = pipe.unet.get_submodule(path).weight
            weight *= size.float() / weight.norm(dim=1, keepdim=True)
        return pipe
    return file, tuned


def loha(pipe):
    """LyCORIS' LoHa on attentions of the U-Net and of the second text encoder."""
    generator, file, changes = torch.Generator().manual_seed(37), {}, {part: {} for part in PARTS}
    for part, prefix, name in [("unet", "lora_unet_", ldm), ("text_encoder_2", "lora_te2_", hf)]:
        for path, module in modules(pipe, part, LORA[part]):
            out, width = module.weight.shape
            a1, b1, a2, b2 = (torch.randn(*shape, generator=generator).mul(0.5).half() for shape in [(out, 2), (2, width)] * 2)
            stem = prefix + name(path).replace(".", "_")
            file |= {f"{stem}.hada_w1_a": a1, f"{stem}.hada_w1_b": b1, f"{stem}.hada_w2_a": a2, f"{stem}.hada_w2_b": b2, f"{stem}.alpha": torch.tensor(1.0)}
            changes[part][path] = (a1.float() @ b1.float()) * (a2.float() @ b2.float()) / 2
    def tuned():
        pipe = load()
        for part, paths in changes.items():
            for path, change in paths.items():
                getattr(pipe, part).get_submodule(path).weight += change
        return pipe
    return file, tuned


def picture(pipe, latents):
    picture = pipe.vae.decode(latents / pipe.vae.config.scaling_factor, return_dict=False)[0]
    return ((picture / 2 + 0.5).clamp(0, 1)[0].permute(1, 2, 0) * 255).round().to(torch.uint8).contiguous()


@torch.no_grad()
def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    tuned = make_files()
    tensors, all, made, plain = {}, list(cases()), {}, {}
    bare = load()
    for one in all:
        name, request = one["name"], one["request"]
        key = json.dumps([one["adapter"], one.get("strength")])
        if key not in made:
            made[key] = tuned[one["adapter"].removesuffix(".safetensors")]() if one.get("merged") else by_diffusers(one)
        loop = AdapterLoop(one, made[key])
        latents = loop.draw()
        if request["guidance"] == "cfg" and "style" not in request:
            own = by_pipeline(made[key], request)
            error = (own - latents).abs().max() / own.abs().max()
            assert error < 1e-4, f"{name}: the loop differs from the pipeline by {error}"
        tensors[name] = picture(bare, latents)
        prompt = request["prompt"]
        if prompt not in plain:
            plain[prompt] = picture(bare, by_pipeline(load(), request)).float()
        moved = (tensors[name].float() - plain[prompt]).abs().mean()
        print(f"{name:28} std {tensors[name].float().std():5.1f} from the bare model {moved:5.1f}", flush=True)
        assert moved > 2, name
    same = [("diffusers", "diffusers-4"), ("kohya-ldm", "kohya"), ("kohya-ldm-wide", "kohya-wide"), ("kohya", "comfy")]
    for a, b in same:
        for guidance in ("cfg", "pg"):
            apart = (tensors[f"{a} {guidance}"].float() - tensors[f"{b} {guidance}"].float()).abs().max()
            assert apart <= 1, f"{a} and {b} hold the same change, but differ by {apart}"
    save_file(tensors, OUT / "pictures.safetensors")
    (OUT / "cases.json").write_text(json.dumps({"cases": all}, indent=1) + "\n")


if __name__ == "__main__":
    main()
