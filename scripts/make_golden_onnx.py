#!/usr/bin/env python3
"""Makes tests/golden/onnx_*.safetensors: ONNX's LSTM operator as ONNX Runtime computes it in float32; layout 1, which
ONNX Runtime refuses, by the reference evaluator of the onnx package.

Needs onnx, onnxruntime and numpy. Run from anywhere: python3 scripts/make_golden_onnx.py
"""

import numpy as np
import onnx
import onnx.reference
import onnxruntime
from onnx import TensorProto, helper

from golden_common import agree, cell, random, reorder, sigmoid, write

STEPS, BATCH, INPUTS, HIDDEN = 5, 3, 4, 3
ROUNDING = 1e-5  # far above what float32 rounds here, far below what a wrong reading of an option changes

# Functions of the operator's specification, as (v, alpha, beta).
FUNCTIONS = {
    "Sigmoid": lambda v, a, b: sigmoid(v),
    "Tanh": lambda v, a, b: np.tanh(v),
    "Relu": lambda v, a, b: np.maximum(v, 0),
    "Affine": lambda v, a, b: a * v + b,
    "LeakyRelu": lambda v, a, b: np.where(v >= 0, v, a * v),
    "ThresholdedRelu": lambda v, a, b: np.where(v > a, v, 0),
    "ScaledTanh": lambda v, a, b: a * np.tanh(b * v),
    "HardSigmoid": lambda v, a, b: np.clip(a * v + b, 0, 1),
    "Elu": lambda v, a, b: np.where(v >= 0, v, a * np.expm1(v)),
    "Softsign": lambda v, a, b: v / (1 + np.abs(v)),
    "Softplus": lambda v, a, b: np.log1p(np.exp(v)),
}

# direction, peepholes, the three functions with alpha and beta, other attributes of the operator.
PLAIN = [("Sigmoid", None, None), ("Tanh", None, None), ("Tanh", None, None)]
CASES = {
    "plain": ("forward", False, PLAIN, {}),
    "peephole": ("bidirectional", True, PLAIN, {}),
    "clip": ("reverse", True, PLAIN, {"clip": 0.375}),
    "input_forget": ("bidirectional", True, PLAIN, {"input_forget": 1}),
    "scaled": ("bidirectional", True,
               [("HardSigmoid", 0.25, 0.5), ("ScaledTanh", 1.75, 0.625), ("LeakyRelu", 0.125, None)], {}),
    "elu": ("forward", True, [("Sigmoid", None, None), ("Softsign", None, None), ("Elu", 0.75, None)], {}),
    "affine": ("reverse", False,
               [("Affine", 0.25, 0.5), ("Softplus", None, None), ("ThresholdedRelu", 0.25, None)], {}),
    "relu": ("forward", True, [("Sigmoid", None, None), ("Relu", None, None), ("Tanh", None, None)], {"clip": 0.5}),
    "layout": ("bidirectional", True, PLAIN, {"layout": 1}),
}


def model(attributes, inputs):
    lengths = "sequence_lens" if "sequence_lens" in inputs else ""
    node = helper.make_node("LSTM", ["X", "W", "R", "B", lengths, "initial_h", "initial_c"] + ["P"] * ("P" in inputs),
                            ["Y", "Y_h", "Y_c"], hidden_size=HIDDEN, **attributes)
    graph = helper.make_graph(
        [node], "lstm", [helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
                         for k, v in inputs.items()],
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, None) for k in node.output])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


def attributes_of(direction, functions, others):
    directions = 2 if direction == "bidirectional" else 1
    attributes = dict(others, direction=direction, activations=[name for name, _, _ in functions] * directions)
    alphas = [alpha for _, alpha, _ in functions if alpha is not None] * directions
    betas = [beta for _, _, beta in functions if beta is not None] * directions
    return attributes | ({"activation_alpha": alphas} if alphas else {}) | ({"activation_beta": betas} if betas else {})


def judge(name, direction, functions, others, inputs, Y, Y_h, Y_c):
    """The same cell by docs/EQUATIONS.md: clip on pre-activations and nothing else, f = 1 - i if input_forget."""
    f, g, h = (lambda v, one=one: FUNCTIONS[one[0]](v, *one[1:]) for one in functions)
    batch_first = others.get("layout")
    x, h0, c0 = (inputs[key].swapaxes(0, 1) if batch_first else inputs[key] for key in ("X", "initial_h", "initial_c"))
    for d in range(len(inputs["W"])):
        p = np.split(inputs["P"][d], 3) if "P" in inputs else [np.zeros(HIDDEN)] * 3
        out, hn, cn = cell(
            x, h0[d], c0[d], reorder(inputs["W"][d], "iofg"), reorder(inputs["R"][d], "iofg"),
            reorder(sum(np.split(inputs["B"][d].astype(np.float64), 2)), "iofg"),
            V=np.stack([p[0], p[2], 0 * p[0], p[1]]), gate=f, candidate=g, output=h, gate_clip=others.get("clip", 0),
            coupled=bool(others.get("input_forget")), reverse=direction == "reverse" or d == 1)
        agree(f"{name} Y", out, Y[:, :, d].swapaxes(0, 1) if batch_first else Y[:, d], ROUNDING)
        agree(f"{name} Y_h", hn, Y_h[:, d] if batch_first else Y_h[d], ROUNDING)
        agree(f"{name} Y_c", cn, Y_c[:, d] if batch_first else Y_c[d], ROUNDING)


def make(name, direction, peepholes, functions, others):
    generator = np.random.default_rng(2026)
    D = 2 if direction == "bidirectional" else 1
    shapes = {"X": (STEPS, BATCH, INPUTS), "W": (D, 4 * HIDDEN, INPUTS), "R": (D, 4 * HIDDEN, HIDDEN),
              "B": (D, 8 * HIDDEN), "initial_h": (D, BATCH, HIDDEN), "initial_c": (D, BATCH, HIDDEN)}
    if others.get("layout"):
        shapes |= {key: (BATCH, D, HIDDEN) for key in ("initial_h", "initial_c")} | {"X": (BATCH, STEPS, INPUTS)}
    if peepholes:
        shapes["P"] = (D, 3 * HIDDEN)
    inputs = {key: random(generator, *shape, scale=1.0 if key in ("X", "initial_h", "initial_c", "P") else 0.5)
              .astype(np.float32) for key, shape in shapes.items()}
    attributes = attributes_of(direction, functions, others)
    made = model(attributes, inputs)
    if others.get("layout"):
        outputs = onnx.reference.ReferenceEvaluator(made).run(None, inputs)
        tool = f"onnx {onnx.__version__}, reference evaluator"
    else:
        outputs = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"]).run(
            None, inputs)
        tool = f"ONNX Runtime {onnxruntime.__version__}, onnx {onnx.__version__}"
    judge(name, direction, functions, others, inputs, *outputs)
    outputs = {key: value.astype(np.float32) for key, value in zip(("Y", "Y_h", "Y_c"), outputs)}
    write(f"onnx_{name}", inputs | outputs, made_by=f"{tool}, NumPy {np.__version__}", attributes=attributes)


def main():
    for name, case in CASES.items():
        make(name, *case)


if __name__ == "__main__":
    main()
