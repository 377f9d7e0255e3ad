#!/usr/bin/env python3
"""Claim C10 of RESULTS.md: how the time of a meta-aggregator grows with m.

    python3 experiments/paper/cost.py [D [REPEATS]]

Draws Gaussian matrices of m x D (100,000 unless given), hands them to `phalanx aggregate` with f = m / 4, in one thread,
and takes the shortest `aggregate` time of its reports. Prints milliseconds, and two slopes of log time against log m by least
squares: that of the time, and that of what a meta-aggregator adds to its base, where it always adds some. A slope of 1 is
linear in m, 2 quadratic. Then CTMA's time over the mean's at each m. Standard library only.
"""

import array
import json
import math
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

ROWS = (16, 32, 64, 128, 256)
RULES = ["mean"] + [meta + base for base in ("cwmed", "geometric-median") for meta in ("", "ctma,", "nnm,")]
PROGRAM = Path(__file__).parents[2] / "target/release/phalanx"


def write(path, m, d, numbers):
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({m}, {d}), }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + numbers[: m * d].tobytes())


def milliseconds(folder, rule, m, repeats):
    report, out = folder / "report.json", folder / "out.npy"
    command = [PROGRAM, "aggregate", "--rule", rule, "--f", str(m // 4), folder / f"{m}.npy", "-o", out, "--report", report]
    times = []
    for _ in range(repeats):
        run = {**os.environ, "RAYON_NUM_THREADS": "1"}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=run)
        times.append(json.loads(report.read_text())["seconds"]["aggregate"])
    return min(times) * 1e3


def slope(times):
    x, y = [math.log(m) for m in ROWS], [math.log(time) for time in times]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / sum((a - mean_x) ** 2 for a in x)


def added(times, base):
    """The slope of what was added to the times of the base, as text."""
    extra = [time - plain for time, plain in zip(times, base)]
    return f"{slope(extra):.2f}" if min(extra) > 0 else ""


def main(d=100_000, repeats=3):
    draw = random.Random(1)
    numbers = array.array("f", (draw.gauss(0, 1) for _ in range(ROWS[-1] * d)))
    print("| rule |", " | ".join(f"m = {m}" for m in ROWS), "| slope | slope of what is added |\n|---|" + "---|" * (len(ROWS) + 2))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for m in ROWS:
            write(folder / f"{m}.npy", m, d, numbers)
        found = {}
        for rule in RULES:
            times = found[rule] = [milliseconds(folder, rule, m, repeats) for m in ROWS]
            base = base if "," in rule else times
            shown = " | ".join(f"{time:.2f}" for time in times)
            print(f"| {rule.replace(',', ' > ')} | {shown} | {slope(times):.2f} | {added(times, base)} |", flush=True)
    over = " | ".join(f"{time / mean:.1f}" for time, mean in zip(found["ctma,cwmed"], found["mean"]))
    print(f"| ctma > cwmed, in means | {over} | | |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
