#!/usr/bin/env python3
"""Makes function records: what PyTorch does with random tensor functions and with layers that have no window.

    python3 generate_functions.py --seed 7 --count 3000 --out data/torch_functions.jsonl.gz

Every record is one call with random arguments on random small inputs; about two in five are refused by chance. The form
is described in data/README.md. Names and arguments are those of ConvLint's operators; each is beside the PyTorch call
that it stands for. The same seed gives the same records on one version of PyTorch.
"""
import argparse
import functools
import gzip
import json
import random
import warnings

import torch
from torch import nn

SIZES = [1, 2, 3, 4, 5, 6, 8]


class Maker:
    """Random calls: every method returns (operator, arguments, input shapes, the call itself)."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, p):
        return self.random.random() < p

    def shape(self, least=1, most=5, zeros=False):
        shape = [self.random.choice(SIZES) for _ in range(self.random.randint(least, most))]
        # The batch is never empty: a reshape that keeps the batch has no meaning for none.
        return [0 if zeros and axis > 0 and self.chance(0.03) else size for axis, size in enumerate(shape)]

    def axis(self, rank):
        """An axis, or one just beyond either end."""
        return self.random.randint(-rank - 1, rank)

    def nearly(self, shape):
        """The shape with some sizes 1 or wrong, or an axis short."""
        changed = [1 if self.chance(0.15) else size + (1 if self.chance(0.05) else 0) for size in shape]
        return changed[1:] if len(changed) > 1 and self.chance(0.2) else changed

    def size_at(self, shape, axis):
        return shape[axis] if -len(shape) <= axis < len(shape) else 4

    def channels(self, shape):
        return self.random.choice([shape[min(1, len(shape) - 1)], shape[0], shape[-1], 4])

    def factors(self, number, count):
        """`count` sizes whose product is `number`, at times with one left open or wrong."""
        sizes = []
        for _ in range(count - 1):
            size = self.random.choice([d for d in range(1, number + 1) if number % d == 0] or [1])
            sizes.append(size)
            number //= size
        sizes.append(number)
        self.random.shuffle(sizes)
        return [-1 if self.chance(0.25) else size + (1 if self.chance(0.06) else 0) for size in sizes]

    def layer(self, name, args, shape):
        return name, args, [shape], lambda x: getattr(nn, name)(**args).eval()(x)

    # Normalisation, activation, dropout, linear

    def norm(self):
        name = self.random.choice(["BatchNorm", "InstanceNorm"]) + self.random.choice(["1d", "2d", "3d"])
        shape = self.shape(1, 6)
        args = {"num_features": self.channels(shape)}
        for key in ("affine", "track_running_stats"):
            if self.chance(0.4):
                args[key] = self.chance(0.5)
        return self.layer(name, args, shape)

    def group_norm(self):
        shape = self.shape()
        args = {"num_groups": self.random.randint(1, 4), "num_channels": self.channels(shape)}
        if self.chance(0.4):
            args["affine"] = self.chance(0.5)
        return self.layer("GroupNorm", args, shape)

    def layer_norm(self):
        shape = self.shape()
        trailing = shape[-self.random.randint(1, 3) :]
        if self.chance(0.3):
            trailing = self.nearly(trailing)
        args = {"normalized_shape": trailing if self.chance(0.7) else trailing[-1]}
        if self.chance(0.3):
            args["elementwise_affine"] = False
        return self.layer("LayerNorm", args, shape)

    def along_axis(self):
        shape = self.shape()
        name = self.random.choice(["Softmax", "LogSoftmax", "Softmin", "GLU"])
        return self.layer(name, {"dim": self.axis(len(shape))}, shape)

    def activation(self):
        shape = self.shape(1, 6)
        name, args = self.random.choice(
            [
                ("PReLU", {"num_parameters": self.channels(shape)}),
                ("Softmax2d", {}),
                ("LocalResponseNorm", {"size": self.random.randint(1, 6)}),
                ("ChannelShuffle", {"groups": self.random.randint(1, 4)}),
                ("Hardtanh", {"min_val": self.random.randint(-2, 2), "max_val": self.random.randint(-1, 3)}),
                ("RReLU", {"lower": self.random.random(), "upper": self.random.random()}),
                ("Softshrink", {"lambd": self.random.randint(-1, 2)}),
                ("CELU", {"alpha": self.random.randint(-1, 1)}),
                ("GELU", {"approximate": self.random.choice(["none", "tanh", "exact"])}),
            ]
        )
        return self.layer(name, args, shape)

    def dropout(self):
        names = ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"]
        name = self.random.choice(names)
        args = {"p": self.random.choice([0, 0.3, 0.5, 1, 1.5, -0.1])}
        return name, args, [self.shape(1, 6)], lambda x: getattr(nn, name)(**args)(x)

    def linear(self):
        shape = self.shape()
        args = {"in_features": shape[-1] if self.chance(0.7) else 3, "out_features": self.random.randint(1, 5)}
        args["bias"] = self.chance(0.5)
        return self.layer("Linear", args, shape)

    def bilinear(self):
        first = self.shape(1, 4)
        second = first[:-1] + [self.random.choice(SIZES)]
        if self.chance(0.2):
            second = self.nearly(second)
        args = {
            "in1_features": first[-1] if self.chance(0.8) else 3,
            "in2_features": second[-1] if self.chance(0.8) else 3,
            "out_features": self.random.randint(1, 5),
            "bias": self.chance(0.5),
        }
        return "Bilinear", args, [first, second], lambda x, y: nn.Bilinear(**args)(x, y)

    # Reshaping

    def flatten(self):
        shape = self.shape(1, 6, zeros=True)
        args = {key: self.axis(len(shape)) for key in ("start_dim", "end_dim") if self.chance(0.7)}
        return self.layer("Flatten", args, shape)

    def unflatten(self):
        shape = self.shape(1, 4)
        dim = self.axis(len(shape))
        sizes = self.factors(self.size_at(shape, dim), self.random.randint(1, 3))
        args = {"dim": dim, "unflattened_size": sizes}
        return "Unflatten", args, [shape], lambda x: nn.Unflatten(dim, tuple(sizes))(x)

    def reshape(self):
        shape = self.shape(1, 5, zeros=True)
        total = functools.reduce(lambda a, b: a * b, shape[1:], 1)
        sizes = self.factors(total, self.random.randint(1, 4))
        return "Reshape", {"shape": sizes}, [shape], lambda x: x.reshape(shape[:1] + sizes)

    def permute(self):
        shape = self.shape()
        order = list(range(len(shape)))
        self.random.shuffle(order)
        order = [axis - len(shape) if self.chance(0.2) else axis for axis in order]
        if self.chance(0.15):
            order = order[:-1]
        elif self.chance(0.1):
            order[0] = self.axis(len(shape))
        return "Permute", {"dims": order}, [shape], lambda x: x.permute(order)

    def transpose(self):
        shape = self.shape()
        args = {"dim0": self.axis(len(shape)), "dim1": self.axis(len(shape))}
        return "Transpose", args, [shape], lambda x: x.transpose(**args)

    def squeeze(self):
        shape = [self.random.choice([1, 1, 2, 3]) for _ in range(self.random.randint(1, 5))]
        args = {"dim": self.axis(len(shape))} if self.chance(0.7) else {}
        return "Squeeze", args, [shape], lambda x: x.squeeze(**args)

    def unsqueeze(self):
        shape = self.shape(1, 4)
        args = {"dim": self.axis(len(shape) + 1)}
        return "Unsqueeze", args, [shape], lambda x: x.unsqueeze(**args)

    def slice(self):
        shape = self.shape(1, 4, zeros=True)
        dim = self.axis(len(shape))
        args = {key: self.random.randint(-9, 9) for key in ("start", "end") if self.chance(0.7)}
        if self.chance(0.5):
            args["step"] = self.random.randint(1, 4)

        def call(x):
            x.size(dim)  # refuses an axis that is not there
            index = [slice(None)] * x.dim()
            index[dim] = slice(args.get("start"), args.get("end"), args.get("step"))
            return x[tuple(index)]

        return "Slice", {"dim": dim, **args}, [shape], call

    def select(self):
        shape = self.shape(1, 4)
        args = {"dim": self.axis(len(shape)), "index": self.random.randint(-6, 6)}
        return "Select", args, [shape], lambda x: x.select(args["dim"], args["index"])

    def split(self):
        shape = self.shape(1, 4, zeros=True)
        dim = self.axis(len(shape))
        size = self.random.randint(1, 5)
        if self.chance(0.5):
            total = self.size_at(shape, dim)
            first = self.random.randint(0, total)
            size = [first, total - first + (1 if self.chance(0.3) else 0)]
        return "Split", {"split_size": size, "dim": dim}, [shape], lambda x: torch.split(x, size, dim)

    def chunk(self):
        shape = self.shape(1, 4, zeros=True)
        args = {"chunks": self.random.randint(1, 6), "dim": self.axis(len(shape))}
        return "Chunk", args, [shape], lambda x: torch.chunk(x, **args)

    # Reductions and merges

    def reduce(self):
        call = {"Mean": torch.mean, "Sum": torch.sum, "Max": torch.amax, "Min": torch.amin}
        name = self.random.choice(list(call))
        shape = self.shape(1, 5, zeros=True)
        args = {}
        if self.chance(0.85):
            args["dims"] = [self.axis(len(shape)) for _ in range(self.random.randint(1, 3))]
        if self.chance(0.5):
            args["keepdim"] = self.chance(0.7)
        dims = args.get("dims", list(range(len(shape))))
        return name, args, [shape], lambda x: call[name](x, dim=dims, keepdim=args.get("keepdim", False))

    def arithmetic(self):
        call = {
            "Add": torch.add,
            "Sub": torch.sub,
            "Mul": torch.mul,
            "Div": torch.div,
            "Maximum": torch.maximum,
            "Minimum": torch.minimum,
        }
        name = self.random.choice(list(call))
        shape = self.shape(1, 5, zeros=True)
        shapes = [shape if self.chance(0.5) else self.nearly(shape) for _ in range(self.random.randint(2, 4))]
        return name, {}, shapes, lambda *inputs: functools.reduce(call[name], inputs)

    def concat(self):
        shape = self.shape(2, 5, zeros=True)
        dim = self.axis(len(shape))
        shapes = []
        for _ in range(self.random.randint(1, 4)):
            part = list(shape)
            if -len(shape) <= dim < len(shape):
                part[dim] = self.random.randint(0, 5)
            shapes.append(self.nearly(part) if self.chance(0.12) else part)
        # torch.cat skips a tensor of shape [0], whatever the others are.
        return "Concat", {"dim": dim}, [s if s != [0] else [1] for s in shapes], lambda *x: torch.cat(x, dim)

    def stack(self):
        shape = self.shape(1, 4)
        dim = self.axis(len(shape) + 1)
        shapes = [shape if self.chance(0.85) else self.nearly(shape) for _ in range(self.random.randint(1, 3))]
        return "Stack", {"dim": dim}, shapes, lambda *inputs: torch.stack(inputs, dim)

    def matmul(self):
        first = self.shape(1, 4)
        second = self.nearly(first)
        if len(first) > 1 and len(second) > 1:
            second[-2:] = [first[-1] if self.chance(0.8) else second[-2], self.random.choice(SIZES)]
        elif self.chance(0.8) and len(second) == 1:
            second = first[-1:]
        return "MatMul", {}, [first, second], torch.matmul

    KINDS = [
        norm, norm, group_norm, layer_norm, along_axis, activation, dropout, linear, bilinear, flatten, unflatten, reshape,
        permute, transpose, squeeze, unsqueeze, slice, select, split, chunk, reduce, arithmetic, concat, stack, matmul,
    ]  # fmt: skip

    def record(self, number):
        op, args, shapes, call = self.random.choice(self.KINDS)(self)
        record = {"id": f"function-{number:05}", "op": op, "args": args, "inputs": shapes}
        try:
            result = call(*[torch.zeros(shape) for shape in shapes])
        except Exception as error:  # every refusal is a fact, whatever its class
            return {**record, "ok": False, "error_type": type(error).__name__, "error": str(error)}
        outputs = [result] if torch.is_tensor(result) else result
        return {**record, "ok": True, "outputs": [list(output.shape) for output in outputs]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.manual_seed(options.seed)
    maker = Maker(options.seed)
    with open(options.out, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, 0) as out:
        for number in range(options.count):
            out.write((json.dumps(maker.record(number), separators=(",", ":")) + "\n").encode())


if __name__ == "__main__":
    main()
