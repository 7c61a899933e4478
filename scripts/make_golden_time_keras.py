#!/usr/bin/env python3
"""Makes tests/golden/time_keras_*.safetensors: Keras' LSTM with masks and merge_mode in float64, values and gradients.

On TensorFlow, because with masks Keras 3.15 on PyTorch multiplies matrices in float32 whatever the layer's type. Every
array is whole, [N,T,.], with random numbers where a row has no step: nobody may read them.

Needs keras, tensorflow-cpu and numpy. Run from anywhere: python3 scripts/make_golden_time_keras.py
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow

from golden_common import having, judge_layers, random, write

STEPS, BATCH, INPUTS, HIDDEN = 6, 4, 3, 3

# Keras puts zeros out at masked steps before a row's first one, whatever h is there, so rows that begin with masked
# steps begin with h = 0, and no gradient is asked of that zero.
MASK = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 0, 0, 1], [0, 1, 0, 1], [1, 1, 1, 1], [1, 0, 1, 0]], bool)
MASK[0, 2] = False

# merge_mode, and which steps are not masked. Bidirectional puts zeros out at masked steps, as if rows were shorter.
CASES = {
    "masking": (None, MASK),
    "sum": ("sum", having([STEPS] * BATCH, STEPS)),
    "sum_right": ("sum", having([4, 0, 6, 1], STEPS)),
    "concat_left": ("concat", having([4, 0, 6, 1], STEPS, left=True)),
}


def layer_and_cells(merge):
    layer = keras.layers.LSTM(HIDDEN, return_sequences=True, return_state=True, dtype="float64")
    if merge:
        layer = keras.layers.Bidirectional(layer, merge_mode=merge, dtype="float64")
    layer.build((BATCH, STEPS, INPUTS))
    return layer, [layer.forward_layer.cell, layer.backward_layer.cell] if merge else [layer.cell]


def make(name, merge, present):
    generator = np.random.default_rng(2030)
    layer, cells = layer_and_cells(merge)
    variables = {key: [getattr(one, key) for one in cells] for key in ("kernel", "recurrent_kernel", "bias")}
    for ones in variables.values():
        for one in ones:
            one.assign(random(generator, *one.shape, scale=0.5))
    x = tensorflow.Variable(random(generator, BATCH, STEPS, INPUTS))
    h0, c0 = (random(generator, len(cells), BATCH, HIDDEN) for _ in "hc")
    dy = random(generator, BATCH, STEPS, HIDDEN * (2 if merge == "concat" else 1))
    dhn, dcn = (random(generator, len(cells), BATCH, HIDDEN) for _ in "hc")
    if merge is None:
        h0[:, ~present[0]] = 0
        dy[~present[0], 0] = 0
    h0, c0 = tensorflow.Variable(h0), tensorflow.Variable(c0)
    with tensorflow.GradientTape() as tape:
        y, *states = layer(x, mask=tensorflow.constant(present.T),
                           initial_state=[one[d] for d in range(len(cells)) for one in (h0, c0)])
        hn, cn = tensorflow.stack(states[0::2]), tensorflow.stack(states[1::2])
        loss = sum(tensorflow.reduce_sum(values * d) for values, d in ((y, dy), (hn, dhn), (cn, dcn)))
    ones = sum(variables.values(), [])
    gradients = [np.array(one) for one in tape.gradient(loss, [x, h0, c0] + [one.value for one in ones])]

    arrays = {key: np.array(one) for key, one in dict(x=x, y=y, hn=hn, cn=cn, h0=h0, c0=c0, dy=dy, dhn=dhn, dcn=dcn,
                                                      present=present.astype(np.float64)).items()}
    arrays |= dict(zip(("dx", "dh0", "dc0"), gradients))
    for k, (key, ones) in enumerate(variables.items()):
        at = 3 + k * len(cells)
        arrays[key] = np.stack([np.array(one) for one in ones])
        arrays["d" + key] = np.stack(gradients[at:at + len(cells)])
    weights = [[(arrays["kernel"][d].T, arrays["recurrent_kernel"][d].T, arrays["bias"][d])
                for d in range(len(cells))]]
    time = dict(holds=~present) if merge is None else dict(present=present)
    judge_layers(name, weights, *(arrays[key].swapaxes(0, 1) if key in "xy" else arrays[key]
                                  for key in ("x", "h0", "c0", "y", "hn", "cn")), add=merge == "sum", **time)
    write(f"time_keras_{name}", arrays, merge_mode=merge,
          made_by=f"Keras {keras.__version__} on TensorFlow {tensorflow.__version__}, NumPy {np.__version__}")


def main():
    for name, case in CASES.items():
        make(name, *case)


if __name__ == "__main__":
    main()
