"""Small `torch.save` files in every form that Tiller reads or refuses: parity/fixtures/torch."""

import collections
import pickle
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "fixtures" / "torch"
out.mkdir(parents=True, exist_ok=True)


def save(name, value, **options):
    torch.save(value, out / name, **options)


tensors = collections.OrderedDict(
    a=torch.tensor([[1.5, -2.0, 0.25]]),
    half=torch.tensor([1.0, 65504.0, 2**-24, -0.0], dtype=torch.float16),
    bfloat=torch.tensor([3.140625, -1.0], dtype=torch.bfloat16),
    double=torch.tensor([1 / 3], dtype=torch.float64),
    ids=torch.tensor([7, -1]),
    flag=torch.tensor([True, False]),
    scalar=torch.tensor(9.0),
    empty=torch.zeros(0, 3),
    parameter=torch.nn.Parameter(torch.tensor([0.5, -7.0])),
)
whole = torch.arange(12.0).reshape(4, 3)
tensors["rows"] = whole[1:3]
tensors["again"] = whole
save("state-dict.pt", tensors)
save("state-dict-old.pt", tensors, _use_new_zipfile_serialization=False)

# Lightning's format: weights in state_dict, with an optimizer's state beside them.
save(
    "lightning.ckpt",
    {
        "epoch": 3,
        "global_step": 100,
        "state_dict": {"model.w": torch.tensor([1.0, 2.0])},
        "optimizer_states": [{"state": {0: {"step": 1, "exp_avg": torch.tensor([5.0, 6.0])}}}],
        "lr": 1e-5,
    },
)

# A textual inversion of the AUTOMATIC1111 web UI, and one of the method's own repository (a ParameterDict).
embedding = torch.arange(64.0).reshape(2, 32) / 64
save(
    "embedding.pt",
    {
        "string_to_token": {"*": 265},
        "string_to_param": {"*": embedding},
        "name": "trained-name",
        "step": 500,
        "sd_checkpoint": None,
        "sd_checkpoint_name": None,
    },
)
save(
    "embedding-old.pt",
    {
        "string_to_token": {"*": torch.tensor(265)},
        "string_to_param": torch.nn.ParameterDict({"*": torch.nn.Parameter(embedding)}),
    },
    _use_new_zipfile_serialization=False,
)
save("lone-tensor.pt", torch.tensor([4.0, 5.0]))

# Refused files.
save("transposed.pt", {"w": torch.arange(6.0).reshape(2, 3).T})
save("short.pt", {"w": torch.tensor([1], dtype=torch.int16)})
save("module.pt", torch.nn.Linear(2, 2))


class Evil:
    def __reduce__(self):
        import os

        return (os.system, ("touch pickle-was-run",))


save("evil.pt", {"w": torch.tensor([1.0]), "x": Evil()})
(out / "plain.pkl").write_bytes(pickle.dumps({"a": [1, 2]}, protocol=4))

# An encoder as in its hub repository: pytorch_model.bin, in the pre-zip format.
vit = Path(__file__).parent / "fixtures" / "encoders" / "vit"
(out / "vit").mkdir(exist_ok=True)
for beside in ("config.json", "preprocessor_config.json"):
    if (vit / beside).exists():
        (out / "vit" / beside).write_bytes((vit / beside).read_bytes())
save("vit/pytorch_model.bin", load_file(vit / "model.safetensors"), _use_new_zipfile_serialization=False)
