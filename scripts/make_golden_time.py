#!/usr/bin/env python3
"""Makes tests/golden/time_torch_*.safetensors and time_onnx_*: what peers make of lengths and resets.

PyTorch (nn.LSTM on PackedSequence; LSTMCell in a loop with resets; nn.LSTM on the pieces between resets) in float64
with all gradients, ONNX Runtime (sequence_lens) in float32, values only. Every array is whole, [T,N,.], with random
numbers where a row has no step: nobody may read them.

Needs torch, onnxruntime, onnx and numpy. Run from anywhere: python3 scripts/make_golden_time.py
"""

import numpy as np
import onnx
import onnxruntime
import torch

import make_golden_onnx
from golden_common import agree, cell, having, judge_layers, random, reorder, write

STEPS, BATCH, INPUTS, HIDDEN = 6, 4, 3, 3
TORCH = f"PyTorch {torch.__version__}, NumPy {np.__version__}"


def tensor(values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def plain(arrays):
    return {key: array.detach().numpy() if torch.is_tensor(array) else np.asarray(array, np.float64)
            for key, array in arrays.items()}


# ------------------------------------------------------------------------------------------------------ PyTorch ----

PACKED = {
    "forward": dict(num_layers=1),
    "bidirectional": dict(num_layers=1, bidirectional=True),
    "stack": dict(num_layers=2, bidirectional=True),
}


def torch_module(generator, **options):
    module = torch.nn.LSTM(INPUTS, HIDDEN, dtype=torch.float64, **options)
    for parameter in module.parameters():
        parameter.data = torch.tensor(random(generator, *parameter.shape, scale=0.5))
    return module


def torch_weights(module):
    """As judge_layers takes them."""
    values = {key: parameter.detach().numpy() for key, parameter in module.named_parameters()}
    return [[tuple(values[f"{kind}_l{layer}{suffix}"] for kind in ("weight_ih", "weight_hh")) +
             (values[f"bias_ih_l{layer}{suffix}"] + values[f"bias_hh_l{layer}{suffix}"],)
             for suffix in (["", "_reverse"] if module.bidirectional else [""])] for layer in range(module.num_layers)]


def torch_data(generator, cells, width):
    """x, h0, c0, and random gradients of what comes out."""
    x, h0, c0 = (tensor(random(generator, *shape)) for shape in
                 ((STEPS, BATCH, INPUTS), (cells, BATCH, HIDDEN), (cells, BATCH, HIDDEN)))
    return x, h0, c0, *(torch.tensor(random(generator, *shape)) for shape in
                        ((STEPS, BATCH, width), (cells, BATCH, HIDDEN), (cells, BATCH, HIDDEN)))


def split_starts(module, starts):
    """A start [cells,H] as one tensor for each layer and direction, called as the library calls its own."""
    suffixes = ["", "_reverse"] if module.bidirectional else [""]
    names = [f"l{layer}{suffix}" for layer in range(module.num_layers) for suffix in suffixes]
    return {f"{key}_{name}": values for key, cells in starts.items() for name, values in zip(names, cells)}


def torch_finish(name, module, arrays, time, **metadata):
    """Goes back, judges and writes. arrays: the values of the run, by the names that judge_layers and the file have. A
    learned start is among them."""
    loss = sum((arrays[key] * arrays["d" + key]).sum() for key in ("y", "hn", "cn"))
    loss.backward()
    gradients = {"d" + key: arrays[key].grad for key in ("x", "h0", "c0", "start_h", "start_c")
                 if key in arrays and arrays[key].is_leaf}
    parameters = dict(module.named_parameters())
    gradients |= {"d" + key: parameter.grad for key, parameter in parameters.items()}
    values = plain({key: arrays[key] for key in ("x", "h0", "c0", "y", "hn", "cn")})
    if "start_h" in arrays:
        time = time | {"start": [arrays[key].detach().numpy() for key in ("start_h", "start_c")]}
    judge_layers(name, torch_weights(module), **values, **time)
    made = arrays | parameters | gradients
    starts = {key: made.pop(key) for key in ("start_h", "start_c", "dstart_h", "dstart_c") if key in made}
    write(f"time_torch_{name}", plain(made | split_starts(module, starts)), made_by=TORCH, **metadata)


def make_packed(name, options):
    """Lengths in any order, as pack_padded_sequence with enforce_sorted=False takes them: none is 0."""
    generator = np.random.default_rng(2027)
    module = torch_module(generator, **options)
    directions = 2 if module.bidirectional else 1
    lengths = [2, 6, 1, 4]
    x, h0, c0, dy, dhn, dcn = torch_data(generator, module.num_layers * directions, directions * HIDDEN)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
    out, (hn, cn) = module(packed, (h0, c0))
    y, _ = torch.nn.utils.rnn.pad_packed_sequence(out, total_length=STEPS)
    arrays = dict(x=x, h0=h0, c0=c0, y=y, hn=hn, cn=cn, dy=dy, dhn=dhn, dcn=dcn, lengths=lengths)
    torch_finish(f"packed_{name}", module, arrays, dict(present=having(lengths, STEPS)), options=options)


# Row 0 begins anew with its first step, row 1 twice in succession, row 2 with its last step, row 3 never.
DONE = np.array([[1, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]], bool)


def torch_cells(module):
    """LSTMCells that share the parameters of nn.LSTM, so that gradients come together under its names."""
    cells = [torch.nn.LSTMCell(INPUTS if k == 0 else HIDDEN, HIDDEN, dtype=torch.float64)
             for k in range(module.num_layers)]
    for k, one in enumerate(cells):
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            setattr(one, kind, getattr(module, f"{kind}_l{k}"))
    return cells


def cell_loop(cells, x, h, c, start=None):
    """The loop of an agent: a state is multiplied by 1 - done before its step, or replaced by a learned start."""
    ys = []
    for t in range(STEPS):
        done, inputs = torch.tensor(DONE[t].astype(np.float64))[:, None], x[t]
        for k, one in enumerate(cells):
            begin = (0, 0) if start is None else (start[0][k], start[1][k])
            h[k], c[k] = one(inputs, ((1 - done) * h[k] + done * begin[0], (1 - done) * c[k] + done * begin[1]))
            inputs = h[k]
        ys.append(inputs)
    return torch.stack(ys), torch.stack(h), torch.stack(c)


def make_resets(name, learned):
    """Two layers of LSTMCell. The learned start is the initial state of all rows, too."""
    generator = np.random.default_rng(2028)
    module = torch_module(generator, num_layers=2)
    x, h0, c0, dy, dhn, dcn = torch_data(generator, 2, HIDDEN)
    start = None
    if learned:
        start = [tensor(random(generator, 2, HIDDEN)) for _ in "hc"]
        h0, c0 = (one[:, None, :].expand(2, BATCH, HIDDEN) for one in start)
    y, hn, cn = cell_loop(torch_cells(module), x, list(h0), list(c0), start)
    arrays = dict(x=x, h0=h0, c0=c0, y=y, hn=hn, cn=cn, dy=dy, dhn=dhn, dcn=dcn, resets=DONE)
    if learned:
        arrays |= {"start_h": start[0], "start_c": start[1]}
    torch_finish(name, module, arrays, dict(resets=DONE))


def make_pieces():
    """Resets in a bidirectional stack: each row's pieces are rows of their own, run one by one by nn.LSTM. Forward
    cells begin with h0 in the first piece and reverse cells in the last one, others with the start."""
    generator = np.random.default_rng(2029)
    module = torch_module(generator, num_layers=2, bidirectional=True)
    x, h0, c0, dy, dhn, dcn = torch_data(generator, 4, 2 * HIDDEN)
    start = [tensor(random(generator, 4, HIDDEN)) for _ in "hc"]
    ys, hns, cns = [], [], []
    for n in range(BATCH):
        cuts = [0, *(t for t in range(1, STEPS) if DONE[t, n]), STEPS]
        parts, ends = [], []
        for begin, end in zip(cuts, cuts[1:]):
            initial = [torch.stack([given[k, n] if (k % 2 == 0 and begin == 0 and not DONE[0, n]) or
                                    (k % 2 == 1 and end == STEPS) else one[k] for k in range(4)])[:, None]
                       for given, one in ((h0, start[0]), (c0, start[1]))]
            out, states = module(x[begin:end, n:n + 1], tuple(initial))
            parts.append(out)
            ends.append(states)
        ys.append(torch.cat(parts))
        for finals, which in ((hns, 0), (cns, 1)):
            finals.append(torch.stack([ends[-1 if k % 2 == 0 else 0][which][k] for k in range(4)]))
    arrays = dict(x=x, h0=h0, c0=c0, y=torch.cat(ys, 1), hn=torch.cat(hns, 1), cn=torch.cat(cns, 1), dy=dy, dhn=dhn,
                  dcn=dcn, resets=DONE, start_h=start[0], start_c=start[1])
    torch_finish("pieces", module, arrays, dict(resets=DONE))


# --------------------------------------------------------------------------------------------------------- ONNX ----

def make_onnx(direction):
    """sequence_lens in any order, 0 among them. ONNX Runtime's final state of such a row is zero whatever its initial
    state is, so that is zero, too."""
    generator = np.random.default_rng(2031)
    D, lengths = 2 if direction == "bidirectional" else 1, np.array([4, 0, 6, 1], np.int32)
    shapes = {"X": (STEPS, BATCH, INPUTS), "W": (D, 4 * HIDDEN, INPUTS), "R": (D, 4 * HIDDEN, HIDDEN),
              "B": (D, 8 * HIDDEN), "initial_h": (D, BATCH, HIDDEN), "initial_c": (D, BATCH, HIDDEN)}
    inputs = {key: random(generator, *shape, scale=0.5 if key in "WRB" else 1.0).astype(np.float32)
              for key, shape in shapes.items()}
    inputs["initial_h"][:, lengths == 0] = inputs["initial_c"][:, lengths == 0] = 0
    made = make_golden_onnx.model({"direction": direction}, inputs | {"sequence_lens": lengths})
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    Y, Y_h, Y_c = session.run(None, inputs | {"sequence_lens": lengths})
    present = having(lengths, STEPS)
    for d in range(D):
        W, R, b = (reorder(array, "iofg") for array in (inputs["W"][d], inputs["R"][d],
                                                        sum(np.split(inputs["B"][d].astype(np.float64), 2))))
        out, hn, cn = cell(inputs["X"], inputs["initial_h"][d], inputs["initial_c"][d], W, R, b, present=present,
                           reverse=direction == "reverse" or d == 1)
        for ours, theirs in ((out, Y[:, d]), (hn, Y_h[d]), (cn, Y_c[d])):
            agree(f"onnx {direction}", ours, theirs, make_golden_onnx.ROUNDING)
    write(f"time_onnx_{direction}", inputs | dict(Y=Y, Y_h=Y_h, Y_c=Y_c, lengths=lengths.astype(np.float64)),
          made_by=f"ONNX Runtime {onnxruntime.__version__}, onnx {onnx.__version__}, NumPy {np.__version__}")


def main():
    for name, options in PACKED.items():
        make_packed(name, options)
    make_resets("resets", learned=False)
    make_resets("resets_learned", learned=True)
    make_pieces()
    for direction in ("forward", "reverse", "bidirectional"):
        make_onnx(direction)


if __name__ == "__main__":
    main()
