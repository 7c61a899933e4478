#!/usr/bin/env python3
"""Measures ConvLSTM in sluice, Keras (TensorFlow) and PyTorch in one run: a process for each, which take turns.

Every process is told over a pipe what to run, runs it while the others wait, and answers with the milliseconds of a
call, the median of a few. What is printed are medians over rounds, and ratios of the same round. Passes: "forward" in
inference, and "training", which is forward and backward with the gradients of x and of all parameters from a given
gradient of every step's output. Peers are measured in several variants; the best one of each pass counts. sluice is
measured as it chooses by itself, and "direct", without Winograd's tiles. A machine that does something else, too, shows
in medians that are far from the least milliseconds.

Before that each peer's y of the same numbers is compared with what `sluice run` makes of a model file of its weights.

sluice's side is the program of bench/images.c. The peers need Pythons of their own if they are in different
environments; everything else is standard.

    python3 bench/compare/convlstm.py --images build/bench/sluice_images --sluice build/tools/sluice \\
        --keras PYTHON --torch PYTHON
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PASSES = ("forward", "training")
SLOW = 2  # times as slow as the peer's best variant: not measured again
MUCH = 3  # seconds of a call that is measured once

# How far two y below one may be apart: sums have up to 3200 products (5 x 5 of 128 channels), six standard deviations
# of whose roundings are 6 sqrt(3200) 2^-24 = 2e-5, and by tiles ten times as much.
APART = 2e-4


class Problem:
    """A problem string of `sluice bench` without options but conv: "t10n16i64h64conv3y16x16"."""

    def __init__(self, text):
        sizes = re.fullmatch(r"t(\d+)n(\d+)i(\d+)h(\d+)conv(\d+)y(\d+)x(\d+)", text)
        if not sizes:
            raise SystemExit(f"{text} is no problem like t10n16i64h64conv3y16x16")
        sizes = map(int, sizes.groups())
        self.steps, self.batch, self.inputs, self.hidden, self.kernel, self.height, self.width = sizes

    def flops(self, training):
        """Multiplications and additions of the convolutions, the zeros around the images counted, too; backward has two
        products for each one of forward."""
        places = self.steps * self.batch * self.height * self.width
        return places * 4 * self.hidden * (self.inputs + self.hidden) * self.kernel**2 * 2 * (3 if training else 1)


# --------------------------------------------------------------------------------------------------- agreement -----


def model_write(path, problem, tensors):
    """A model file of one layer, docs/FORMAT.md."""
    kernel = {"height": problem.kernel, "width": problem.kernel}
    layer = {"hidden": problem.hidden, "direction": "forward", "bias": True, "dropout": 0, "input_convolution": kernel,
             "recurrent_convolution": kernel}
    description = {"inputs": problem.inputs, "outputs": 0, "image_height": problem.height,
                   "image_width": problem.width, "layers": [layer]}
    header, data = {"__metadata__": {"sluice.version": "1", "sluice.description": json.dumps(description)}}, b""
    for name, values in tensors.items():
        bytes_ = values.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": values.shape, "data_offsets": [len(data), len(data) + len(bytes_)]}
        data += bytes_
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def keras_numbers(problem):
    """x and y [T,N,Y,X,.] of a layer, and its weights as a model file has them."""
    import keras
    import numpy as np

    layer = keras.layers.ConvLSTM2D(problem.hidden, problem.kernel, padding="same", return_sequences=True)
    shape = (problem.batch, problem.steps, problem.height, problem.width, problem.inputs)
    x = np.random.default_rng(2).uniform(-1, 1, shape).astype("f")
    y = np.array(layer(x))
    kernel, recurrent, bias = layer.get_weights()
    return x.swapaxes(0, 1), y.swapaxes(0, 1), {
        "weight_ih_l0": kernel.reshape(-1, len(bias)).T, "weight_hh_l0": recurrent.reshape(-1, len(bias)).T,
        "bias_l0": bias}


def torch_numbers(problem):
    import torch

    module = torch_module(problem, False)
    x = torch.rand(problem.steps, problem.batch, problem.inputs, problem.height, problem.width) * 2 - 1
    start = torch.zeros(problem.batch, problem.hidden, problem.height, problem.width)
    with torch.no_grad():
        y = module(x, start, start)
    weight = module.of_both.weight.detach().movedim(1, -1)
    parts = (part.flatten(1).numpy() for part in weight.split([problem.inputs, problem.hidden], dim=-1))
    return x.movedim(2, -1).numpy(), y.movedim(2, -1).numpy(), {
        **dict(zip(("weight_ih_l0", "weight_hh_l0"), parts)), "bias_l0": module.of_both.bias.detach().numpy()}


def agreement(peer, problem, sluice):
    """The largest difference between the peer's y and sluice's."""
    import numpy as np

    x, y, tensors = (keras_numbers if peer == "keras" else torch_numbers)(problem)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        model_write(folder / "model", problem, tensors)
        np.save(folder / "x.npy", np.ascontiguousarray(x))
        subprocess.run([sluice, "run", folder / "model", "--input", folder / "x.npy", "--output", folder / "y.npy"],
                       check=True, stdout=sys.stderr)
        return float(abs(np.load(folder / "y.npy") - y).max())


# ------------------------------------------------------------------------------------------------------- Keras -----


def keras_variant(problem, variant, training):
    """Keras' layer in a tf.function: "graph", compiled by XLA ("xla"), or with its steps unrolled ("unrolled", "xla
    unrolled"). A variant whose steps are unrolled costs minutes to compile."""
    import keras
    import numpy as np
    import tensorflow as tf

    generator = np.random.default_rng(1)
    layer = keras.layers.ConvLSTM2D(problem.hidden, problem.kernel, padding="same", return_sequences=True,
                                    unroll="unrolled" in variant)
    shape = (problem.batch, problem.steps, problem.height, problem.width)
    x, dy = (tf.constant(generator.uniform(-1, 1, (*shape, channels)).astype("f"))
             for channels in (problem.inputs, problem.hidden))
    layer(x)
    weights = [weight.value for weight in layer.trainable_weights]

    @tf.function(jit_compile="xla" in variant)
    def forward():
        return layer(x, training=False)

    @tf.function(jit_compile="xla" in variant)
    def both():
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([x, *weights])
            y = layer(x, training=True)
        return y, tape.gradient(y, [x, *weights], output_gradients=dy)

    def run():
        result = both()[1][0] if training else forward()
        return float(result[0, 0, 0, 0, 0])

    return run


# ------------------------------------------------------------------------------------------------------- torch -----


def torch_module(problem, split):
    """The usual ConvLSTM: one convolution over [x, h]; or, split, one over the x of all steps and one over h."""
    import torch

    class ConvLSTM(torch.nn.Module):
        def __init__(self):
            super().__init__()
            I, H, K = problem.inputs, problem.hidden, problem.kernel
            if split:
                self.of_x = torch.nn.Conv2d(I, 4 * H, K, padding=K // 2)
                self.of_h = torch.nn.Conv2d(H, 4 * H, K, padding=K // 2, bias=False)
            else:
                self.of_both = torch.nn.Conv2d(I + H, 4 * H, K, padding=K // 2)

        def forward(self, x, h, c):
            ys = []
            a_x = self.of_x(x.flatten(0, 1)).unflatten(0, x.shape[:2]) if split else x
            for part in a_x.unbind(0):
                a = part + self.of_h(h) if split else self.of_both(torch.cat([part, h], 1))
                i, f, g, o = a.chunk(4, 1)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
                ys.append(h)
            return torch.stack(ys)

    return ConvLSTM()


def torch_variant(problem, variant, training):
    """Words of the variant: "split" (see above), "last" (channels last), "compiled" (torch.compile), "frozen"
    (compiled, its weights constants laid out for the kernels; in inference only)."""
    import torch

    words = variant.split()
    shapes = [(problem.steps, problem.batch, channels, problem.height, problem.width)
              for channels in (problem.inputs, problem.hidden)]
    form = torch.channels_last if "last" in words else torch.contiguous_format
    torch.manual_seed(1)
    module = torch_module(problem, "split" in words).to(memory_format=form)
    x, dy = (torch.rand(shape) * 2 - 1 for shape in shapes)
    h, c = (torch.zeros(dy.shape[1:]).to(memory_format=form) for _ in range(2))
    if "last" in words:
        x, dy = (one.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3) for one in (x, dy))
    if "frozen" in words:
        import torch._inductor.config
        torch._inductor.config.freezing = True
        module.eval()
    called = torch.compile(module) if {"compiled", "frozen"} & set(words) else module

    def forward():
        with torch.no_grad():
            return called(x, h, c).flatten()[0].item()

    def both():
        module.zero_grad()
        x.grad = None
        called(x, h, c).backward(dy)
        return x.grad.flatten()[0].item()

    x.requires_grad_(training)
    return both if training else forward


# ----------------------------------------------------------------------------------------------------- workers -----

KERAS_VARIANTS = ("graph", "xla", "unrolled")
TORCH_VARIANTS = ("plain", "last", "split", "split last", "compiled", "split compiled", "last compiled",
                  "split last compiled", "frozen", "split frozen")


def peer_version(peer, threads):
    """Sets the peer's threads, and says what it is."""
    if peer == "keras":
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        os.environ["KERAS_BACKEND"] = "tensorflow"
        import keras
        import tensorflow as tf
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        return f"Keras {keras.__version__}, TensorFlow {tf.__version__}"
    import torch
    torch.set_num_threads(threads)
    return f"PyTorch {torch.__version__}"


def work(peer, threads, clock):
    """Answers every line of a problem, a pass, seconds and a variant with {"ms"} or {"error"}, after one
    {"version"}. The pass "agreement" has sluice's path as its variant, and the answer {"apart"}."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print(json.dumps({"version": peer_version(peer, threads)}), file=answers, flush=True)
    ready = {}
    for line in sys.stdin:
        problem, pass_name, seconds, variant = line.rstrip("\n").split(" ", 3)
        try:
            if pass_name == "agreement":
                answer = {"apart": agreement(peer, Problem(problem), variant)}
            else:
                answer = {"ms": 1e3 * measure_peer(ready, peer, clock, problem, pass_name, variant, float(seconds))}
        except Exception as error:  # of any kind: what a peer cannot do is reported
            answer = {"error": (str(error) or type(error).__name__).splitlines()[0]}
        print(json.dumps(answer), file=answers, flush=True)


def measure_peer(ready, peer, clock, problem, pass_name, variant, seconds):
    """Seconds of a call, after two that may compile; one call is enough if it takes longer than MUCH."""
    key = (problem, pass_name, variant)
    if key not in ready:
        make = keras_variant if peer == "keras" else torch_variant
        ready[key] = make(Problem(problem), variant, pass_name == "training")
        ready[key]()
        ready[key]()
    samples, start = [], time.perf_counter()
    while len(samples) < 2 or time.perf_counter() - start < seconds:
        begin = clock()
        ready[key]()
        samples.append(clock() - begin)
        if samples[0] > MUCH:
            break
    return statistics.median(samples)


class Worker:
    def __init__(self, command, threads):
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=environment, stderr=subprocess.DEVNULL)
        self.version = self.answer()["version"]

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args} ended")
        return json.loads(line)

    def ask(self, problem, pass_name, variant, seconds):
        self.process.stdin.write(f"{problem} {pass_name} {seconds} {variant}\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# ------------------------------------------------------------------------------------------------------- rounds -----


def open_workers(arguments, threads):
    """{name: (worker, variants)}"""
    workers, cpu = {}, ["--cpu"] if arguments.cpu else []
    if arguments.images:
        workers["sluice"] = (Worker([arguments.images, f"--threads={threads}", *cpu], threads),
                             ("", *arguments.sluice_variants))
    for name, python, variants in (("keras", arguments.keras, arguments.keras_variants),
                                   ("torch", arguments.torch, arguments.torch_variants)):
        if python:
            command = [python, __file__, "--worker", name, "--worker-threads", str(threads), *cpu]
            workers[name] = (Worker(command, threads), variants)
    return workers


def check_agreement(workers, problem, sluice):
    for name in ("keras", "torch"):
        if name not in workers:
            continue
        answer = workers[name][0].ask(problem, "agreement", sluice, 0)
        print(f"{problem}: y of {name} and of sluice differ by at most {answer.get('apart', answer)}", flush=True)
        if not answer.get("apart", 1) <= APART:
            raise SystemExit(f"at most {APART} is asked")


def measure(workers, problem, pass_name, arguments):
    """{(name, variant): [ms of every round]}; a variant that fails is told and left out, and one that takes more than
    SLOW times as long as the peer's best is not measured again."""
    sides = {(name, variant): [] for name, (_, variants) in workers.items() for variant in variants}
    facts = {}
    for number in range(arguments.rounds):
        for name, variant in list(sides):
            if number and name != "sluice" and sides[name, variant][0] > SLOW * min(
                    ms[0] for key, ms in sides.items() if key[0] == name):
                continue
            answer = workers[name][0].ask(problem, pass_name, variant, arguments.seconds)
            if "error" in answer:
                print(f"{name} {variant}, {pass_name}: {answer['error']}", file=sys.stderr, flush=True)
                del sides[name, variant]
                continue
            sides[name, variant].append(answer["ms"])
            facts[name, variant] = answer
    return sides, facts


def report(problem, pass_name, threads, sides, facts):
    flops = Problem(problem).flops(pass_name == "training")
    best = {}
    for (name, variant), ms in sides.items():
        if name not in best or statistics.median(ms) < statistics.median(sides[best[name]]):
            best[name] = (name, variant)
    for (name, variant), ms in sides.items():
        middle = statistics.median(ms)
        ratio = ""
        if ("sluice", "") in sides:
            ratio = f"{statistics.median(a / b for a, b in zip(ms, sides['sluice', ''])):.2f}"
        mark = "best" if best[name] == (name, variant) else ""
        print(f"| {problem} | {pass_name} | {threads} | {name} {variant} | {middle:.1f} | {min(ms):.1f} | "
              f"{flops / middle / 1e6:.0f} | {ratio} | {mark} | {facts[name, variant].get('kernels', '')} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", help="the program sluice_images; without it the peers alone are measured")
    parser.add_argument("--sluice", help="the command; without it y is not compared")
    parser.add_argument("--keras", help="a Python with keras and tensorflow")
    parser.add_argument("--torch", help="a Python with torch")
    parser.add_argument("--sluice-variants", nargs="*", default=["direct"], help="more options of problem strings")
    parser.add_argument("--keras-variants", nargs="+", default=KERAS_VARIANTS)
    parser.add_argument("--torch-variants", nargs="+", default=TORCH_VARIANTS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="for each measurement of each round")
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 1])
    parser.add_argument("--problems", nargs="+", default=["t10n16i64h64conv3y16x16", "t10n16i64h64conv5y16x16"])
    parser.add_argument("--passes", nargs="+", default=PASSES, choices=PASSES)
    parser.add_argument("--cpu", action="store_true", help="measure the processor's time, on a busy machine; 1 thread")
    parser.add_argument("--worker", choices=("keras", "torch"), help=argparse.SUPPRESS)
    parser.add_argument("--worker-threads", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return work(arguments.worker, arguments.worker_threads,
                    time.process_time if arguments.cpu else time.perf_counter)
    if arguments.cpu and arguments.threads != [1]:
        parser.error("--cpu needs --threads 1: threads that wait cost time, too")
    for threads in arguments.threads:
        workers = open_workers(arguments, threads)
        print("; ".join(worker.version for worker, _ in workers.values()), flush=True)
        for problem in arguments.problems if arguments.sluice else ():
            check_agreement(workers, problem, arguments.sluice)
        print("\n| problem | pass | threads | who | ms | least | GFLOP/s | of sluice | | kernels |\n"
              "|---|---|---|---|---|---|---|---|---|---|")
        for problem in arguments.problems:
            for pass_name in arguments.passes:
                report(problem, pass_name, threads, *measure(workers, problem, pass_name, arguments))
        for worker, _ in workers.values():
            worker.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
