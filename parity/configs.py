"""Writes parity/fixtures/configs: Diffusers' outputs for configs with significant nulls. See parity/README.md.

    python parity/configs.py
"""

from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

folder = Path(__file__).parent / "fixtures" / "configs"
folder.mkdir(exist_ok=True)
torch.manual_seed(5)
torch.set_num_threads(1)

# Like BK-SDM-Small and -Tiny: one layer per block, and no middle block.
unet = UNet2DConditionModel(
    sample_size=8,
    block_out_channels=(8, 16),
    layers_per_block=1,
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    mid_block_type=None,
    cross_attention_dim=32,
    attention_head_dim=2,
    norm_num_groups=4,
)
with torch.no_grad():
    for parameter in unet.parameters():
        parameter.add_(torch.randn(parameter.shape) * 0.05)
    latents, text = torch.randn(2, 4, 8, 8), torch.randn(2, 77, 32)
    prediction = unet(latents, torch.tensor([951.0, 401.0]), encoder_hidden_states=text).sample
unet.save_pretrained(folder / "distilled-unet")
save_file({"latents": latents, "text": text, "prediction": prediction.contiguous()}, folder / "distilled-unet.answers.safetensors")
