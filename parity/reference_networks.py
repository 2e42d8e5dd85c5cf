"""Outputs of each network: text encoder, U-Net and autoencoder of each pipeline, alone and with each adapter."""

import torch
from safetensors.torch import save_file

from reference_models import interpolated, token_ids

PROMPTS = ["a red cat wearing a santa hat in the snow", ""]
TIMESTEPS = [951.0, 401.0, 1.0]
PIPELINES = [("sd15", None), ("sd21", None), ("sd21-v", None), ("sd15-fp16", "fp16")]
ADAPTERS = {
    "lora-peft": ("sd15", "lora-peft.safetensors"),
    "lora-diffusers": ("sd15", "lora-diffusers.safetensors"),
    "lora-diffusers-old": ("sd15", "lora-diffusers-old.safetensors"),
    "lora-kohya": ("sd15", "lora-kohya.safetensors"),
    "lora-sd21": ("sd21", "lora-sd21.safetensors"),
    "custom-diffusion": ("sd15", "custom-diffusion/pytorch_custom_diffusion_weights.safetensors"),
}


@torch.no_grad()
def make_networks(fixtures, folder):
    for name, variant in PIPELINES:
        pipe = fixtures.load({"pipeline": name, "variant": variant, "adapters": []})
        generator = torch.Generator().manual_seed(100)
        ids = token_ids(fixtures.pipelines / name, PROMPTS)
        text = pipe.text_encoder(ids).last_hidden_state
        tensors = {
            "ids": ids.int(),
            "text": text,
            "timesteps": torch.tensor(TIMESTEPS),
            "context": text[[0, 1, 0]],
        }
        for suffix, size in [("", (8, 8)), ("_wide", (6, 12)), ("_odd", (9, 11))]:
            latents = torch.randn(3, 4, *size, generator=generator)
            tensors[f"latents{suffix}"] = latents
            tensors[f"prediction{suffix}"] = predict(pipe, latents, tensors["context"])
        picture = torch.rand(1, 3, 32, 48, generator=generator) * 2 - 1
        latents = torch.randn(1, 4, 5, 6, generator=generator)
        tensors |= {
            "vae_picture": picture,
            "vae_moments": pipe.vae.encode(picture).latent_dist.parameters,
            "vae_latents": latents,
            "vae_decoded": pipe.vae.decode(latents).sample,
        }
        save(tensors, folder / f"networks-{name}.safetensors")

    for name, (pipeline, file) in ADAPTERS.items():
        case = {"pipeline": pipeline, "adapters": [{"file": file, "strength": 1}]}
        base, tuned = fixtures.load(case, adapters=False), fixtures.merged(case)
        ids = token_ids(fixtures.pipelines / pipeline, PROMPTS)
        context = base.text_encoder(ids).last_hidden_state[[0, 1, 0]]
        latents = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(100))
        tensors = {"ids": ids.int(), "timesteps": torch.tensor(TIMESTEPS), "context": context, "latents": latents}
        trains_text = any(not torch.equal(a, b) for a, b in zip(base.text_encoder.parameters(), tuned.text_encoder.parameters()))
        for suffix, strength in [("1", 1.0), ("06", 0.6)]:
            model = interpolated(base, tuned, strength)
            tensors[f"prediction_{suffix}"] = predict(model, latents, context)
            if trains_text:
                tensors[f"text_{suffix}"] = model.text_encoder(ids).last_hidden_state
            if name != "custom-diffusion" or strength == 1:
                # Diffusers' adapter strength must agree with the interpolated weights.
                own = fixtures.load({**case, "adapters": [{"file": file, "strength": strength}]})
                same(predict(own, latents, context), tensors[f"prediction_{suffix}"], f"{name} at {strength}")
                same(own.text_encoder(ids).last_hidden_state, model.text_encoder(ids).last_hidden_state, f"{name}'s text")
        bare = predict(base, latents, context)
        change = (tensors["prediction_1"] - bare).abs().mean() / bare.abs().mean()
        assert change > 0.2, f"{name} changes too little"
        print(f"{name}: changes predictions by {change:.0%}{', and the text encoder' if trains_text else ''}")
        save(tensors, folder / f"networks-adapter-{name}.safetensors")


def predict(pipe, latents, context):
    return pipe.unet(latents, torch.tensor(TIMESTEPS), encoder_hidden_states=context).sample


def same(found, expected, what):
    error = ((found - expected).abs().max() / expected.abs().max()).item()
    assert error < 1e-5, f"{what}: differs by {error}"


def save(tensors, file):
    save_file({key: value.detach().contiguous() for key, value in tensors.items()}, file)
