#!/usr/bin/env python3
"""Makes tests/golden/conv_keras_*.safetensors: Keras' ConvLSTM2D in float64, values and all gradients.

On TensorFlow, whose padding "same" has its odd zero behind. Needs keras, tensorflow-cpu and numpy. Run from anywhere:
python3 scripts/make_golden_conv_keras.py
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow

from golden_common import agree, border, image_cell, random, sigmoid, write

STEPS, BATCH, HEIGHT, WIDTH, INPUTS, HIDDEN = 3, 2, 6, 7, 3, 2

# Of every layer, which a file holds stacked.
STATES = ("h0", "c0", "hn", "cn", "dhn", "dcn", "dh0", "dc0")

# What each layer is made with. test_golden_images.c has the same table.
CASES = {
    "same": [dict(kernel_size=3)],
    "wide": [dict(kernel_size=5)],
    "valid": [dict(kernel_size=3, padding="valid")],
    "even": [dict(kernel_size=2)],
    "oblong": [dict(kernel_size=(4, 3))],
    "stride": [dict(kernel_size=3, strides=2)],
    "stride_valid": [dict(kernel_size=(3, 2), strides=(2, 1), padding="valid")],
    "stride_even": [dict(kernel_size=(4, 2), strides=(2, 3))],
    "dilation": [dict(kernel_size=3, dilation_rate=2)],
    "dilation_valid": [dict(kernel_size=(2, 3), dilation_rate=(3, 2), padding="valid")],
    "hard": [dict(kernel_size=3, recurrent_activation="hard_sigmoid")],
    "no_bias": [dict(kernel_size=3, use_bias=False)],
    "layers": [dict(kernel_size=3), dict(kernel_size=(2, 5))],
}


def pair(value):
    return value if isinstance(value, tuple) else (value, value)


def sight(options, height, width):
    """The keywords of convolve for what a layer sees."""
    strides, dilations = pair(options.get("strides", 1)), pair(options.get("dilation_rate", 1))
    valid = options.get("padding") == "valid"
    return dict(stride=strides, dilation=dilations,
                borders=[border(size, kernel, stride, dilation, valid) for size, kernel, stride, dilation
                         in zip((height, width), pair(options["kernel_size"]), strides, dilations)])


def ohwi(kernel):
    return np.moveaxis(kernel, 3, 0)


def judge(name, cases, arrays):
    """The same layers by docs/EQUATIONS.md."""
    x = arrays["x"].swapaxes(0, 1)
    for k, options in enumerate(cases):
        height, width = arrays[f"h0.{k}"].shape[1:3]
        hard = options.get("recurrent_activation") == "hard_sigmoid"
        x, h, c = image_cell(x, arrays[f"h0.{k}"], arrays[f"c0.{k}"], ohwi(arrays[f"kernel.{k}"]),
                             ohwi(arrays[f"recurrent_kernel.{k}"]), arrays.get(f"bias.{k}", 0),
                             see_x=sight(options, *x.shape[2:4]),
                             see_h=sight({"kernel_size": options["kernel_size"]}, height, width),
                             gate=(lambda v: np.clip(v / 6 + 0.5, 0, 1)) if hard else sigmoid)
        agree(f"{name} hn.{k}", h, arrays[f"hn.{k}"], 1e-13)
        agree(f"{name} cn.{k}", c, arrays[f"cn.{k}"], 1e-13)
    agree(f"{name} y", x.swapaxes(0, 1), arrays["y"], 1e-13)


def make(name, cases):
    generator = np.random.default_rng(2032)
    layers = [keras.layers.ConvLSTM2D(HIDDEN, return_sequences=True, return_state=True, **{"padding": "same"} | options)
              for options in cases]
    arrays = {"x": random(generator, BATCH, STEPS, HEIGHT, WIDTH, INPUTS)}
    variables = {}
    shape = arrays["x"].shape
    for k, layer in enumerate(layers):
        layer.build(shape)
        shape = layer.compute_output_shape(shape)[0]
        for key in ("kernel", "recurrent_kernel") + (("bias",) if layer.cell.use_bias else ()):
            variable = getattr(layer.cell, key)
            variable.assign(random(generator, *variable.shape, scale=0.5))
            variables[f"{key}.{k}"] = variable.value
        for key in ("h0", "c0", "dhn", "dcn"):
            arrays[f"{key}.{k}"] = random(generator, BATCH, *shape[2:])
    arrays["dy"] = random(generator, *shape)
    arrays |= {key: variable.numpy() for key, variable in variables.items()}
    watched = {key: tensorflow.constant(values) for key, values in arrays.items() if key[:2] in ("x", "h0", "c0")}
    with tensorflow.GradientTape() as tape:
        tape.watch(list(watched.values()))
        y, loss = watched["x"], 0
        results = {}
        for k, layer in enumerate(layers):
            y, *states = layer(y, initial_state=[watched[f"h0.{k}"], watched[f"c0.{k}"]])
            for key, state in zip("hc", states):
                results[f"{key}n.{k}"] = state
                loss += tensorflow.reduce_sum(state * arrays[f"d{key}n.{k}"])
        loss += tensorflow.reduce_sum(y * arrays["dy"])
    results |= {"y": y} | {f"d{key}": gradient for key, gradient in tape.gradient(loss, watched | variables).items()}
    arrays |= {key: tensor.numpy() for key, tensor in results.items()}
    judge(name, cases, arrays)
    for key in STATES:
        arrays[key] = np.stack([arrays.pop(f"{key}.{k}") for k in range(len(layers))])
    write(f"conv_keras_{name}", arrays, options=cases,
          made_by=f"Keras {keras.__version__} on TensorFlow {tensorflow.__version__}, NumPy {np.__version__}")


def main():
    keras.backend.set_floatx("float64")
    for name, cases in CASES.items():
        make(name, cases)


if __name__ == "__main__":
    main()
