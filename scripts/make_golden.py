#!/usr/bin/env python3
"""Makes tests/golden/*.npy: small LSTM networks and all their gradients, computed by PyTorch in float64.

Needs torch and numpy. Run from anywhere: python3 scripts/make_golden.py
"""

import pathlib

import numpy as np
import torch

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"
STEPS, BATCH, INPUTS = 6, 3, 5

# Name, layers as (hidden, direction), width of the read-out (0: none), one nn.LSTM for all layers or one for each.
CASES = [
    ("forward", [(4, "forward")], 0, True),
    ("reverse", [(4, "reverse")], 0, False),
    ("bidirectional", [(4, "both")], 0, True),
    ("stack", [(3, "both"), (3, "both")], 0, True),
    ("mixed", [(4, "both"), (3, "reverse"), (5, "forward")], 2, False),
]


def random(generator, *shape):
    """Zero-mean uniform numbers that are exact in f32, so that every reader sees the same inputs."""
    values = torch.rand(*shape, generator=generator, dtype=torch.float64) * 2 - 1
    return values.float().double()


def networks(layers, whole):
    """The nn.LSTM modules of a case, each with whether its time runs backwards."""
    if whole:
        hidden, direction = layers[0]
        both = direction == "both"
        return [(torch.nn.LSTM(INPUTS, hidden, len(layers), bidirectional=both, dtype=torch.float64), False)]
    modules, width = [], INPUTS
    for hidden, direction in layers:
        both = direction == "both"
        module = torch.nn.LSTM(width, hidden, bidirectional=both, dtype=torch.float64)
        modules.append((module, direction == "reverse"))
        width = hidden * (2 if both else 1)
    return modules


def cell_parameters(module):
    """Weights of each layer and direction: W, R and the two biases, which sluice holds as their sum."""
    for layer in range(module.num_layers):
        for suffix in [""] + (["_reverse"] if module.bidirectional else []):
            yield [getattr(module, f"{kind}_l{layer}{suffix}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]


def initialize(generator, modules, dense):
    for parameter in [p for module, _ in modules for cell in cell_parameters(module) for p in cell] + list(dense.parameters()):
        parameter.data = random(generator, *parameter.shape) * 0.5
    for module, _ in modules:
        for cell in cell_parameters(module):
            cell[3].data.zero_()  # the sum of the biases is then exact


def flat(parts):
    return torch.cat([part.reshape(-1) for part in parts]).detach().numpy()


def make(name, layers, outputs, whole):
    generator = torch.Generator().manual_seed(2026)
    modules = networks(layers, whole)
    width = layers[-1][0] * (2 if layers[-1][1] == "both" else 1)
    dense = torch.nn.Linear(width, outputs or 1, dtype=torch.float64)
    initialize(generator, modules, dense)

    x = random(generator, STEPS, BATCH, INPUTS).requires_grad_()
    initial, final, y = [], [], x
    for module, backwards in modules:
        shape = (module.num_layers * (2 if module.bidirectional else 1), BATCH, module.hidden_size)
        state = [random(generator, *shape).requires_grad_() for _ in "hc"]
        y, last = module(y.flip(0) if backwards else y, tuple(state))
        y = y.flip(0) if backwards else y
        initial.append(state)
        final.append(last)
    if outputs:
        y = dense(y)
    dy = random(generator, *y.shape)
    dfinal = [[random(generator, *part.shape) for part in last] for last in final]
    loss = (y * dy).sum() + sum((part * d).sum() for last, ds in zip(final, dfinal) for part, d in zip(last, ds))
    loss.backward()

    cells = [cell for module, _ in modules for cell in cell_parameters(module)]
    parameters = [part for W, R, b, _ in cells for part in (W, R, b)] + (list(dense.parameters()) if outputs else [])
    arrays = {
        "x": flat([x]), "y": flat([y]), "dy": flat([dy]), "dx": flat([x.grad]),
        "parameters": flat(parameters), "dparameters": flat([part.grad for part in parameters]),
        # All h first, then all c, each in the order layer 0 forward, layer 0 reverse, layer 1 ...
        "initial": flat([state[k] for k in (0, 1) for state in initial]),
        "final": flat([last[k] for k in (0, 1) for last in final]),
        "dfinal": flat([d[k] for k in (0, 1) for d in dfinal]),
        "dinitial": flat([state[k].grad for k in (0, 1) for state in initial]),
    }
    for key, values in arrays.items():
        np.save(FOLDER / f"{name}_{key}.npy", values.astype("<f8"))


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        make(*case)
    print(f"torch {torch.__version__}, numpy {np.__version__}: {len(CASES)} cases in {FOLDER}")


if __name__ == "__main__":
    main()
