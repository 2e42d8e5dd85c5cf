"""Writes pretraining/fixtures/muon.safetensors: three steps of torch.optim.Muon on a wide, a tall and a square matrix.

    python pretraining/muon.py [FILE]

Torch iterates in bfloat16, which would hide differences below 0.01, so float32 is forced here.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

file = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "fixtures" / "muon.safetensors"
torch.Tensor.bfloat16 = lambda self: self.float()

random = torch.Generator().manual_seed(5)
shapes = {"wide": (6, 20), "tall": (20, 6), "square": (9, 9)}
parameters = {name: torch.nn.Parameter(torch.randn(shape, generator=random)) for name, shape in shapes.items()}
optimizer = torch.optim.Muon(parameters.values(), lr=1e-2, weight_decay=1e-2, momentum=0.95, adjust_lr_fn="match_rms_adamw")
tensors = {f"initial {name}": parameter.detach().clone() for name, parameter in parameters.items()}
for step in range(3):
    for name, parameter in parameters.items():
        parameter.grad = torch.randn(parameter.shape, generator=random)
        tensors[f"gradient {step} {name}"] = parameter.grad.clone()
    optimizer.step()
for name, parameter in parameters.items():
    tensors[f"final {name}"] = parameter.detach().clone()
save_file(tensors, file)
