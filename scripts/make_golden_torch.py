#!/usr/bin/env python3
"""Makes tests/golden/torch_*.safetensors: PyTorch's nn.LSTM in float64 with its own names of parameters, values and all
gradients.

Needs torch and numpy. Run from anywhere: python3 scripts/make_golden_torch.py
"""

import numpy as np
import torch

from golden_common import agree, cell, random, write

STEPS, BATCH, INPUTS, HIDDEN = 5, 3, 4, 3

CASES = {
    "layers": dict(num_layers=3),
    "bidirectional": dict(num_layers=2, bidirectional=True),
    "projection": dict(num_layers=2, bidirectional=True, proj_size=2),
    "batch_first": dict(num_layers=2, batch_first=True),
    "no_bias": dict(bias=False),
}


def tensor(values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def judge(name, options, parameters, x, h0, c0, y, hn, cn):
    """The same network by docs/EQUATIONS.md."""
    suffixes = ["", "_reverse"] if options.get("bidirectional") else [""]
    layers = options.get("num_layers", 1)
    hs, cs = [], []
    x = x.swapaxes(0, 1) if options.get("batch_first") else x
    for layer in range(layers):
        outputs = []
        for suffix in suffixes:
            W, R, b_ih, b_hh, P = (parameters.get(f"{kind}_l{layer}{suffix}") for kind in
                                   ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"))
            b = np.zeros(len(W)) if b_ih is None else b_ih + b_hh
            out, h, c = cell(x, h0[len(hs)], c0[len(hs)], W, R, b, P=P, reverse=suffix != "")
            outputs.append(out)
            hs.append(h)
            cs.append(c)
        x = np.concatenate(outputs, axis=2)
    agree(f"{name} y", x.swapaxes(0, 1) if options.get("batch_first") else x, y, 1e-13)
    agree(f"{name} hn", np.stack(hs), hn, 1e-13)
    agree(f"{name} cn", np.stack(cs), cn, 1e-13)


def make(name, options):
    generator = np.random.default_rng(2026)
    module = torch.nn.LSTM(INPUTS, HIDDEN, dtype=torch.float64, **options)
    for parameter in module.parameters():
        parameter.data = torch.tensor(random(generator, *parameter.shape, scale=0.5))
    cells = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    shape = (BATCH, STEPS, INPUTS) if options.get("batch_first") else (STEPS, BATCH, INPUTS)
    x = tensor(random(generator, *shape))
    h0 = tensor(random(generator, cells, BATCH, options.get("proj_size", HIDDEN)))
    c0 = tensor(random(generator, cells, BATCH, HIDDEN))
    y, (hn, cn) = module(x, (h0, c0))
    dy, dhn, dcn = (torch.tensor(random(generator, *part.shape)) for part in (y, hn, cn))
    ((y * dy).sum() + (hn * dhn).sum() + (cn * dcn).sum()).backward()

    values = {key: parameter.detach().numpy() for key, parameter in module.named_parameters()}
    arrays = {"x": x, "h0": h0, "c0": c0, "y": y, "hn": hn, "cn": cn, "dy": dy, "dhn": dhn, "dcn": dcn}
    arrays = {key: array.detach().numpy() for key, array in arrays.items()}
    judge(name, options, values, **{key: arrays[key] for key in ("x", "h0", "c0", "y", "hn", "cn")})
    arrays |= values | {"dx": x.grad.numpy(), "dh0": h0.grad.numpy(), "dc0": c0.grad.numpy()}
    arrays |= {"d" + key: parameter.grad.numpy() for key, parameter in module.named_parameters()}
    write(f"torch_{name}", arrays, made_by=f"PyTorch {torch.__version__}, NumPy {np.__version__}", options=options)


# The choices of parameters that PyTorch's functions stand for; every parameter is exact in f32.
F = torch.nn.functional
ACTIVATIONS = {
    "sigmoid": (torch.sigmoid, 0, 0, 0),
    "tanh": (torch.tanh, 0, 0, 0),
    "identity": (lambda v: v * 1, 0, 0, 0),
    "relu": (F.relu, 0, 0, 0),
    "hard_sigmoid": (lambda v: torch.clamp(0.25 * v + 0.5, 0, 1), 0.25, 0.5, 0),
    "linear": (lambda v: 1.5 * v - 0.25, 1.5, -0.25, 0),
    "leaky_relu": (lambda v: F.leaky_relu(v, 0.125), 0.125, 0, 0),
    "clipped_relu": (lambda v: torch.clamp(F.leaky_relu(v, 0.125), max=1.5), 0.125, 1.5, 0),
    "clamp": (lambda v: F.hardtanh(v, -0.75, 1.5), -0.75, 1.5, 0),
    "abs": (torch.abs, 0, 0, 0),
    "scaled_tanh": (lambda v: 1.75 * torch.tanh(0.625 * v), 1.75, 0.625, 0),
    "softplus": (lambda v: 0.5 * torch.log1p(torch.exp(2 * v)), 0.5, 2, 0),
    "softsign": (F.softsign, 0, 0, 0),
    "elu": (lambda v: F.elu(v, 0.75), 0.75, 0, 0),
    "selu": (F.selu, 0, 0, 0),
    "celu": (lambda v: F.celu(v, 0.75), 0.75, 0, 0),
    "power": (lambda v: (0.25 * v + 2) ** 1.5, 0.25, 2, 1.5),
    "exponential": (lambda v: 2 ** (0.5 * v + 0.25), 0.5, 0.25, 2),
    "logarithm": (lambda v: torch.log(0.25 * v + 2), 0.25, 2, -1),
    "gelu": (F.gelu, 0, 0, 0),
    # The slope of PyTorch's tanh form is sqrt(2/pi), which no f32 is; this is the nearest one.
    "gelu_tanh": (lambda v: 0.5 * v * (1 + torch.tanh(float(np.float32((2 / np.pi) ** 0.5)) *
                                                      (v + float(np.float32(0.044715)) * v**3))),
                  (2 / np.pi) ** 0.5, 0.044715, 0),
    "log_sigmoid": (F.logsigmoid, 0, 0, 0),
    "silu": (F.silu, 0, 0, 0),
    "hard_swish": (lambda v: v * torch.clamp(0.25 * v + 0.5, 0, 1), 0.25, 0.5, 0),
    "hard_shrink": (lambda v: F.hardshrink(v, 0.5), 0.5, 0, 0),
    "soft_shrink": (lambda v: F.softshrink(v, 0.5), 0.5, 0, 0),
    "tanh_shrink": (F.tanhshrink, 0, 0, 0),
    "threshold": (lambda v: F.threshold(v, 0.5, -0.25), 0.5, -0.25, 0),
}

KINKS = (-2, -0.75, -0.5, 0, 0.5, 1.5, 2)


def make_activations():
    """Value and slope of every activation, away from kinks; a row [a, b, c] beside each."""
    x = (np.arange(-17, 18) * 27 + 5) / 128
    assert min(abs(x - kink).min() for kink in KINKS) >= 1 / 128
    arrays = {"x": x}
    for name, (function, a, b, c) in ACTIVATIONS.items():
        argument = tensor(x)
        values = function(argument)
        values.sum().backward()
        arrays[f"{name}.parameters"] = np.float32([a, b, c])
        arrays[f"{name}.value"] = values.detach().numpy()
        arrays[f"{name}.slope"] = argument.grad.numpy()
    write("torch_activations", arrays, made_by=f"PyTorch {torch.__version__}, NumPy {np.__version__}")


def main():
    for name, options in CASES.items():
        make(name, options)
    make_activations()


if __name__ == "__main__":
    main()
