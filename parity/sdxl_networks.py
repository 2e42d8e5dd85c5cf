"""Writes parity/fixtures/sdxl-networks: the libraries' outputs of each network of parity/fixtures/sdxl-pipeline, and a
small U-Net whose transformer blocks differ on the way up, as in distilled models.

    python parity/sdxl_networks.py
"""

import shutil
import warnings
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from tiny_pipelines import draw_weights

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
MODEL = Path(__file__).parent / "fixtures" / "sdxl-pipeline" / "model"
OUT = Path(__file__).parent / "fixtures" / "sdxl-networks"


@torch.no_grad()
def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    torch.manual_seed(31)
    size = CLIPTextModel.from_pretrained(MODEL / "text_encoder").config.vocab_size
    ids = torch.randint(0, size - 2, (2, 77))
    for row, end in enumerate((9, 76)):
        ids[row, end:] = size - 1
    out = {"ids": ids.int()}
    contexts = []
    for name, kind in [("text_encoder", CLIPTextModel), ("text_encoder_2", CLIPTextModelWithProjection)]:
        encoder = kind.from_pretrained(MODEL / name, dtype=torch.float32).eval()
        states = encoder(ids, output_hidden_states=True)
        out |= {f"{name}: text": states.hidden_states[-2], f"{name}: skipping": states.hidden_states[-3]}
        contexts.append(states.hidden_states[-2])
    given = {
        "timestep": torch.tensor([981.0, 1.0]),
        "text": torch.cat(contexts, -1),
        "text_embeds": states.text_embeds,
        "time_ids": torch.tensor([[1024.0, 768, 0, 0, 1024, 1024], [512, 640, 64, 32, 999, 1]]),
        "latents": torch.randn(2, 4, 16, 16),
        "latents_wide": torch.randn(2, 4, 8, 20),
    }

    def predict(unet, latents):
        added = {"text_embeds": given["text_embeds"], "time_ids": given["time_ids"]}
        return unet(latents, given["timestep"], given["text"], added_cond_kwargs=added).sample

    small = UNet2DConditionModel(
        block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=4, cross_attention_dim=40,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=((1,), (3,)), reverse_transformer_layers_per_block=((1, 2), (1, 1)),
        attention_head_dim=(1, 2), use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 20,
    )
    draw_weights(small.eval(), torch.Generator().manual_seed(32))
    small.half().save_pretrained(OUT / "unet-reverse")
    for name, folder in [("unet", MODEL / "unet"), ("reverse", OUT / "unet-reverse")]:
        unet = UNet2DConditionModel.from_pretrained(folder, dtype=torch.float32).eval()
        for latents in ("latents", "latents_wide"):
            out[f"{name}: {latents}"] = predict(unet, given[latents])
    vae = AutoencoderKL.from_pretrained(MODEL / "vae", dtype=torch.float32).eval()
    given |= {"picture": torch.rand(1, 3, 32, 48) * 2 - 1}
    out["moments"] = vae.encode(given["picture"]).latent_dist.parameters
    out["decoded"] = vae.decode(given["latents_wide"][:1]).sample
    save_file({key: value.contiguous() for key, value in {**given, **out}.items()}, OUT / "answers.safetensors")
    for file in OUT.rglob("*"):
        if file.is_file():
            file.chmod(0o644)


if __name__ == "__main__":
    main()
