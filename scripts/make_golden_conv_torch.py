#!/usr/bin/env python3
"""Makes tests/golden/conv_torch_*.safetensors: the ConvLSTM that PyTorch's users write, in float64, values and all
gradients.

One Conv2d over [x, h] whose channels are chunked into the gates i f o g, and peepholes as of Shi et al. (2015) or for
each channel; and a cell of one Conv2d for each gate and operand, with groups and peepholes that are convolutions.
Images are stored channels last. Needs torch and numpy. Run from anywhere: python3 scripts/make_golden_conv_torch.py
"""

import numpy as np
import torch

from golden_common import agree, convolve, image_cell, random, write

STEPS, BATCH, HEIGHT, WIDTH, INPUTS, HIDDEN = 3, 2, 5, 4, 4, 2
GATES = "ifog"


class Usual(torch.nn.Module):
    """One convolution over [x, h]. peepholes: () none, (1, 1) for each channel, (HEIGHT, WIDTH) for each element; the
    candidate has none."""

    def __init__(self, inputs, peepholes=()):
        super().__init__()
        self.conv = torch.nn.Conv2d(inputs + HIDDEN, 4 * HIDDEN, 3, padding=1)
        self.peephole = torch.nn.Parameter(torch.empty(3, HIDDEN, *peepholes)) if peepholes else None

    def forward(self, x, h, c):
        i, f, o, g = self.conv(torch.cat([x, h], 1)).chunk(4, 1)
        of_i, of_f, of_o = (0, 0, 0) if self.peephole is None else self.peephole
        i, f = torch.sigmoid(i + of_i * c), torch.sigmoid(f + of_f * c)
        c = f * c + i * torch.tanh(g)
        return torch.sigmoid(o + of_o * c) * torch.tanh(c), c


class Gates(torch.nn.Module):
    """A convolution for each gate and operand, over x, h and, if full, c."""

    def __init__(self, inputs, full=False, groups=1, dilation=1):
        super().__init__()

        def four(channels, size, bias):
            return torch.nn.ModuleDict({gate: torch.nn.Conv2d(channels, HIDDEN, size, bias=bias, dilation=dilation,
                                                              padding=size // 2 * dilation, groups=groups)
                                        for gate in GATES})

        self.x, self.h = four(inputs, 5, True), four(HIDDEN, 3, False)
        self.c = four(HIDDEN, 3, False) if full else None

    def forward(self, x, h, c):
        def gate(name, c):
            a = self.x[name](x) + self.h[name](h)
            return a if self.c is None else a + self.c[name](c)

        i, f, g = torch.sigmoid(gate("i", c)), torch.sigmoid(gate("f", c)), torch.tanh(gate("g", c))
        c = f * c + i * g
        return torch.sigmoid(gate("o", c)) * torch.tanh(c), c


# The cells of each case, layer by layer; a bidirectional one has two a layer.
CASES = {
    "usual": [[Usual(INPUTS)], [Usual(HIDDEN)]],
    "bidirectional": [[Usual(INPUTS), Usual(INPUTS)], [Usual(2 * HIDDEN), Usual(2 * HIDDEN)]],
    "channel": [[Usual(INPUTS, (1, 1))]],
    "element": [[Usual(INPUTS, (HEIGHT, WIDTH))]],
    "full": [[Gates(INPUTS, full=True)]],
    "groups": [[Gates(INPUTS, full=True, groups=2)]],
    "dilation": [[Gates(INPUTS, full=True, dilation=2)]],
}


def last(tensor):
    """Channels last, of what may have gradients."""
    return tensor.movedim(-3, -1).detach().numpy()


def tensor(values):
    return torch.tensor(np.moveaxis(values, -1, -3), requires_grad=True)


def run(cells, x, h0, c0):
    """Layers of cells over x [T,N,C,Y,X]; states [cells,N,H,Y,X]."""
    hn, cn = [], []
    for layer in cells:
        outputs = []
        for d, cell in enumerate(layer):
            h, c, hs = h0[len(hn)], c0[len(hn)], [None] * len(x)
            for t in reversed(range(len(x))) if d else range(len(x)):
                h, c = cell(x[t], h, c)
                hs[t] = h
            outputs.append(torch.stack(hs))
            hn.append(h)
            cn.append(c)
        x = torch.cat(outputs, 2)
    return x, torch.stack(hn), torch.stack(cn)


def numbers(parameter):
    return parameter.detach().numpy()


def dense(conv):
    """The kernel [H,height,width,I] of a convolution, zero between its groups."""
    blocks = numbers(conv.weight).transpose(0, 2, 3, 1)
    kernel = np.zeros(blocks.shape[:3] + (conv.in_channels,))
    for part in range(conv.groups):
        rows, columns = (slice(part * size // conv.groups, (part + 1) * size // conv.groups)
                         for size in (conv.out_channels, conv.in_channels))
        kernel[rows, :, :, columns] = blocks[rows]
    return kernel


def sight(conv):
    return dict(borders=[(zeros, zeros) for zeros in conv.padding], dilation=conv.dilation)


def equations(cell):
    """The arguments of image_cell for a cell, as keywords."""
    if isinstance(cell, Gates):
        W, R = (np.concatenate([dense(convs[gate]) for gate in "ifgo"]) for convs in (cell.x, cell.h))
        V = {gate: dense(conv) for gate, conv in cell.c.items()}
        see_h = sight(cell.h["i"])
        return dict(W=W, R=R, b=np.concatenate([numbers(cell.x[gate].bias) for gate in "ifgo"]), see_h=see_h,
                    see_x=sight(cell.x["i"]), peep=lambda gate, c: convolve(c, V[gate], **see_h))
    parts = (np.split(block, 4) for block in (dense(cell.conv), numbers(cell.conv.bias)))
    both, b = (np.concatenate([part[GATES.index(gate)] for gate in "ifgo"]) for part in parts)
    W, R = np.split(both, [both.shape[-1] - HIDDEN], axis=-1)
    V = dict.fromkeys("ifgo", 0)
    if cell.peephole is not None:
        V |= zip("ifo", np.moveaxis(numbers(cell.peephole), 1, -1))
    return dict(W=W, R=R, b=b, see_x=sight(cell.conv), see_h=sight(cell.conv), peep=lambda gate, c: V[gate] * c)


def judge(name, cells, arrays):
    """The same cells by docs/EQUATIONS.md."""
    x, hn, cn = arrays["x"], [], []
    for layer in cells:
        outputs = []
        for d, cell in enumerate(layer):
            step = -1 if d else 1
            hs, h, c = image_cell(x[::step], arrays["h0"][len(hn)], arrays["c0"][len(hn)], **equations(cell))
            outputs.append(hs[::step])
            hn.append(h)
            cn.append(c)
        x = np.concatenate(outputs, -1)
    agree(f"{name} y", x, arrays["y"], 1e-13)
    agree(f"{name} hn", np.stack(hn), arrays["hn"], 1e-13)
    agree(f"{name} cn", np.stack(cn), arrays["cn"], 1e-13)


def make(name, cells):
    generator = np.random.default_rng(2033)
    modules = torch.nn.ModuleList([cell for layer in cells for cell in layer]).double()
    for parameter in modules.parameters():
        parameter.data = torch.tensor(random(generator, *parameter.shape, scale=0.5))
    x = tensor(random(generator, STEPS, BATCH, HEIGHT, WIDTH, INPUTS))
    h0, c0 = (tensor(random(generator, len(modules), BATCH, HEIGHT, WIDTH, HIDDEN)) for _ in "hc")
    y, hn, cn = run(cells, x, h0, c0)
    given = {f"d{key}": tensor(random(generator, *last(part).shape)) for key, part in
             {"y": y, "hn": hn, "cn": cn}.items()}
    ((y * given["dy"]).sum() + (hn * given["dhn"]).sum() + (cn * given["dcn"]).sum()).backward()
    arrays = {"x": x, "h0": h0, "c0": c0, "y": y, "hn": hn, "cn": cn, "dx": x.grad, "dh0": h0.grad, "dc0": c0.grad}
    arrays = {key: last(array) for key, array in (arrays | given).items()}
    judge(name, cells, arrays)
    for key, parameter in modules.named_parameters():
        arrays[key] = numbers(parameter)
        arrays[f"d{key}"] = parameter.grad.numpy()
    write(f"conv_torch_{name}", arrays, made_by=f"PyTorch {torch.__version__}, NumPy {np.__version__}",
          options=" ".join(str(modules).split()))


def main():
    for name, cells in CASES.items():
        make(name, cells)


if __name__ == "__main__":
    main()
