"""Replays the graphs that Tiller lowers to float16, node by node, in PyTorch's float16 on the CPU.

ONNX Runtime's CPU provider has no float16 kernels for most of these operators and computes them through float32, so it would
not notice a number that overflows float16. Here every node computes in its operands' type, with norms, softmax and sums step by
step by their definition, and every intermediate number must be finite.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

HERE = Path(__file__).parent
DTYPES = {1: torch.float32, 6: torch.int32, 7: torch.int64, 9: torch.bool, 10: torch.float16, 16: torch.bfloat16}


class Replay:
    """One graph: its tensors by name, and the largest float16 number."""

    def __init__(self, model, fixtures):
        self.graph = model.graph
        self.values = {tensor.name: initializer(tensor, fixtures) for tensor in model.graph.initializer}
        self.largest, self.where = 0.0, ""

    def run(self, feeds):
        self.values |= feeds
        for node in self.graph.node:
            operands = [self.values[name] if name else None for name in node.input]
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            self.node = node.name or node.output[0]
            result = OPERATORS[node.op_type](self, *operands, **attributes)
            self.values[node.output[0]] = self.check(result)
        return {output.name: self.values[output.name] for output in self.graph.output}

    def check(self, x):
        if x.is_floating_point():
            assert torch.isfinite(x).all(), f"{self.node}: not all of {x.dtype} {list(x.shape)} is finite"
            if x.dtype == torch.float16 and x.numel() > 0 and (size := x.abs().max().item()) > self.largest:
                self.largest, self.where = size, self.node
        return x


def initializer(tensor, fixtures):
    dtype = DTYPES[tensor.data_type]
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        where = {entry.key: entry.value for entry in tensor.external_data}
        with open(fixtures / where["location"], "rb") as file:
            file.seek(int(where["offset"]))
            data = file.read(int(where["length"]))
    else:
        data = tensor.raw_data
    values = torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)
    return values.reshape(list(tensor.dims))


def same(*operands):
    """Checks that a node's operands have one type, as ONNX requires."""
    types = {x.dtype for x in operands if x is not None}
    assert len(types) == 1, f"operands of {types}"


def elementwise(function):
    def run(at, *operands):
        same(*operands)
        return function(*operands)

    return run


def cast(at, x, to):
    return x.to(DTYPES[to])


def shape(at, x, start, end):
    return torch.tensor(x.shape[start:end])


def reshape(at, x, sizes):
    return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(sizes.tolist())])


def slices(at, x, starts, ends, axes, steps=None):
    assert steps is None
    for start, end, axis in zip(starts.tolist(), ends.tolist(), axes.tolist()):
        x = x.narrow(axis, start, min(end, x.shape[axis]) - start)
    return x


def resize(at, x, _, scales, sizes=None, **attributes):
    assert attributes["mode"] == b"nearest" and attributes["nearest_mode"] == b"floor"
    if sizes is None:
        sizes = (torch.tensor(x.shape) * scales).long()
    for axis, size in enumerate(sizes.tolist()):
        old = x.shape[axis]
        x = x.index_select(axis, torch.arange(size) * old // size)
    return x


def conv(at, x, weight, bias=None, *, strides, pads, group=1):
    same(x, weight, bias)
    top, left, bottom, right = pads
    return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, bias, stride=strides, groups=group)


def divide(at, a, b):
    same(a, b)
    return a / b if a.is_floating_point() else a // b


def pad(at, x, sizes):
    before, after = sizes.reshape(2, -1).tolist()
    return F.pad(x, [size for axis in reversed(range(x.dim())) for size in (before[axis], after[axis])])


def unsqueeze(at, x, axes):
    for axis in sorted(axes.tolist()):
        x = x.unsqueeze(axis)
    return x


def matmul(at, a, b, transA=0, transB=0):
    same(a, b)
    return torch.matmul(a.mT if transA else a, b.mT if transB else b)


def attention(at, q, k, v, *unused, num_heads, scale):
    bias = unused[2] if unused else None
    same(q, k, v, bias)
    heads = [x.unflatten(2, (num_heads, -1)).transpose(1, 2) for x in (q, k, v)]
    scores = at.check(torch.matmul(at.check(heads[0] * scale), heads[1].mT))
    if bias is not None:
        scores = at.check(scores + bias)
    # Fused attention kernels keep scores in half precision and the softmax's sum in float32, and so does PyTorch.
    shares = at.check(torch.softmax(scores, -1))
    return torch.matmul(shares, heads[2]).transpose(1, 2).flatten(2)


def quick_gelu(at, x, alpha):
    return x * at.check(torch.sigmoid(at.check(x * alpha)))


def total(at, x, axes, keepdims):
    return at.check(x.sum(axes, keepdim=bool(keepdims)))


def mean(at, x, axes, keepdims):
    count = int(np.prod([x.shape[axis] for axis in axes]))
    return at.check(total(at, x, axes, keepdims) / count)


def softmax(at, x, axis):
    powers = at.check(torch.exp(at.check(x - x.amax(axis, keepdim=True))))
    return powers / total(at, powers, [axis], True)


def standard(at, x, axes, epsilon):
    centred = at.check(x - mean(at, x, axes, True))
    variance = mean(at, at.check(centred * centred), axes, True)
    return at.check(centred / at.check(torch.sqrt(variance + epsilon)))


def layer_norm(at, x, scale, shift, axis, epsilon):
    same(x, scale, shift)
    return standard(at, x, [axis], epsilon) * scale + shift


def instance_norm(at, x, scale, shift, epsilon):
    same(x, scale, shift)
    each = [1, -1] + [1] * (x.dim() - 2)
    return standard(at, x, list(range(2, x.dim())), epsilon) * scale.reshape(each) + shift.reshape(each)


OPERATORS = {
    "Add": elementwise(torch.add),
    "Sub": elementwise(torch.sub),
    "Mul": elementwise(torch.mul),
    "Min": elementwise(torch.minimum),
    "Max": elementwise(torch.maximum),
    "Pow": elementwise(torch.pow),
    "Less": elementwise(torch.less),
    "Sin": elementwise(torch.sin),
    "Cos": elementwise(torch.cos),
    "Tanh": elementwise(torch.tanh),
    "Relu": elementwise(torch.relu),
    "Gelu": elementwise(F.gelu),
    "FastGelu": elementwise(lambda x: F.gelu(x, approximate="tanh")),
    "Identity": lambda at, x: x,
    "Cast": cast,
    "Concat": lambda at, *parts, axis: (same(*parts), torch.cat(parts, axis))[1],
    "Conv": conv,
    "Div": divide,
    "Expand": lambda at, x, sizes: x.expand(sizes.tolist()),
    "FusedMatMul": matmul,
    "Gather": lambda at, table, indices, axis: table[indices.long()],
    "InstanceNormalization": instance_norm,
    "LayerNormalization": layer_norm,
    "MatMul": matmul,
    "MultiHeadAttention": attention,
    "Pad": pad,
    "QuickGelu": quick_gelu,
    "Range": lambda at, start, end, step: torch.arange(start.item(), end.item(), step.item()),
    "ReduceMean": lambda at, x, axes, keepdims: mean(at, x, axes.tolist(), keepdims),
    "ReduceProd": lambda at, x, keepdims: x.prod(),
    "ReduceSum": lambda at, x, axes, keepdims: total(at, x, axes.tolist(), keepdims),
    "Reshape": reshape,
    "Resize": resize,
    "Shape": shape,
    "Slice": slices,
    "Softmax": softmax,
    "Squeeze": lambda at, x: x.squeeze(),
    "Unsqueeze": unsqueeze,
    "Transpose": lambda at, x, perm: x.permute(perm),
    "Where": lambda at, condition, x, y: (same(x, y), torch.where(condition, x, y))[1],
}


@torch.no_grad()
def main():
    fixtures = HERE / "fixtures"
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else fixtures / "half"
    target.mkdir(parents=True, exist_ok=True)
    replayed, outputs = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        command = ["npx", "vitest", "run", "test/half.test.ts"]
        subprocess.run(command, cwd=HERE.parent, env={**os.environ, "TILLER_HALF_GRAPHS": folder}, check=True)
        for file in sorted(Path(folder).glob("*.onnx")):
            replay = Replay(onnx.load(file, load_external_data=False), fixtures)
            results = replay.run(load_file(file.with_suffix(".safetensors")))
            graph = hashlib.sha256(file.read_bytes()).hexdigest()
            replayed[file.stem] = {"graph": graph, "largest": replay.largest}
            outputs |= {f"{file.stem}: {name}": value.float().contiguous() for name, value in results.items()}
            print(f"{file.stem}: at most {replay.largest:g}, at {replay.where}")
    assert replayed, "there are no graphs"
    (target / "replayed.json").write_text(json.dumps(replayed, indent=2) + "\n")
    save_file(outputs, target / "outputs.safetensors")


if __name__ == "__main__":
    main()
