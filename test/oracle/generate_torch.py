#!/usr/bin/env python3
"""Makes layer records: what PyTorch does with random layers, its refusals included.

    python3 generate_torch.py --seed 7 --count 5000 --out records.jsonl.gz

Every record is one torch.nn layer with random arguments on a random input of zeros; about a third are refused on
purpose or by chance. The form is described in data/README.md. The same seed gives the same records on one version of
PyTorch. Needs PyTorch only; the copies in data/ were made with 1.13 on the CPU. To check further records:

    TORCH_RECORDS=records.jsonl.gz npx mocha test/oracle/layers.test.ts
"""
import argparse
import gzip
import json
import random
import re
import sys
import warnings

import torch
from torch import nn

CHANNELS = [1, 2, 3, 4, 6, 8, 12]

# First match wins; the order matters where a text could mean two things.
ERROR_CLASSES = [
    (r"in_channels must be divisible", "groups_in_channels"),
    (r"out_channels must be divisible", "groups_out_channels"),
    (r"Invalid padding string", "bad_padding_string"),
    (r"padding='same' is not supported", "same_padding_stride"),
    (r"channels, but got", "channels_mismatch"),
    (r"Kernel size can't be greater", "kernel_gt_input"),
    (r"input image .* smaller than kernel", "avgpool3d_input_lt_kernel"),
    (r"at most half of", "pad_gt_half_kernel"),
    (r"Padding size should be less|wrapping around|exceeds dimension size", "pad_too_big"),
    (r"Invalid padding size", "pad_args"),
    (r"output padding must be smaller", "output_padding_too_big"),
    (r"negative (output_)?padding|pad(ding)? (should|must) be non-negative", "negative_padding"),
    (r"stride", "nonpositive_stride"),
    (r"dilation (should|must)|non-positive dilation", "nonpositive_dilation"),
    (r"kernel.* (should|must) be greater|sliding blocks as|descriptor", "nonpositive_kernel"),
    (r"utput size.* (is )?too small|Invalid computed output|too small\. Calculated", "output_too_small"),
    (r"elements of output_size", "adaptive_negative"),
    (r"sliding blocks|product of kernel_size", "fold_mismatch"),
    (r"pixel_unshuffle expects", "pixel_shuffle_indivisible"),
    (r"num_channels must be divisible", "groupnorm_groups"),
    (r"Input and output sizes should be greater", "upsample_size"),
    (r"more than 1 (value|spatial)", "one_value_per_channel"),
    (r"running_mean|normalized_shape|expected weight|num_parameters", "features_mismatch"),
    (r"shapes cannot be multiplied", "features_mismatch"),
    (r"xpected .*[0-9]D|Only .*D|Dimension out of range|dim", "wrong_ndim"),
]


def classify(text):
    for pattern, label in ERROR_CLASSES:
        if re.search(pattern, text):
            return label
    return "other"


class Maker:
    def __init__(self, seed, sizes):
        self.random = random.Random(seed)
        self.sizes = sizes

    def chance(self, probability):
        return self.random.random() < probability

    def size(self, axes):
        return self.random.choice(self.sizes[axes])

    def channels(self):
        return self.random.choice(CHANNELS)

    def image(self, axes, channels=None, unbatched=True):
        """A shape, and whether it lacks the batch axis."""
        shape = [channels or self.channels()] + [self.size(axes) for _ in range(axes)]
        if unbatched and self.chance(0.1):
            return shape, True
        return [self.random.choice([1, 2])] + shape, False

    def per_axis(self, axes, draw):
        """One number, or a list with one for each axis."""
        if self.chance(0.4):
            return [draw() for _ in range(axes)]
        return draw()

    def maybe(self, args, name, probability, value):
        if self.chance(probability):
            args[name] = value()

    def kernel(self):
        return self.random.choice([1, 2, 2, 3, 3, 3, 4, 5, 7, 11, 0] if self.chance(0.3) else [1, 2, 3, 3, 4, 5, 7])

    def stride(self):
        return self.random.choice([1, 1, 2, 2, 3, 4, 5] + ([0] if self.chance(0.1) else []))

    def dilation(self):
        return self.random.choice([1, 1, 2, 3] + ([0] if self.chance(0.1) else []))

    def pad(self):
        return self.random.choice([0, 0, 1, 1, 2, 3, 4] + ([-1] if self.chance(0.1) else []))

    def window(self, axes, args):
        args["kernel_size"] = self.per_axis(axes, self.kernel)
        self.maybe(args, "stride", 0.7, lambda: self.per_axis(axes, self.stride))

    # One method for each family: returns args, shape of the input, unbatched.

    def conv(self, axes, transposed):
        args = {"in_channels": self.channels(), "out_channels": self.channels()}
        self.window(axes, args)
        if transposed:
            self.maybe(args, "padding", 0.7, lambda: self.per_axis(axes, self.pad))
            self.maybe(args, "output_padding", 0.4, lambda: self.per_axis(axes, lambda: self.random.choice([0, 1, 1, 2])))
        else:
            words = ["same", "valid", "SAME"]
            self.maybe(args, "padding", 0.75, lambda: self.random.choice(words) if self.chance(0.25) else self.per_axis(axes, self.pad))
            modes = ["zeros", "reflect", "replicate", "circular"]
            self.maybe(args, "padding_mode", 0.25, lambda: self.random.choice(modes))
        self.maybe(args, "dilation", 0.4, lambda: self.per_axis(axes, self.dilation))
        self.maybe(args, "groups", 0.3, lambda: self.random.choice([1, 2, 3, 4, args["in_channels"]]))
        self.maybe(args, "bias", 0.3, lambda: False)
        channels = args["in_channels"] if self.chance(0.93) else self.channels()
        return (args, *self.image(axes, channels))

    def pool(self, axes, kind):
        args = {"norm_type": self.random.choice([1, 2, 3])} if kind == "LP" else {}
        self.window(axes, args)
        if kind != "LP":
            self.maybe(args, "padding", 0.6, lambda: self.per_axis(axes, self.pad))
        if kind == "Max":
            self.maybe(args, "dilation", 0.3, lambda: self.per_axis(axes, self.dilation))
        if kind == "Avg":
            self.maybe(args, "count_include_pad", 0.3, lambda: False)
        self.maybe(args, "ceil_mode", 0.5, lambda: True)
        return (args, *self.image(axes))

    def adaptive(self, axes):
        def one():
            return self.random.choice([1, 1, 2, 3, 5, 7] + ([0, -1] if self.chance(0.1) else []))

        if axes == 1 or self.chance(0.6):
            size = one()
        else:
            size = [None if self.chance(0.2) else one() for _ in range(axes)]
        return ({"output_size": size}, *self.image(axes))

    def padding(self, axes, constant):
        def one():
            return self.random.choice([0, 1, 1, 2, 3, 5] + ([-1, -2, -3] if self.chance(0.4) else []))

        args = {"padding": [one() for _ in range(2 * axes)] if self.chance(0.6) else one()}
        if constant:
            args["value"] = self.random.choice([0.0, 1.5])
        return (args, *self.image(axes))

    def upsample(self):
        axes = self.random.choice([1, 2, 2, 3])
        args = {}
        if self.chance(0.5):
            args["size"] = self.per_axis(axes, lambda: self.random.choice([1, 2, 5, 9, 13]))
        else:
            factors = [2, 3, 2.0, 1.5, 0.5, 0.25, 0.1, 1.7, 2.3, 1]
            args["scale_factor"] = self.per_axis(axes, lambda: self.random.choice(factors))
        fitting = ["linear", "bilinear", "trilinear"][axes - 1]
        modes = ["nearest", "nearest", fitting, fitting, "nearest-exact", "area", "bicubic", "linear"]
        self.maybe(args, "mode", 0.8, lambda: self.random.choice(modes))
        self.maybe(args, "align_corners", 0.2, lambda: self.chance(0.7))
        return (args, *self.image(axes, unbatched=False))

    def unfold(self):
        args = {"kernel_size": self.per_axis(2, self.kernel)}
        self.maybe(args, "stride", 0.6, lambda: self.per_axis(2, self.stride))
        self.maybe(args, "padding", 0.6, lambda: self.per_axis(2, self.pad))
        self.maybe(args, "dilation", 0.3, lambda: self.per_axis(2, self.dilation))
        return (args, *self.image(2))

    def fold(self):
        def pair(*choices):
            return [self.random.choice(choices) for _ in range(2)]

        args = {"output_size": [self.size(2), self.size(2)], "kernel_size": pair(1, 2, 3, 4)}
        args |= {"stride": pair(1, 2, 3), "padding": pair(0, 0, 1), "dilation": pair(1, 1, 2)}
        blocks = 1
        for n, k, s, p, d in zip(*(args[name] for name in ["output_size", "kernel_size", "stride", "padding", "dilation"])):
            blocks *= (n + 2 * p - d * (k - 1) - 1) // s + 1
        columns = self.channels() * args["kernel_size"][0] * args["kernel_size"][1]
        if self.chance(0.15):
            columns += 1
        length = max(1, blocks + (1 if self.chance(0.1) else 0))
        shape = [columns, length]
        return (args, shape, True) if self.chance(0.1) else (args, [self.random.choice([1, 2]), *shape], False)

    def shuffle(self, name):
        factor = self.random.choice([1, 2, 2, 3])
        args = {"upscale_factor" if name == "PixelShuffle" else "downscale_factor": factor}
        channels = self.channels() * (factor**2 if name == "PixelShuffle" and self.chance(0.8) else 1)
        shape, unbatched = self.image(2, channels)
        if name == "PixelUnshuffle" and self.chance(0.7):
            shape[-2:] = [n * factor for n in shape[-2:]]
        return args, shape, unbatched

    def features(self, name):
        axes = int(name[-2])
        args = {"num_features": self.channels()}
        if name.startswith("Instance"):
            self.maybe(args, "affine", 0.3, lambda: True)
        shape, _ = self.image(axes if self.chance(0.9) else self.random.choice([1, 2, 3]), unbatched=False)
        if self.chance(0.8):
            shape[1] = args["num_features"]
        if name == "BatchNorm1d" and self.chance(0.3):
            shape = shape[:2]
        return args, shape, False

    def on_image(self, args=None):
        return (args or {}, *self.image(2, unbatched=False))

    def norm(self, name):
        shape, unbatched = self.image(2, unbatched=False)
        if name == "GroupNorm":
            count = shape[1] if self.chance(0.85) else self.channels()
            return {"num_groups": self.random.choice([1, 2, 3, 4]), "num_channels": count}, shape, unbatched
        if name == "LocalResponseNorm":
            return {"size": self.random.choice([1, 2, 3, 5])}, shape, unbatched
        last = shape[-self.random.choice([1, 2, 3]) :]
        if self.chance(0.2):
            last[-1] += 1
        return {"normalized_shape": last}, shape, unbatched

    def linear(self):
        features = self.channels() * 4
        args = {"in_features": features if self.chance(0.8) else features + 1, "out_features": self.channels()}
        self.maybe(args, "bias", 0.3, lambda: False)
        shape = [self.size(2) for _ in range(self.random.choice([0, 1, 1, 2, 3]))] + [features]
        return args, shape, len(shape) == 1

    def flatten(self):
        shape, _ = self.image(self.random.choice([1, 2, 3]), unbatched=False)
        args = {}
        self.maybe(args, "start_dim", 0.6, lambda: self.random.choice([0, 1, 2, 3, -1, -2]))
        self.maybe(args, "end_dim", 0.6, lambda: self.random.choice([1, 2, 3, 4, -1, -2]))
        return args, shape, False

    def unflatten(self):
        shape, _ = self.image(self.random.choice([1, 2]), unbatched=False)
        size = [self.random.choice([1, 2, 3]), self.random.choice([1, 2, -1])]
        return {"dim": self.random.choice([1, 2]), "unflattened_size": size}, shape, False


def families(maker):
    """Layer name to its method and how often it is drawn."""
    table = {}
    weights = {1: 3, 2: 8, 3: 2}
    for axes in (1, 2, 3):
        table[f"Conv{axes}d"] = (lambda a=axes: maker.conv(a, False), 2 * weights[axes])
        table[f"ConvTranspose{axes}d"] = (lambda a=axes: maker.conv(a, True), weights[axes])
        for kind in ("Max", "Avg", "LP"):
            if hasattr(nn, f"{kind}Pool{axes}d"):
                table[f"{kind}Pool{axes}d"] = (lambda a=axes, k=kind: maker.pool(a, k), weights[axes])
        for kind in ("Avg", "Max"):
            table[f"Adaptive{kind}Pool{axes}d"] = (lambda a=axes: maker.adaptive(a), 1)
        for kind in ("Zero", "Constant", "Reflection", "Replication", "Circular"):
            if hasattr(nn, f"{kind}Pad{axes}d"):
                table[f"{kind}Pad{axes}d"] = (lambda a=axes, c=kind == "Constant": maker.padding(a, c), 1)
        for kind in ("BatchNorm", "InstanceNorm"):
            table[f"{kind}{axes}d"] = (lambda n=f"{kind}{axes}d": maker.features(n), 0.6)
    table["Upsample"] = (maker.upsample, 5)
    table["Unfold"] = (maker.unfold, 3)
    table["Fold"] = (maker.fold, 3)
    for name in ("PixelShuffle", "PixelUnshuffle"):
        table[name] = (lambda n=name: maker.shuffle(n), 2)
    for name in ("GroupNorm", "LayerNorm", "LocalResponseNorm"):
        table[name] = (lambda n=name: maker.norm(n), 0.6)
    table["Linear"] = (maker.linear, 2)
    table["Flatten"] = (maker.flatten, 2)
    table["Unflatten"] = (maker.unflatten, 0.5)
    table["ChannelShuffle"] = (lambda: maker.on_image({"groups": maker.random.choice([1, 2, 3, 4])}), 0.5)
    table["GLU"] = (lambda: maker.on_image({"dim": maker.random.choice([1, 2, 3, -1])}), 0.3)
    table["Softmax"] = (lambda: maker.on_image({"dim": maker.random.choice([1, 2, 3, 4, -1])}), 0.3)
    table["PReLU"] = (lambda: maker.on_image({"num_parameters": maker.channels()}), 0.3)
    plain = ["ReLU", "LeakyReLU", "Sigmoid", "Tanh", "GELU", "SiLU", "Mish", "Hardswish", "Identity", "Dropout", "Dropout2d"]
    for name in plain:
        table[name] = (maker.on_image, 0.2)
    return table


def remainders(layer, args, shape, unbatched):
    """(n + P − ke) mod s per spatial axis; None for layers without a plain window."""
    match = re.fullmatch(r"(Conv|MaxPool|AvgPool)([123])d", layer)
    if not match or isinstance(args.get("padding"), str):
        return None
    axes = int(match.group(2))

    def along(name, default):
        value = args.get(name, default)
        return value if isinstance(value, list) else [value] * axes

    kernel = along("kernel_size", 1)
    stride = along("stride", 1) if layer.startswith("Conv") or "stride" in args else kernel
    sizes = shape[1 if unbatched else 2 :]
    rows = zip(sizes, kernel, stride, along("padding", 0), along("dilation", 1))
    return [(n + 2 * p - d * (k - 1) - 1) % s for n, k, s, p, d in rows]


def run(identifier, layer, args, shape, unbatched):
    record = {"id": identifier, "layer": layer, "args": args, "input": shape}
    if unbatched:
        record["unbatched"] = True
    phase = "ctor"
    try:
        torch_args = {name: tuple(value) if isinstance(value, list) else value for name, value in args.items()}
        module = getattr(nn, layer)(**torch_args).eval()
        phase = "forward"
        with torch.no_grad():
            output = list(module(torch.zeros(shape)).shape)
    except Exception as error:  # whatever PyTorch raises is its verdict
        text = str(error).split("\n")[0]
        return record | {"ok": False, "phase": phase, "error_type": type(error).__name__, "error_class": classify(text), "error": text}
    record |= {"ok": True, "output": output, "params": sum(p.numel() for p in module.parameters())}
    if 0 in output:
        record["degenerate"] = True
    rest = remainders(layer, args, shape, unbatched)
    return record if rest is None else record | {"rem": rest}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--big", action="store_true", help="large spatial sizes")
    parser.add_argument("--out", required=True, help="a .jsonl.gz file")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    small = {1: list(range(1, 41)), 2: list(range(1, 25)), 3: list(range(1, 11))}
    big = {1: list(range(100, 400)), 2: list(range(32, 400, 7)), 3: [16, 17, 31, 32, 48, 63]}
    maker = Maker(options.seed, big if options.big else small)
    table = families(maker)
    names = list(table)
    weights = [table[name][1] for name in names]
    kind = "big" if options.big else "layer"
    with gzip.GzipFile(options.out, "wb", mtime=0) as out:
        for number in range(options.count):
            layer = maker.random.choices(names, weights)[0]
            args, shape, unbatched = table[layer][0]()
            record = run(f"{kind}-{options.seed}-{number:05d}", layer, args, shape, unbatched)
            out.write((json.dumps(record) + "\n").encode())
    print(f"{options.count} records in {options.out}, PyTorch {torch.__version__}", file=sys.stderr)


if __name__ == "__main__":
    main()
