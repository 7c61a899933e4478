#!/usr/bin/env python3
"""Makes tests/golden/mpsgraph_stack.safetensors: two bidirectional nn.LSTM of PyTorch in float64 with a mask of dropout
between them, batch first, values and all gradients.

Needs torch and numpy. Run from anywhere: python3 scripts/make_golden_mpsgraph.py
"""

import numpy as np
import torch

from golden_common import agree, cell, random, write

STEPS, BATCH, INPUTS, HIDDEN, LAYERS = 5, 3, 4, 3, 2
DIRECTIONS = ["", "_reverse"]


def tensor(values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def make(generator):
    """Everything that goes in."""
    given = {"x": random(generator, BATCH, STEPS, INPUTS),
             "mask": 2.0 * generator.integers(0, 2, size=(BATCH, STEPS, 2 * HIDDEN)),
             "dy": random(generator, BATCH, STEPS, 2 * HIDDEN)}
    for name in ("h0", "c0", "dhn", "dcn"):
        given[name] = random(generator, 2 * LAYERS, BATCH, HIDDEN)
    for layer in range(LAYERS):
        for suffix in DIRECTIONS:
            width = 2 * HIDDEN if layer else INPUTS
            given[f"weight_ih_l{layer}{suffix}"] = random(generator, 4 * HIDDEN, width)
            given[f"weight_hh_l{layer}{suffix}"] = random(generator, 4 * HIDDEN, HIDDEN)
            given[f"bias_ih_l{layer}{suffix}"] = random(generator, 4 * HIDDEN)
            given[f"bias_hh_l{layer}{suffix}"] = random(generator, 4 * HIDDEN)
    return given


def peer(given):
    """What PyTorch makes of it."""
    variables = {name: tensor(values) for name, values in given.items() if name not in ("mask", "dy", "dhn", "dcn")}
    mask, y, hn, cn = torch.tensor(given["mask"]), variables["x"], [], []
    for layer in range(LAYERS):
        lstm = torch.nn.LSTM(y.shape[-1], HIDDEN, batch_first=True, bidirectional=True, dtype=torch.float64)
        names = [name for name, _ in lstm.named_parameters()]
        states = tuple(variables[name][2 * layer:2 * layer + 2] for name in ("h0", "c0"))
        weights = {name: variables[name.replace("_l0", f"_l{layer}")] for name in names}
        y, (h, c) = torch.func.functional_call(lstm, weights, (y, states))
        y = y if layer + 1 == LAYERS else y * mask
        hn.append(h)
        cn.append(c)
    results = {"y": y, "hn": torch.cat(hn), "cn": torch.cat(cn)}
    loss = sum((results[name] * torch.tensor(given[f"d{name}"])).sum() for name in results)
    loss.backward()
    gradients = {f"d{name}": variable.grad.numpy() for name, variable in variables.items()}
    return {name: value.detach().numpy() for name, value in results.items()} | gradients


def judge(given, found):
    """The same values by docs/EQUATIONS.md."""
    x, states = given["x"].swapaxes(0, 1), []
    for layer in range(LAYERS):
        outputs = []
        for suffix in DIRECTIONS:
            W, R, b_ih, b_hh = (given[f"{kind}_l{layer}{suffix}"] for kind in
                                ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            out, h, c = cell(x, given["h0"][len(states)], given["c0"][len(states)], W, R, b_ih + b_hh,
                             reverse=suffix != "")
            outputs.append(out)
            states.append((h, c))
        x = np.concatenate(outputs, axis=-1)
        x = x if layer + 1 == LAYERS else x * given["mask"].swapaxes(0, 1)
    agree("y", x.swapaxes(0, 1), found["y"], 1e-12)
    agree("hn", np.stack([h for h, _ in states]), found["hn"], 1e-12)
    agree("cn", np.stack([c for _, c in states]), found["cn"], 1e-12)


given = make(np.random.default_rng(6))
found = peer(given)
judge(given, found)
write("mpsgraph_stack", {name: values.astype("<f8") for name, values in (given | found).items()},
      made_by=f"PyTorch {torch.__version__}, NumPy {np.__version__}", layers=LAYERS, bidirectional=True,
      batch_first=True, mask="times the output of layer 0")
