"""PyTorch with prepacked oneDNN weights, as Debian's python3-torch has it. Speaks as serve.ts does."""
import json
import os
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils import mkldnn

torch.set_grad_enabled(False)
out = os.fdopen(3, "w", buffering=1)
prepared = {}


class Unsupported(Exception):
    pass


def waited():
    every, main = 0.0, 0.0
    for thread in os.listdir("/proc/self/task"):
        try:
            wait = int(open(f"/proc/self/task/{thread}/schedstat").read().split()[1]) / 1e6
        except OSError:
            continue
        every += wait
        if thread == str(os.getpid()):
            main = wait
    return every, main


def floats(file):
    return np.fromfile(file, dtype=np.float32)


def dense(y):
    return (y.to_dense() if y.is_mkldnn else y).contiguous().numpy()


def convolution(layer, w, b):
    top, left, bottom, right = layer["padding"]
    if layer["transposed"] or (top, left) != (bottom, right):
        raise Unsupported("oneDNN's prepacked layers have no such convolution")
    outputs, channels = layer["w"][0], layer["x"][1]
    module = nn.Conv2d(
        channels, outputs, layer["kernel"], layer["stride"], (top, left), layer["dilation"], layer["groups"]
    )
    module.weight.data = torch.from_numpy(w.reshape(module.weight.shape).copy())
    module.bias.data = torch.from_numpy(b.copy())
    return mkldnn.to_mkldnn(module.eval())


def step_of(step, weights):
    op = step["op"]
    if op == "conv":
        module = convolution(step["layer"], weights[step["w"]], weights[step["b"]])
        return lambda x: module(x)
    if op == "add":
        return lambda a, b: a + b
    if op == "max":
        return lambda x: F.max_pool2d(x, step["kernel"], step["stride"], step["padding"])
    if op == "average":
        return lambda x: F.avg_pool2d(x, step["kernel"], step["stride"], step["padding"])
    if op == "global":
        return lambda x: F.adaptive_avg_pool2d(x, (1, 1))
    w = torch.from_numpy(weights[step["w"]].reshape(step["outputs"], step["features"]).copy())
    b = torch.from_numpy(weights[step["b"]].copy())

    def linear(x):
        flat = (x.to_dense() if x.is_mkldnn else x).contiguous().reshape(1, step["features"])
        return F.linear(flat, w, b)

    return linear


def activated(y, act):
    if act == "relu":
        return torch.relu_(y)
    if act == "relu6":
        return y.to_dense().clamp_(0, 6).to_mkldnn() if y.is_mkldnn else y.clamp_(0, 6)
    return y


def layer(message):
    spec, files = message["layer"], message["files"]
    x = torch.from_numpy(floats(files["x"]).reshape(spec["x"]).copy())
    module = convolution(spec, floats(files["w"]), floats(files["b"]))
    resident = x.to_mkldnn()
    return {
        "resident": lambda: module(resident),
        "whole": lambda: dense(module(x.to_mkldnn())),
        "output": lambda: dense(module(resident)),
    }


def network(message):
    spec, files = message["network"], message["files"]
    flat, weights, at = floats(files["w"]), [], 0
    for weight in spec["weights"]:
        count = int(np.prod(weight["dims"]))
        weights.append(flat[at : at + count])
        at += count
    x = torch.from_numpy(floats(files["x"]).reshape(spec["x"]).copy())
    steps = [(step, step_of(step, weights)) for step in spec["steps"]]

    def run():
        values = {"x": x.to_mkldnn()}
        for step, apply in steps:
            values[step["out"]] = activated(apply(*[values[name] for name in step["in"]]), step["act"])
        return dense(values[spec["steps"][-1]["out"]])

    return {"whole": run, "output": run}


def prepare(make):
    start = time.perf_counter()
    prepared.clear()
    prepared.update(make())
    ready = time.perf_counter()
    prepared["output"]()
    modes = [mode for mode in ("resident", "whole") if mode in prepared]
    first = (time.perf_counter() - ready) * 1e3
    return {"prepare": (ready - start) * 1e3, "first": first, "modes": modes, "note": ""}


def run(message):
    work, count = prepared[message["mode"]], message["count"]
    before, start = waited(), time.perf_counter()
    for _ in range(count):
        work()
    wall = (time.perf_counter() - start) * 1e3
    after = waited()
    return {
        "wall": wall / count,
        "busy": (wall - (after[1] - before[1])) / count,
        "delay": (after[0] - before[0]) / wall,
    }


def answer(message):
    command = message["command"]
    if command == "init":
        torch.set_num_threads(message["threads"])
        return {"version": torch.__version__}
    if command == "layer":
        return prepare(lambda: layer(message))
    if command == "network":
        return prepare(lambda: network(message))
    if command == "run":
        return run(message)
    if command == "output":
        prepared["output"]().astype(np.float32).tofile(message["file"])
        return {}
    return sys.exit(0)


for line in sys.stdin:
    request = json.loads(line)
    try:
        reply = {"ok": True, **answer(request)}
    except Exception as error:
        reply = {"ok": False, "error": str(error)[:400], "unsupported": isinstance(error, Unsupported)}
    out.write(json.dumps({"seq": request["seq"], **reply}) + "\n")
