"""Tiled decodes and encodes of two tiny autoencoders by Diffusers' enable_tiling.

    python parity/tiles.py

writes parity/fixtures/tiles.safetensors: inputs, and what Diffusers makes of them tile by tile, with the autoencoders of
the tiny pipelines of Stable Diffusion 1.5 and SANA.
"""
from pathlib import Path

import torch
from diffusers import AutoencoderDC, AutoencoderKL
from safetensors.torch import save_file

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
FIXTURES = Path(__file__).parent / "fixtures"
generator = torch.Generator().manual_seed(5)
results = {}


@torch.no_grad()
def both(name, vae, channels, pixels, latents, picture):
    """Sides that end with whole tiles, with part of one, and inside the overlap of the last two."""
    z = torch.randn((1, channels, *latents), generator=generator)
    x = torch.rand((1, 3, *(side * pixels for side in picture)), generator=generator) * 2 - 1
    encoded = (lambda: vae.encode(x).latent) if isinstance(vae, AutoencoderDC) else (lambda: vae.encode(x).latent_dist.parameters)
    results.update({f"{name} latents": z, f"{name} picture": x})
    vae.use_tiling = True
    results.update({f"{name} decoded": vae.decode(z).sample, f"{name} encoded": encoded()})


kl = AutoencoderKL.from_pretrained(FIXTURES / "pipelines/sd15/vae").eval()
pixels = 2 ** (len(kl.config.block_out_channels) - 1)
kl.tile_latent_min_size, kl.tile_sample_min_size = 4, 4 * pixels
both("kl", kl, kl.config.latent_channels, pixels, (7, 10), (4, 9))

dc = AutoencoderDC.from_pretrained(FIXTURES / "sana-pipeline/model/vae").eval()
pixels = 2 ** (len(dc.config.encoder_block_out_channels) - 1)
dc.enable_tiling(8 * pixels, 8 * pixels, 7 * pixels, 7 * pixels)
both("dc", dc, dc.config.latent_channels, pixels, (15, 20), (9, 14))
save_file({key: value.contiguous() for key, value in results.items()}, FIXTURES / "tiles.safetensors")
