#!/usr/bin/env python3
"""One table: every rule beside ByzFL and ByzPy on the same shapes, threads and machine, in one run.

To run, from the root of the checkout, on a machine that does nothing else:

    make peers
    .venv/bin/python benches/peers/table_rules.py      # --only byzpy for a part, --only krum for a rule

It is one of the tables of `make bench`, and writes its lines to target/bench/rules.json too.

It builds and runs `cargo bench -p phalanx-robust --bench rules`, which says how long a rule takes and how long one
read of the batch takes, in turns; then it times the peers on a batch of the same shape and distribution. ByzFL is given
a PyTorch tensor and a NumPy array and the faster of the two counts, ByzPy a list of NumPy arrays and a list of
tensors likewise, without its pool of processes. Pre-aggregators that may change the batch are given a copy of it, made
before the clock starts, ours and ByzFL's alike. All are medians, f32, after one call to warm up, on as many threads as
`--threads` says. The shapes of part `byzpy` are those of the benchmark that ByzPy publishes.
"""

import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Subsets that a peer may enumerate in Python; more would take minutes.
MOST_SUBSETS = {"mda": 3000, "smea": 0}
# Numbers that ByzFL's nnm may gather: m (m - f) d of them, here 3.2 GB.
MOST_GATHERED = 8e8
# Seconds for one time of a peer; at least three calls.
BUDGET = 0.6


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", action="append", default=[], help="large, small, rare, exact, many or byzpy, or a rule; repeatable")
    parser.add_argument("--repeats", type=int, default=3, help="the least number of calls of a peer")
    parser.add_argument("--no-peers", action="store_true", help="our own times only")
    return parser.parse_args()


def ours(options):
    """The lines of our own bench."""
    command = ["cargo", "bench", "--quiet", "-p", "phalanx-robust", "--bench", "rules", "--", "--json", *options.only]
    environment = {**os.environ, "RAYON_NUM_THREADS": str(options.threads)}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit("rules: our own bench failed")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def byzfl_rule(name, m, f, d, part):
    """ByzFL's rule of this name, or None."""
    import byzfl

    if name == "multi-krum" and part == "byzpy":
        return None  # it averages m - f vectors, never 12
    simple = {
        "mean": lambda: byzfl.Average(), "cwmed": lambda: byzfl.Median(), "cwtm": lambda: byzfl.TrMean(f),
        "meamed": lambda: byzfl.Meamed(f), "geometric-median": lambda: byzfl.GeometricMedian(),
        "krum": lambda: byzfl.Krum(f), "multi-krum": lambda: byzfl.MultiKrum(f), "mda": lambda: byzfl.MDA(f),
        "centered-clipping": lambda: byzfl.CenteredClipping(L=10, tau=1.0) if part == "byzpy" else byzfl.CenteredClipping(), "monna": lambda: byzfl.MoNNA(f),
        "caf": lambda: byzfl.CAF(f), "smea": lambda: byzfl.SMEA(f), "nnm": lambda: byzfl.NNM(f),
        "bucketing": lambda: byzfl.Bucketing(2 if part == "many" else 32), "clipping": lambda: byzfl.Clipping(), "arc": lambda: byzfl.ARC(f),
    }
    names = name.split(",")
    if not all(one in simple for one in names):
        return None
    if "nnm" in names and m * (m - f) * d > MOST_GATHERED:
        return None
    if any(math.comb(m, f) > MOST_SUBSETS[one] for one in names if one in MOST_SUBSETS):
        return None
    layers = [simple[one]() for one in names]

    def chain(vectors):
        for layer in layers:
            vectors = layer(vectors)
        return vectors

    return chain


def byzpy_rule(name, m, f):
    """ByzPy's rule with the parameters of its benchmark, or None."""
    from byzpy.aggregators import coordinate_wise as cw, geometric_wise as gw, norm_wise as nw
    from byzpy import pre_aggregators as pre

    made = {
        "cwmed": lambda: cw.CoordinateWiseMedian(), "cwtm": lambda: cw.CoordinateWiseTrimmedMean(f),
        "meamed": lambda: cw.MeanOfMedians(f), "geometric-median": lambda: gw.GeometricMedian(),
        "multi-krum": lambda: gw.MultiKrum(f, 12), "mda": lambda: gw.MinimumDiameterAveraging(f),
        "monna": lambda: gw.MoNNA(f), "smea": lambda: gw.SMEA(f), "caf": lambda: nw.CAF(f),
        "cge": lambda: nw.ComparativeGradientElimination(f),
        "centered-clipping": lambda: nw.CenteredClipping(c_tau=1.0, M=10), "nnm": lambda: pre.NearestNeighborMixing(f),
        "bucketing": lambda: pre.Bucketing(32), "clipping": lambda: pre.Clipping(2.0), "arc": lambda: pre.ARC(f),
    }
    if name not in made or name == "mda":  # 30 million subsets
        return None
    rule = made[name]()
    return getattr(rule, "aggregate", None) or rule.pre_aggregate


def median_time(work, repeats=3, prepare=lambda: None):
    """The median time of `work` on what `prepare` made, in milliseconds, or None if it fails."""
    try:
        work(prepare())
        times, start = [], time.perf_counter()
        while len(times) < repeats or time.perf_counter() - start < BUDGET and len(times) < 51:
            given = prepare()
            began = time.perf_counter()
            work(given)
            times.append(time.perf_counter() - began)
    except Exception as error:  # a peer's own fault is a line in the table, not the end of it
        print(f"rules: {error!r}", file=sys.stderr)
        return None
    return 1e3 * statistics.median(times)


def best(*times):
    return min((t for t in times if t is not None), default=None)


class Peers:
    """The peers on the batch of one shape after the other."""

    def __init__(self, threads, repeats):
        import numpy
        import torch

        torch.set_num_threads(threads)
        self.repeats = repeats
        self.numpy, self.torch, self.size = numpy, torch, None

    def times(self, line):
        m, f, d = line["m"], line["f"], line["d"]
        if self.size != (m, f, d):
            random = self.numpy.random.default_rng(1)
            self.array = random.standard_normal(size=(m, d), dtype=self.numpy.float32)
            self.array[m - f :] *= 2
            self.tensor, self.size = self.torch.from_numpy(self.array), (m, f, d)
        name, byzfl, byzpy = line["rule"], None, None
        changes = {"clipping", "arc"} & set(name.split(","))  # these write into what they are given
        rule = byzfl_rule(name, m, f, d, line["part"])
        if rule:
            tensor = lambda: self.tensor.clone() if changes else self.tensor
            array = lambda: self.array.copy() if changes else self.array
            byzfl = best(*(median_time(rule, self.repeats, prepare) for prepare in [tensor, array]))
        rule = byzpy_rule(name, m, f) if line["part"] == "byzpy" else None
        if rule:
            arrays, tensors = list(self.array), list(self.tensor)
            byzpy = best(*(median_time(rule, self.repeats, lambda: rows) for rows in [arrays, tensors]))
        return byzfl, byzpy


    def peak(self, n=2048):
        """Billions of operations a second of PyTorch's product of two matrices of f32."""
        a = self.torch.rand(n, n)
        return 2 * n**3 / median_time(lambda _: a @ a) / 1e6


def cell(value, digits=2):
    return "-" if value is None else f"{value:.{digits}f}"


def row(line, byzfl, byzpy):
    ratio = lambda peer: "-" if peer is None else f"{peer / line['ms']:.1f}"
    met = "-" if line["met"] is None else "yes" if line["met"] else "no"
    shape = f"{line['m']} x {line['d']:,}, f = {line['f']}"
    cells = [line["rule"].replace(",", ", "), shape, cell(line["ms"], 3), cell(line["reads"], 1), line["target"] or "-", met,
             cell(byzfl), ratio(byzfl), cell(byzpy), ratio(byzpy)]
    return "| " + " | ".join(cells) + " |"


def main():
    options = arguments()
    for name in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"]:
        os.environ[name] = str(options.threads)
    lines = ours(options)
    head = ["rule", "m x d", "ours, ms", "reads", "target", "met", "ByzFL, ms", "ByzFL / ours", "ByzPy, ms", "ByzPy / ours"]
    table = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    print("\n".join(table), flush=True)
    peers = None if options.no_peers else Peers(options.threads, options.repeats)
    for line in lines:
        line["byzfl_ms"], line["byzpy_ms"] = peers.times(line) if peers else (None, None)
        table.append(row(line, line["byzfl_ms"], line["byzpy_ms"]))
        print(table[-1], flush=True)
    for line in lines:
        if peers and line["part"] == "many" and line["rule"] == "krum":
            m, d = line["m"], line["d"]
            ours_rate, peak = m * (m + 1) * d / line["ms"] / 1e6, peers.peak()
            print(f"krum at {m} x {d:,}: {ours_rate:.0f} billion operations a second in products alone, "
                  f"{ours_rate / peak:.2f} of the {peak:.0f} of PyTorch's matrix product")
    out = ROOT / "target/bench/rules.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(lines, indent=1) + "\n")
    missed = [line["rule"] for line in lines if line["met"] is False]
    print(f"\n{options.threads} threads; one read of a batch of 17 x 1,000,000: "
          f"{cell(next((line['read_ms'] for line in lines if line['part'] == 'large'), None))} ms; "
          f"targets missed: {', '.join(missed) or 'none'}")


if __name__ == "__main__":
    main()
