"""What the make_golden_*.py share: exact random numbers, files, and docs/EQUATIONS.md in NumPy, which judges a peer's
numbers before they are written, so that a wrong reading of the peer shows at once.
"""

import json
import pathlib

import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"


def random(generator, *shape, scale=1.0):
    """Uniform numbers in [-scale, scale] that are multiples of scale/1024: exact in f32, as are sums of two."""
    return generator.integers(-1024, 1025, size=shape) * (scale / 1024)


def write(name, tensors, **metadata):
    """Writes one safetensors file; tensors keep their type, f32 or f64."""
    kinds = {np.dtype("<f4"): "F32", np.dtype("<f8"): "F64"}
    header, blobs, end = {"__metadata__": {key: str(text) for key, text in metadata.items()}}, [], 0
    for key, values in tensors.items():
        values = np.ascontiguousarray(values)
        begin, end = end, end + values.nbytes
        header[key] = {"dtype": kinds[values.dtype], "shape": list(values.shape), "data_offsets": [begin, end]}
        blobs.append(values.tobytes())
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % 64)
    path = FOLDER / f"{name}.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blobs))
    print(f"{path.name}: {path.stat().st_size} bytes")


def agree(name, ours, theirs, tolerance):
    """Fails unless two arrays agree relative to the largest element."""
    error = np.abs(ours - theirs).max() / np.abs(theirs).max()
    assert ours.shape == theirs.shape, f"{name}: {ours.shape} but {theirs.shape}"
    assert error <= tolerance, f"{name}: off by {error:.2e}, more than {tolerance:.0e}"


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def clip(v, limit):
    return np.clip(v, -limit, limit) if limit else v


def start_mask(resets, t, steps, reverse):
    """Which rows begin anew before step t is processed."""
    if reverse:
        return resets[t + 1] if t + 1 < steps else np.zeros_like(resets[t])
    return resets[t]


def cell(x, h, c, W, R, b, V=None, P=None, gate=sigmoid, candidate=np.tanh, output=np.tanh, gate_clip=0, coupled=False,
         reverse=False, present=None, resets=None, holds=None, start=(0, 0)):
    """One cell over x [T,N,I], forward, in double; W, R, b, V (diagonal) in the order i f g o. present, resets and
    holds [T,N] are truths: the steps that rows have, begin anew with, and hold. Returns h [T,N,.] of every step, zero
    where a row has none, and the final h and c."""
    x, h, c, W, R, b = (np.asarray(array, np.float64) for array in (x, h, c, W, R, b))
    H = c.shape[1]
    V = np.zeros((4, H)) if V is None else np.asarray(V, np.float64).reshape(4, H)
    nowhere = np.zeros(x.shape[:2], bool)
    present, resets, holds = (~nowhere if present is None else present, *(nowhere if one is None else one
                                                                          for one in (resets, holds)))
    hs = np.zeros(x.shape[:2] + h.shape[1:])
    for t in reversed(range(len(x))) if reverse else range(len(x)):
        anew = (start_mask(resets, t, len(x), reverse) & present[t])[:, None]
        h, c = np.where(anew, start[0], h), np.where(anew, start[1], c)
        a = x[t] @ W.T + h @ R.T + b
        i, f, g, o = (a[:, k * H:(k + 1) * H] for k in range(4))
        i = gate(clip(i + V[0] * c, gate_clip))
        f = 1 - i if coupled else gate(clip(f + V[1] * c, gate_clip))
        g = candidate(clip(g + V[2] * c, gate_clip))
        new_c = f * c + i * g
        new_h = gate(clip(o + V[3] * new_c, gate_clip)) * output(new_c)
        new_h = new_h if P is None else new_h @ np.asarray(P, np.float64).T
        moves = (present[t] & ~holds[t])[:, None]
        h, c = np.where(moves, new_h, h), np.where(moves, new_c, c)
        hs[t] = h * present[t][:, None]
    return hs, h, c


def reorder(array, order):
    """Rows of four gates in another order ("iofg") brought to i f g o."""
    blocks = np.split(np.asarray(array), 4)
    return np.concatenate([blocks[order.index(letter)] for letter in "ifgo"])


def having(lengths, steps, left=False):
    """Which steps the rows have, [T,N]."""
    t = np.arange(steps)[:, None]
    return t >= steps - np.array(lengths) if left else t < np.array(lengths)


def judge_layers(name, weights, x, h0, c0, y, hn, cn, add=False, start=None, tolerance=1e-13, **time):
    """Layers of cells by docs/EQUATIONS.md; weights [layer][direction] are (W, R, b), everything is time-major."""
    hs, cs = [], []
    for layer in weights:
        outputs = []
        for d, (W, R, b) in enumerate(layer):
            at = len(hs)
            begin = (0, 0) if start is None else (start[0][at], start[1][at])
            out, h, c = cell(x, h0[at], c0[at], W, R, b, reverse=d == 1, start=begin, **time)
            outputs.append(out)
            hs.append(h)
            cs.append(c)
        x = sum(outputs) if add else np.concatenate(outputs, axis=2)
    agree(f"{name} y", x, y, tolerance)
    agree(f"{name} hn", np.stack(hs), hn, tolerance)
    agree(f"{name} cn", np.stack(cs), cn, tolerance)


def border(size, kernel, stride=1, dilation=1, valid=False):
    """The zeros before and behind that TensorFlow's padding "same" stands for; of "valid" there are none."""
    steps = -(-size // stride)
    zeros = 0 if valid else max((steps - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return zeros // 2, zeros - zeros // 2


def convolve(x, W, borders, stride=(1, 1), dilation=(1, 1)):
    """x [N,Y,X,I] by W [4H,height,width,I], borders ((top, bottom), (left, right)): the sum over the taps."""
    height, width = W.shape[1:3]
    x = np.pad(x, ((0, 0), *borders, (0, 0)))
    rows, columns = ((x.shape[k + 1] - (W.shape[k + 1] - 1) * dilation[k] - 1) // stride[k] + 1 for k in (0, 1))
    a = 0
    for v in range(height):
        for u in range(width):
            down = slice(v * dilation[0], v * dilation[0] + (rows - 1) * stride[0] + 1, stride[0])
            across = slice(u * dilation[1], u * dilation[1] + (columns - 1) * stride[1] + 1, stride[1])
            a = a + x[:, down, across] @ W[:, v, u].T
    return a


def image_cell(x, h, c, W, R, b, see_x, see_h, peep=lambda gate, c: 0, gate=sigmoid):
    """One ConvLSTM over x [T,N,Y,X,I], forward; W, R [4H,height,width,.] and b in the order i f g o. see_x and see_h
    are the keywords of convolve; peep is what a gate's peepholes make of c. Returns h of every step, and the final h
    and c."""
    hs = []
    for step in x:
        i, f, g, o = np.split(convolve(step, W, **see_x) + convolve(h, R, **see_h) + b, 4, axis=-1)
        i, f, g = gate(i + peep("i", c)), gate(f + peep("f", c)), np.tanh(g + peep("g", c))
        c = f * c + i * g
        h = gate(o + peep("o", c)) * np.tanh(c)
        hs.append(h)
    return np.stack(hs), h, c
