"""Writes parity/fixtures/sana-networks: tiny SANA networks with random weights, and the libraries' outputs.

    python parity/sana_networks.py [FOLDER]
"""

import copy
import json
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from diffusers import AutoencoderDC, SanaTransformer2DModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import Gemma2Config, Gemma2Model, GemmaTokenizer

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "fixtures" / "sana-networks"
shutil.rmtree(folder, ignore_errors=True)
folder.mkdir(parents=True)


def randomised(model, dtype, unit_norms=True, seed=0):
    """Makes every tensor random (norms around 1), since zeros would hide a missing table or bias, and exact in `dtype`."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            value = torch.randn(parameter.shape, generator=generator) * 0.2
            if unit_norms and "norm" in name and name.endswith("weight"):
                value += 1
            parameter.copy_(value.to(dtype))
    return model.eval()


def save(model, name, dtype):
    copy.deepcopy(model).to(dtype).save_pretrained(folder / name)


def answers(name, tensors):
    save_file({key: value.detach().float().contiguous() for key, value in tensors.items()}, folder / f"{name}.safetensors")


# --- The transformer -------------------------------------------------------------------------------------------------

tiny = {
    "in_channels": 4,
    "out_channels": 4,
    "num_attention_heads": 3,
    "attention_head_dim": 8,
    "num_layers": 2,
    "num_cross_attention_heads": 2,
    "cross_attention_head_dim": 12,
    "cross_attention_dim": 24,
    "caption_channels": 32,
    "sample_size": 8,
}
variants = {
    "plain": {},
    "qk_norm": {"qk_norm": "rms_norm_across_heads"},
    "positions": {"interpolation_scale": 2.0},
    "patches": {"patch_size": 2},
    "affine": {"norm_elementwise_affine": True},
    "biased": {"attention_bias": True},
    "narrow": {"cross_attention_head_dim": 6},
}
torch.manual_seed(1)
given = {
    "latents": torch.randn(2, 4, 8, 12),
    "latents_square": torch.randn(2, 4, 8, 8),
    "timestep": torch.tensor([999.0, 412.0]),
    "text": torch.randn(2, 7, 32),
    "mask": torch.tensor([[1.0] + [0.0] * 6, [1.0] * 5 + [0.0] * 2]),
}


def predict(model, latents):
    return model(
        latents,
        encoder_hidden_states=given["text"],
        encoder_attention_mask=given["mask"],
        timestep=given["timestep"],
    ).sample


results, own = {}, {}
plain = randomised(SanaTransformer2DModel(**tiny), torch.float16)
save(plain, "transformer", torch.float16)
shared = load_file(folder / "transformer" / "diffusion_pytorch_model.safetensors")
for variant, config in variants.items():
    # A variant shares the plain one's tensors, except new ones and those with another shape.
    model = randomised(SanaTransformer2DModel(**{**tiny, **config}), torch.float16, seed=2)
    state = model.state_dict()
    same = {key for key, value in state.items() if key in shared and shared[key].shape == value.shape}
    model.load_state_dict({**state, **{key: shared[key].float() for key in same}})
    own.update({f"{variant}: {key}": value.half().contiguous() for key, value in state.items() if key not in same})
    with torch.no_grad():
        results[variant] = predict(model, given["latents"])
        results[f"{variant}, square"] = predict(model, given["latents_square"])
save_file(own, folder / "transformer-variants.safetensors")
(folder / "transformer-variants.json").write_text(json.dumps({name: {**tiny, **config} for name, config in variants.items()}, indent=1) + "\n")

# The linear layers that SANA's LoRAs train, and the gradients of a loss with respect to the matrices; alpha / rank is 2.
trained = SanaTransformer2DModel.from_pretrained(folder / "transformer")
trained.add_adapter(LoraConfig(r=4, lora_alpha=8, target_modules=["to_q", "to_k", "to_v"]))
generator = torch.Generator().manual_seed(3)
lora = {name: parameter for name, parameter in trained.named_parameters() if "lora_" in name}
with torch.no_grad():
    for parameter in lora.values():
        parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
given["target"] = torch.randn(2, 4, 8, 12)
prediction = predict(trained, given["latents"])
loss = (prediction - given["target"]).square().mean()
loss.backward()
assert not torch.allclose(prediction, results["plain"])
for name, value in get_peft_model_state_dict(trained).items():
    given[f"lora: {name}"] = value
for name, parameter in lora.items():
    results[f"gradient: {name.replace('.default', '')}"] = parameter.grad
answers("transformer-answers", {**given, **results, "lora": prediction, "loss": loss})

# --- The autoencoder -------------------------------------------------------------------------------------------------

small = {
    "latent_channels": 4,
    "attention_head_dim": 8,
    **{f"{side}_block_types": ["ResBlock", "ResBlock", "EfficientViTBlock", "EfficientViTBlock"] for side in ("encoder", "decoder")},
    **{f"{side}_block_out_channels": [8, 8, 16, 16] for side in ("encoder", "decoder")},
    **{f"{side}_layers_per_block": [1, 2, 1, 1] for side in ("encoder", "decoder")},
    **{f"{side}_qkv_multiscales": [[], [], [5], [5]] for side in ("encoder", "decoder")},
    "scaling_factor": 0.41407,
}
strided = {"upsample_block_type": "interpolate", "downsample_block_type": "Conv"}
forms = {
    # As in SANA's folders, the class's defaults, and changes in other releases.
    "interpolate": strided,
    "shuffle": {},
    "stages": {**strided, "decoder_act_fns": ["relu", "silu", "relu", "silu"], "encoder_out_shortcut": False, "decoder_in_shortcut": False},
}
torch.manual_seed(4)
pictures = {"picture": torch.rand(1, 3, 32, 48) * 2 - 1, "picture_small": torch.rand(2, 3, 16, 16) * 2 - 1}
latents = {"latents": torch.randn(1, 4, 4, 6), "latents_small": torch.randn(2, 4, 2, 2)}
results, own = {}, {}
base = randomised(AutoencoderDC(**small, **forms["interpolate"]), torch.float16)
save(base, "vae", torch.float16)
shared = load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")
for form, config in forms.items():
    model = randomised(AutoencoderDC(**{**small, **config}), torch.float16, seed=5)
    state = model.state_dict()
    same = {key for key, value in state.items() if key in shared and shared[key].shape == value.shape}
    model.load_state_dict({**state, **{key: shared[key].float() for key in same}})
    own.update({f"{form}: {key}": value.half().contiguous() for key, value in state.items() if key not in same})
    with torch.no_grad():
        for (name, picture), (latent_name, latent) in zip(pictures.items(), latents.items()):
            results[f"{form}: encoded {name}"] = model.encode(picture).latent
            results[f"{form}: decoded {latent_name}"] = model.decode(latent).sample
    if form == "interpolate":
        leaf = latents["latents_small"].clone().requires_grad_()
        decoded = model.decode(leaf).sample
        weights = torch.randn(decoded.shape)
        (decoded * weights).sum().backward()
        results |= {"gradient": leaf.grad, "weights": weights}
save_file(own, folder / "vae-forms.safetensors")
(folder / "vae-forms.json").write_text(json.dumps({form: {**small, **config} for form, config in forms.items()}, indent=2) + "\n")
answers("vae-answers", {**pictures, **latents, **results})

# --- The text encoder ------------------------------------------------------------------------------------------------

config = Gemma2Config(
    vocab_size=300,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    query_pre_attn_scalar=12,
    sliding_window=5,
    attn_logit_softcapping=2.0,
    max_position_embeddings=64,
    bos_token_id=2,
    eos_token_id=1,
    pad_token_id=0,
)
# Gemma's norms multiply by 1 + the weight.
gemma = randomised(Gemma2Model(config), torch.bfloat16, unit_norms=False)
save(gemma, "text_encoder", torch.bfloat16)
torch.manual_seed(6)
ids = torch.tensor([[2, 17, 256, 299, 4, 31, 108, 5], [2, 88, 13, 13, 201, 77, 260, 9]])
with torch.no_grad():
    text = gemma(ids).last_hidden_state
    short = gemma(ids[:, :3]).last_hidden_state
leaf = gemma.embed_tokens(ids).detach().requires_grad_()
weights = torch.randn(text.shape)
(gemma(inputs_embeds=leaf).last_hidden_state * weights).sum().backward()
answers("text_encoder-answers", {"ids": ids.int(), "text": text, "short": short, "weights": weights, "gradient": leaf.grad})

# The same network with the config as older versions wrote it.
saved = json.loads((folder / "text_encoder" / "config.json").read_text())
older = {key: value for key, value in saved.items() if key not in ("rope_parameters", "layer_types")}
older |= {"rope_theta": 10000.0, "hidden_act": "gelu_pytorch_tanh"}
with tempfile.TemporaryDirectory() as place:
    shutil.copytree(folder / "text_encoder", place, dirs_exist_ok=True)
    (Path(place) / "config.json").write_text(json.dumps(older))
    again = Gemma2Model.from_pretrained(place, dtype=torch.float32).eval()
    with torch.no_grad():
        assert torch.equal(again(ids).last_hidden_state, text)
(folder / "text_encoder-older.json").write_text(json.dumps(older, indent=2, sort_keys=True) + "\n")

# --- The tokenizer ---------------------------------------------------------------------------------------------------

letters = [chr(ord("a") + i) for i in range(26)]
words = ["▁a", "▁c", "at", "▁cat", "▁re", "d", "▁red", "\n\n", "▁▁", "12", "é"]
specials = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
pieces = [*specials, *(f"<0x{i:02X}>" for i in range(256)), "▁", *letters, *"AC!,.0123\n", *words]
vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
merges = [("▁", "a"), ("▁", "c"), ("a", "t"), ("▁c", "at"), ("▁", "r"), ("▁r", "e"), ("▁re", "d"), ("\n", "\n"), ("▁", "▁"), ("1", "2")]
vocabulary |= {piece: len(vocabulary) + i for i, piece in enumerate(["▁r"])}
tokenizer = GemmaTokenizer(vocab=vocabulary, merges=merges, add_bos_token=True)
tokenizer.save_pretrained(folder / "tokenizer")
probes = ["", "a cat", " a cat", "  a  red cat ", "A Cat!", "café, ŝipo", "a cat\n\nred", "猫 12", "🐈", "<bos>a", "cat<eos>", "a\u00a0cat", "Σας"]
cases = [{"text": text, "ids": tokenizer(text)["input_ids"]} for text in probes]
(folder / "tokenizer-cases.json").write_text(json.dumps(cases, ensure_ascii=False, indent=1) + "\n")
print(*cases, sep="\n")
