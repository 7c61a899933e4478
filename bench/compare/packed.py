#!/usr/bin/env python3
"""Measures sequences of unequal length in sluice and in PyTorch: both take the same lengths, in turn, round by round.

sluice runs as `sluice_time lengths`: rows with lengths in any order, padded, or longest first, packed. PyTorch's
nn.LSTM takes a PackedSequence: padded data through pack_padded_sequence and back through pad_packed_sequence, or packed
data as they are. Beside each stands the same library on the whole batch, which is what lengths are to spare. Needs
torch; everything else is standard.

    python3 bench/compare/packed.py --sluice-time build/bench/sluice_time
"""
import argparse
import json
import statistics
import subprocess
import time

import torch

STEPS, BATCH, HIDDEN = 100, 64, 256  # the problem of `sluice_time lengths`
LENGTHS = [1 + (17 + 61 * n) % STEPS for n in range(BATCH)]  # and its lengths


class Peer:
    """nn.LSTM on the whole batch, or on its rows as long as they are: "full", "padded" or "packed"."""

    def __init__(self, inputs):
        self.module = torch.nn.LSTM(inputs, HIDDEN)
        self.lengths = torch.tensor(LENGTHS)
        x = torch.randn(STEPS, BATCH, inputs)
        rows = torch.nn.utils.rnn.pack_padded_sequence(x, self.lengths, enforce_sorted=False)
        self.batch_sizes = rows.batch_sizes
        self.x = {"full": x, "padded": x.clone(), "packed": rows.data.clone()}
        self.dy = {form: torch.randn(*x.shape[:-1], HIDDEN) for form, x in self.x.items()}
        for x in self.x.values():
            x.requires_grad_()

    def forward(self, form):
        x = self.x[form]
        if form == "full":
            return self.module(x)[0]
        if form == "packed":
            return self.module(torch.nn.utils.rnn.PackedSequence(x, self.batch_sizes))[0].data
        rows = torch.nn.utils.rnn.pack_padded_sequence(x, self.lengths, enforce_sorted=False)
        return torch.nn.utils.rnn.pad_packed_sequence(self.module(rows)[0], total_length=STEPS)[0]

    def run(self, form, backward):
        if not backward:
            with torch.no_grad():
                self.forward(form)
            return
        self.module.zero_grad()
        self.x[form].grad = None
        self.forward(form).backward(self.dy[form])

    def seconds(self, form, backward, at_least):
        """Seconds of a call, the median of what fits into at_least seconds."""
        samples, start = [], time.perf_counter()
        while len(samples) < 3 or time.perf_counter() - start < at_least:
            begin = time.perf_counter()
            self.run(form, backward)
            samples.append(time.perf_counter() - begin)
        return statistics.median(samples)


def measure_sluice(arguments):
    """{(form, pass): row} of one round."""
    command = [arguments.sluice_time, "lengths", "--json", f"--seconds={arguments.seconds}",
               f"--threads={arguments.threads}"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    rows = [json.loads(line) for line in output.splitlines()]
    assert all(row["problem"] == f"t{STEPS}n{BATCH}h{HIDDEN}" for row in rows), rows
    needed = sum(LENGTHS) / (STEPS * BATCH)
    assert all(abs(row["needed"] - needed) < 1e-4 for row in rows), "the lengths are not those of sluice_time"
    return {(row["experiment"].split()[-1], row["pass"]): row for row in rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sluice-time", default="build/bench/sluice_time", help="the program")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1, help="for each measurement of each round")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(arguments.threads)
    peer = Peer(HIDDEN)
    rounds = []
    for _ in range(arguments.rounds):
        theirs = {(form, name): peer.seconds(form, name != "forward", arguments.seconds)
                  for name in ("forward", "forward+backward") for form in ("full", "padded", "packed")}
        rounds.append((measure_sluice(arguments), theirs))
    rows = rounds[0][0]
    print(f"PyTorch {torch.__version__}, {arguments.threads} threads; needed: {sum(LENGTHS) / (STEPS * BATCH):.3f}\n")
    print("| pass | form | sluice us | of its full | PyTorch us | of its full | PyTorch / sluice | kernels |")
    print("|---|---|---|---|---|---|---|---|")
    for (form, name), row in rows.items():
        ours = statistics.median(ours[form, name]["us"] for ours, _ in rounds)
        theirs = statistics.median(1e6 * theirs[form, name] for _, theirs in rounds)
        shares = (statistics.median(ours[form, name]["ratio"] for ours, _ in rounds),
                  statistics.median(theirs[form, name] / theirs["full", name] for _, theirs in rounds))
        ratio = statistics.median(1e6 * theirs[form, name] / ours[form, name]["us"] for ours, theirs in rounds)
        print(f"| {name} | {form} | {ours:.0f} | {shares[0]:.3f} | {theirs:.0f} | {shares[1]:.3f} | {ratio:.2f} | "
              f"{row['kernels']} |")


if __name__ == "__main__":
    main()
