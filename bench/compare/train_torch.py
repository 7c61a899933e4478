#!/usr/bin/env python3
"""Trains the same character model with sluice and with PyTorch: the losses must agree, the times are compared.

Both start from the weights that `sluice train --updates 0` writes and see the same characters in the same order, with the
same optimizer, clipping and precision. PyTorch's second bias is frozen at zero, because one bias is what both train.
Times are medians over rounds in which the two take turns. Needs torch and numpy; everything else is standard.

    python3 bench/compare/train_torch.py --sluice build/tools/sluice TEXT
"""
import argparse
import csv
import json
import statistics
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

EMBEDDING = 64
RATE = 0.002
CLIP = 5.0


def read_tensors(path):
    """A safetensors file of F32 tensors, by name."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        flat = np.frombuffer(data[8 + length + first : 8 + length + last], dtype="<f4")
        tensors[name] = torch.tensor(flat.reshape(entry["shape"]).copy())
    return tensors


class Model(torch.nn.Module):
    """Embedding, LSTM stack, dense read-out, as `sluice train` builds them."""

    def __init__(self, tensors, layers):
        super().__init__()
        table, readout = tensors["embedding.weight"], tensors["readout.weight"]
        hidden = tensors["weight_hh_l0"].shape[1]
        self.embedding = torch.nn.Embedding.from_pretrained(table.clone(), freeze=False)
        self.lstm = torch.nn.LSTM(table.shape[1], hidden, layers)
        self.readout = torch.nn.Linear(hidden, readout.shape[0])
        with torch.no_grad():
            for layer in range(layers):
                for kind in ("ih", "hh"):
                    getattr(self.lstm, f"weight_{kind}_l{layer}").copy_(tensors[f"weight_{kind}_l{layer}"])
                getattr(self.lstm, f"bias_ih_l{layer}").copy_(tensors[f"bias_l{layer}"].reshape(-1))
                second = getattr(self.lstm, f"bias_hh_l{layer}")
                second.zero_()
                second.requires_grad_(False)
            self.readout.weight.copy_(readout)
            self.readout.bias.copy_(tensors["readout.bias"].reshape(-1))

    def forward(self, index, state):
        y, state = self.lstm(self.embedding(index), state)
        return self.readout(y), state


class Course:
    """One training course in PyTorch, update by update."""

    def __init__(self, tensors, text, layers, batch, steps):
        self.model = Model(tensors, layers)
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(self.trained, lr=RATE)
        symbols = sorted(set(text))
        number = np.zeros(256, dtype=np.int64)
        number[symbols] = np.arange(len(symbols))
        index = number[np.frombuffer(text, dtype=np.uint8)]
        length = (len(index) - 1) // batch
        self.x = torch.tensor(np.stack([index[n * length : (n + 1) * length] for n in range(batch)], axis=1))
        self.target = torch.tensor(
            np.stack([index[n * length + 1 : (n + 1) * length + 1] for n in range(batch)], axis=1)
        )
        self.steps, self.length, self.offset, self.state = steps, length, 0, None

    def update(self):
        if self.offset + self.steps > self.length:
            self.offset, self.state = 0, None
        part = slice(self.offset, self.offset + self.steps)
        logits, state = self.model(self.x[part], self.state)
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), self.target[part].reshape(-1))
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, CLIP)
        self.optimizer.step()
        self.state = tuple(s.detach() for s in state)
        self.offset += self.steps
        return loss.item()


def sluice_train(arguments, folder, hidden, layers, batch, updates, threads, log=None):
    """Runs `sluice train`; returns milliseconds an update."""
    command = [arguments.sluice, "train", str(arguments.text), "--output", f"{folder}/model", "--validation", "0"]
    command += ["--hidden", hidden, "--layers", layers, "--embedding", EMBEDDING, "--batch", batch, "--steps"]
    command += [arguments.steps, "--updates", updates, "--rate", RATE, "--clip", CLIP, "--threads", threads]
    command += ["--checkpoint-every", 0, "--epochs", 1000]
    if log:
        command += ["--log", log]
    output = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
    for line in (output.stdout + output.stderr).splitlines():
        if line.startswith("milliseconds per update"):
            return float(line.split()[-1])
    return None


def check_agreement(arguments, text, folder):
    sluice_train(arguments, folder, 128, 2, 16, 0, 1)
    course = Course(read_tensors(f"{folder}/model"), text, 2, 16, arguments.steps)
    theirs = [course.update() for _ in range(100)]
    sluice_train(arguments, folder, 128, 2, 16, 100, 1, f"{folder}/log.csv")
    with open(f"{folder}/log.csv", newline="") as file:
        ours = [float(row["training_loss"]) for row in csv.DictReader(file)]
    worst = max(abs(a - b) for a, b in zip(ours, theirs))
    print(f"loss of update 1: {ours[0]:.6f} and {theirs[0]:.6f}; of update 100: {ours[99]:.6f} and {theirs[99]:.6f}")
    print(f"largest difference over 100 updates: {worst:.2e} (at most 1e-4 is asked)")
    return len(ours) == 100 and worst <= 1e-4


def compare_times(arguments, text, folder, hidden, batch, threads):
    torch.set_num_threads(threads)
    sluice_train(arguments, folder, hidden, 1, batch, 0, threads)
    course = Course(read_tensors(f"{folder}/model"), text, 1, batch, arguments.steps)
    begin = time.perf_counter()
    for _ in range(3):
        course.update()
    updates = max(5, min(200, int(0.5 * 3 / (time.perf_counter() - begin))))
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        ours.append(sluice_train(arguments, folder, hidden, 1, batch, updates, threads))
        begin = time.perf_counter()
        for _ in range(updates):
            course.update()
        theirs.append((time.perf_counter() - begin) / updates * 1e3)
    sluice_ms, torch_ms = statistics.median(ours), statistics.median(theirs)
    print(f"| {hidden} | {batch} | {threads} | {sluice_ms:.2f} | {torch_ms:.2f} | {torch_ms / sluice_ms:.2f} |", flush=True)
    return torch_ms / sluice_ms


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--sluice", default="build/tools/sluice")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--hidden", type=int, nargs="+", default=[128, 256, 512])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 16, 64])
    arguments = parser.parse_args()
    text = arguments.text.read_bytes()
    print(f"PyTorch {torch.__version__}, {torch.backends.mkldnn.is_available() and 'oneDNN' or 'no oneDNN'}")
    with tempfile.TemporaryDirectory() as folder:
        good = check_agreement(arguments, text, folder)
        print("| hidden | batch | threads | sluice ms | PyTorch ms | PyTorch / sluice |\n|---|---|---|---|---|---|")
        ratios = [
            compare_times(arguments, text, folder, hidden, batch, threads)
            for threads in arguments.threads
            for hidden in arguments.hidden
            for batch in arguments.batch
        ]
    print(f"smallest ratio {min(ratios):.2f}")
    return 0 if good and min(ratios) >= 1 else 1


if __name__ == "__main__":
    raise SystemExit(main())
