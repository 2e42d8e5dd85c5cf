"""A full fine-tune blended with its base in PyTorch: the SHA-256 of the U-Net's tensors, in the order of their names.

    python parity/blends.py
"""

import hashlib
import json
from pathlib import Path

from safetensors.torch import load_file

FIXTURES = Path(__file__).parent / "fixtures"


def unet(folder, file):
    return {key: value.float() for key, value in load_file(FIXTURES / "pipelines" / folder / "unet" / file).items()}


tuned = unet("sd15", "diffusion_pytorch_model.safetensors")
pre = unet("sd15-fp16", "diffusion_pytorch_model.fp16.safetensors")
hashes = {}
for omega in (0.1, 0.4, 0.7):
    digest = hashlib.sha256()
    for key in sorted(tuned):
        digest.update(((1 - omega) * pre[key] + omega * tuned[key]).numpy().tobytes())
    hashes[str(omega)] = digest.hexdigest()
(FIXTURES / "reference" / "blends.json").write_text(json.dumps(hashes, indent=2) + "\n")
