"""What PyTorch fills weights with before training, as moments of many drawn values.

Run where PyTorch is installed: python3 generate_initial.py > data/initial.json
"""
import json
import math

import torch
from torch import nn

LAYERS = [
    ("Conv2d", dict(out_channels=64, kernel_size=3), [1, 32, 8, 8], lambda: nn.Conv2d(32, 64, 3)),
    ("Conv2d", dict(out_channels=64, kernel_size=5, groups=8), [1, 32, 8, 8], lambda: nn.Conv2d(32, 64, 5, groups=8)),
    ("Conv1d", dict(out_channels=128, kernel_size=7), [1, 64, 16], lambda: nn.Conv1d(64, 128, 7)),
    ("Conv3d", dict(out_channels=32, kernel_size=3), [1, 16, 8, 8, 8], lambda: nn.Conv3d(16, 32, 3)),
    ("ConvTranspose2d", dict(out_channels=64, kernel_size=3), [1, 32, 8, 8], lambda: nn.ConvTranspose2d(32, 64, 3)),
    (
        "ConvTranspose2d",
        dict(out_channels=64, kernel_size=4, groups=4),
        [1, 32, 8, 8],
        lambda: nn.ConvTranspose2d(32, 64, 4, groups=4),
    ),
    ("Linear", dict(out_features=256), [1, 128], lambda: nn.Linear(128, 256)),
    ("Bilinear", dict(out_features=64), [[1, 20], [1, 30]], lambda: nn.Bilinear(20, 30, 64)),
    ("BatchNorm2d", {}, [1, 64, 8, 8], lambda: nn.BatchNorm2d(64)),
    ("GroupNorm", dict(num_groups=4), [1, 64, 8, 8], lambda: nn.GroupNorm(4, 64)),
    ("LayerNorm", dict(normalized_shape=64), [1, 8, 64], lambda: nn.LayerNorm(64)),
    ("InstanceNorm2d", dict(affine=True), [1, 64, 8, 8], lambda: nn.InstanceNorm2d(64, affine=True)),
    ("PReLU", dict(num_parameters=64), [1, 64, 8, 8], lambda: nn.PReLU(64)),
    (
        "MultiheadAttention",
        dict(embed_dim=64, num_heads=4),
        [[1, 5, 64], [1, 7, 64], [1, 7, 64]],
        lambda: nn.MultiheadAttention(64, 4, batch_first=True),
    ),
]

INITIALS = [
    ({"kind": "kaiming-uniform", "slope": 0, "mode": "fan_in"}, lambda w: nn.init.kaiming_uniform_(w)),
    (
        {"kind": "kaiming-uniform", "slope": 0.2, "mode": "fan_out"},
        lambda w: nn.init.kaiming_uniform_(w, a=0.2, mode="fan_out"),
    ),
    (
        {"kind": "kaiming-normal", "slope": 0, "mode": "fan_out"},
        lambda w: nn.init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu"),
    ),
    ({"kind": "kaiming-normal", "slope": 0.1, "mode": "fan_in"}, lambda w: nn.init.kaiming_normal_(w, a=0.1)),
    ({"kind": "xavier-uniform", "gain": 1}, lambda w: nn.init.xavier_uniform_(w)),
    ({"kind": "xavier-normal", "gain": 2}, lambda w: nn.init.xavier_normal_(w, gain=2)),
    ({"kind": "uniform", "bound": 0.3}, lambda w: nn.init.uniform_(w, -0.3, 0.3)),
    ({"kind": "normal", "deviation": 0.02}, lambda w: nn.init.normal_(w, 0, 0.02)),
    ({"kind": "constant", "value": 0.5}, lambda w: nn.init.constant_(w, 0.5)),
]

SHAPES = [[64, 32, 3, 3], [100, 200], [48, 4, 7], [16, 32, 3, 3, 3]]


def moments(draw):
    """Of at least 200,000 values; the greatest is close to the bound where there is one."""
    values, count = [], 0
    while count < 200_000:
        value = draw().double().flatten()
        values.append(value)
        count += max(value.numel(), 500)
    values = torch.cat(values)
    deviation = values.std(unbiased=False).item() if values.numel() > 1 else 0
    return {"mean": values.mean().item(), "deviation": deviation, "most": values.abs().max().item()}


def main():
    torch.manual_seed(1)
    layers = []
    for op, args, inputs, make in LAYERS:
        inputs = inputs if isinstance(inputs[0], list) else [inputs]
        for name, weight in make().state_dict().items():
            if name == "num_batches_tracked":
                continue
            drawn = moments(lambda: make().state_dict()[name])
            layers.append(
                {"op": op, "args": args, "inputs": inputs, "weight": name, "dims": list(weight.shape), **drawn}
            )
    initials = []
    for dims in SHAPES:
        fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(torch.empty(dims))
        for initial, fill in INITIALS:
            drawn = moments(lambda: fill(torch.empty(dims)).detach())
            initials.append({"initial": initial, "dims": dims, "fanIn": fan_in, "fanOut": fan_out, **drawn})
    print(json.dumps({"torch": torch.__version__, "layers": layers, "initials": initials}, indent=1))


main()
