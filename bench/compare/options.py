#!/usr/bin/env python3
"""Measures what each option of the cell costs over the plain cell: `sluice bench` of both in turn, the ratio of each pair."""
import argparse
import json
import statistics
import subprocess

OPTIONS = ["peep", "peepnew", "hard", "mask", "clip", "coupled", "zone", "rdrop", "peepfull", "bf16", "f16"]


def measure(sluice, problem, backward, seconds):
    """Microseconds a step of each pass, the fastest sample: what the code can do when nobody disturbs it."""
    command = [sluice, "bench", problem, "--json", "--seconds", str(seconds)] + (["--backward"] if backward else [])
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return {row["pass"]: row for row in map(json.loads, lines)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problems", nargs="*", default=["t150n16h256", "t25n1h512"])
    parser.add_argument("--sluice", default="sluice", help="the command")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.2, help="for each pass of each round")
    parser.add_argument("--backward", action="store_true", help="training: the forward pass with a tape, and the backward pass")
    parser.add_argument("--options", nargs="*", default=OPTIONS)
    arguments = parser.parse_args()
    print("| problem | pass | us a step | plain | ratio, median of pairs | of the fastest | kernels |\n|---|---|---|---|---|---|---|")
    for problem in arguments.problems:
        pairs = {option: [] for option in arguments.options}
        for _ in range(arguments.rounds):
            for option in arguments.options:
                pairs[option].append([measure(arguments.sluice, problem + each, arguments.backward, arguments.seconds)
                                      for each in ("", option)])
        for option in arguments.options:
            for name in pairs[option][0][0]:
                plain, times = ([pair[side][name]["us_per_step_min"] for pair in pairs[option]] for side in (0, 1))
                ratio = statistics.median(a / b for a, b in zip(times, plain))
                print(f"| {problem}{option} | {name} | {statistics.median(times):.1f} | {statistics.median(plain):.1f} | "
                      f"{ratio:.3f} | {min(times) / min(plain):.3f} | {pairs[option][0][1][name]['kernels']} |", flush=True)


if __name__ == "__main__":
    main()
