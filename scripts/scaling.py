#!/usr/bin/env python3
"""How a round scales with workers, parameters and threads: tables in Markdown, with fitted exponents.

    scripts/scaling.py [--rounds N] [--only MxD ...]       after `make build`; needs nothing but Python

A convex task (least squares) has any dimension and costs little beside the vectors themselves, so that what is seen
is the framework: messages, estimators, the attack, the rule, the step. CTMA over the coordinate-wise median, one
worker in four attacks by IPM, momentum. The exponent is the slope of log(time of a round) over log(size).
"""

import argparse
import json
import math
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PHALANX = ROOT / "target/release/phalanx"
EXPERIMENT = ROOT / "experiments/peers/scaling.toml"
WORKERS = [17, 100, 1_000, 10_000]
PARAMETERS = [1_000, 30_000, 1_000_000, 10_000_000]
# Numbers in all vectors of a round beyond which a cell is measured by three rounds alone.
LARGE = 100_000_000


def bench(m, d, threads, options):
    """The figures of a run with m workers and d parameters, or the program's refusal."""
    if m * d > options.largest or (options.only and (m, d) not in options.only):
        return "not measured"
    few = m * d >= LARGE
    sets = [f"task.objective={{least-squares={{dim={d}}}}}", f"workers.0.count={m - m // 4}",
            f"attackers.0.count={m // 4}"]
    command = [PHALANX, "bench", EXPERIMENT, "--json", "--threads", threads, "--rounds", 3 if few else options.rounds,
               "--warm-up", 1 if few else 10]
    command += [part for pair in sets for part in ("--set", pair)]
    print(f"  m = {m:,}, d = {d:,}, {threads} threads", file=sys.stderr)
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 2 and "GB" in done.stderr:
        return done.stderr.strip()
    if done.returncode != 0:
        sys.exit(f"status {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def size(text):
    """The cell m x d that `1000x1000000` names."""
    m, d = (int(part) for part in text.split("x"))
    if m not in WORKERS or d not in PARAMETERS:
        raise argparse.ArgumentTypeError(f"{text} is no cell of the tables: m is one of {WORKERS}, d of {PARAMETERS}")
    return m, d


def exponent(sizes, seconds):
    """The least-squares slope of log(seconds) over log(size)."""
    x, y = [math.log(size) for size in sizes], [math.log(second) for second in seconds]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / sum((a - mean_x) ** 2 for a in x)


def cell(figures):
    if isinstance(figures, str):
        return "-" if figures == "not measured" else "refused"
    rate = figures["rounds_per_second"]
    return f"{rate:,.1f}" if rate >= 1 else f"{rate:.3f}"


def seconds(figures):
    return figures["round"]["median_seconds"]


def slope(sizes, cells):
    measured = [(size, seconds(f)) for size, f in zip(sizes, cells) if not isinstance(f, str)]
    return "" if len(measured) < 2 else f"{exponent(*zip(*measured)):.2f}"


def table(threads, options):
    """Rounds/s by m (rows) and d (columns), with the exponents of both."""
    found = {(m, d): bench(m, d, threads, options) for m in WORKERS for d in PARAMETERS}
    print(f"\nRounds/s, {threads} thread{'s' if threads > 1 else ''}\n")
    print("| m \\ d | " + " | ".join(f"{d:,}" for d in PARAMETERS) + " | exponent in d |")
    print("|---" * (len(PARAMETERS) + 2) + "|")
    for m in WORKERS:
        row = [found[m, d] for d in PARAMETERS]
        print(f"| {m:,} | " + " | ".join(map(cell, row)) + f" | {slope(PARAMETERS, row)} |")
    columns = [slope(WORKERS, [found[m, d] for m in WORKERS]) for d in PARAMETERS]
    print("| exponent in m | " + " | ".join(columns) + " | |")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--largest", type=int, default=10**12, metavar="N",
                        help="leave out cells of more than N = m * d numbers")
    parser.add_argument("--only", type=size, nargs="+", default=[], metavar="MxD",
                        help="these cells alone, such as 1000x1000000")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}")
    tables = [table(threads, options) for threads in options.threads]
    refusals = {text for found in tables for text in found.values() if isinstance(text, str) and "GB" in text}
    print("\n".join(["", *sorted(refusals)]))


if __name__ == "__main__":
    main()
