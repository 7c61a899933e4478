#!/usr/bin/env python3
"""Makes tests/golden/keras_*.safetensors: Keras' LSTM layer in float64 on PyTorch's arithmetic, values and all
gradients.

Needs keras, torch and numpy. Run from anywhere: python3 scripts/make_golden_keras.py
"""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import torch

from golden_common import agree, cell, random, reorder, sigmoid, write

STEPS, BATCH, INPUTS, HIDDEN = 5, 3, 4, 3

# What the layer is made with, and the functions that its activation and recurrent_activation stand for. The case
# forget_bias keeps the bias that Keras initializes.
CASES = {
    "plain": ({}, np.tanh, sigmoid),
    "forget_bias": ({"unit_forget_bias": True}, np.tanh, sigmoid),
    "relu": ({"activation": "relu", "use_bias": False}, lambda v: np.maximum(v, 0), sigmoid),
    "softsign": ({"activation": "softsign", "recurrent_activation": "hard_sigmoid"},
                 lambda v: v / (1 + abs(v)), lambda v: np.clip(v / 6 + 0.5, 0, 1)),
    "backwards": ({"go_backwards": True, "activation": "elu"}, lambda v: np.where(v > 0, v, np.expm1(v)), sigmoid),
    "bidirectional": ({}, np.tanh, sigmoid),
}


def tensor(values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def numbers(variable):
    return variable.value.detach().cpu().numpy()


def cells_of(name, options):
    """The layer and, for each direction, its cell."""
    layer = keras.layers.LSTM(HIDDEN, return_sequences=True, return_state=True, dtype="float64", **options)
    if name != "bidirectional":
        layer.build((BATCH, STEPS, INPUTS))
        return layer, [layer.cell]
    layer = keras.layers.Bidirectional(layer, dtype="float64")
    layer.build((BATCH, STEPS, INPUTS))
    return layer, [layer.forward_layer.cell, layer.backward_layer.cell]


def judge(name, options, activation, recurrent, arrays):
    """The same cells by docs/EQUATIONS.md; go_backwards puts its outputs out in the order of processing."""
    outputs = []
    for d in range(len(arrays["kernel"])):
        reverse = bool(options.get("go_backwards")) or d == 1
        b = arrays["bias"][d] if "bias" in arrays else np.zeros(4 * HIDDEN)
        out, h, c = cell(arrays["x"].swapaxes(0, 1), arrays["h0"][d], arrays["c0"][d],
                         reorder(arrays["kernel"][d].T, "ifgo"), reorder(arrays["recurrent_kernel"][d].T, "ifgo"), b,
                         gate=recurrent, candidate=activation, output=activation, reverse=reverse)
        outputs.append(out[::-1] if options.get("go_backwards") else out)
        agree(f"{name} hn", h, arrays["hn"][d], 1e-13)
        agree(f"{name} cn", c, arrays["cn"][d], 1e-13)
    agree(f"{name} y", np.concatenate(outputs, axis=2).swapaxes(0, 1), arrays["y"], 1e-13)


def make(name, options, activation, recurrent):
    generator = np.random.default_rng(2026)
    layer, cells = cells_of(name, options)
    variables = {"kernel": [one.kernel for one in cells], "recurrent_kernel": [one.recurrent_kernel for one in cells]}
    if options.get("use_bias", True):
        variables["bias"] = [one.bias for one in cells]
    for key, ones in variables.items():
        for one in ones:
            if not (key == "bias" and name == "forget_bias"):
                one.assign(random(generator, *one.shape, scale=0.5))

    x = tensor(random(generator, BATCH, STEPS, INPUTS))
    h0, c0 = ([tensor(random(generator, BATCH, HIDDEN)) for _ in cells] for _ in "hc")
    y, *states = layer(x, initial_state=[state for pair in zip(h0, c0) for state in pair])
    hn, cn = states[0::2], states[1::2]
    dy = random(generator, *y.shape)
    dhn, dcn = ([random(generator, BATCH, HIDDEN) for _ in cells] for _ in "hc")
    loss = (y * torch.tensor(dy)).sum()
    for state, d in zip(hn + cn, dhn + dcn):
        loss = loss + (state * torch.tensor(d)).sum()
    loss.backward()

    arrays = {"x": x, "y": y, "hn": torch.stack(hn), "cn": torch.stack(cn), "h0": torch.stack(h0),
              "c0": torch.stack(c0), "dx": x.grad, "dh0": torch.stack([one.grad for one in h0]),
              "dc0": torch.stack([one.grad for one in c0])}
    arrays = {key: array.detach().numpy() for key, array in arrays.items()}
    arrays |= {"dy": dy, "dhn": np.stack(dhn), "dcn": np.stack(dcn)}
    for key, ones in variables.items():
        arrays[key] = np.stack([numbers(one) for one in ones])
        arrays[f"d{key}"] = np.stack([one.value.grad.numpy() for one in ones])
    judge(name, options, activation, recurrent, arrays)
    write(f"keras_{name}", arrays, options=options,
          made_by=f"Keras {keras.__version__} on PyTorch {torch.__version__}, NumPy {np.__version__}")


def main():
    for name, case in CASES.items():
        make(name, *case)


if __name__ == "__main__":
    main()
