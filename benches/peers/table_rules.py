#!/usr/bin/env python3
"""One table: every rule beside ByzFL and ByzPy on the same shapes, threads and machine, in one run.

To run, from the root of the checkout, on a machine that does nothing else:

    make peers
    .venv/bin/python benches/peers/table_rules.py      # --only byzpy for a part, --only krum for a rule

It is one of the tables of `make bench`, and writes its lines to target/bench/rules.json too, with every repeat.

Ours and the peers are measured in turn: a repeat is the median of our calls (`cargo bench -p phalanx-robust --bench
rules`, which also says how long one read of the batch takes, and waits while the peers run), then that of a peer's calls
on a batch of the same shape and distribution; the table has medians of all repeats, of times and of ratios, and the
smallest and the largest ratio beside ByzFL. ByzFL is given a PyTorch tensor and a NumPy array and ByzPy, without its
pool of processes, a list of NumPy arrays and a list of tensors; the form that is faster in the first repeat counts.
Pre-aggregators that may change the batch are given a copy of it, made before the clock starts, ours and ByzFL's alike.
All is f32, after one call to warm up, on as many threads as `--threads` says. The shapes of part `byzpy` are those of
the benchmark that ByzPy publishes.
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

import side_by_side

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Subsets that a peer may enumerate in Python; more would take minutes.
MOST_SUBSETS = {"mda": 3000, "smea": 0}
# Numbers that ByzFL's nnm may gather: m (m - f) d of them, here 3.2 GB.
MOST_GATHERED = 8e8
# Seconds for one time of a peer; at least one call.
BUDGET = 0.2
# Seconds until threads of a peer that wait for more work no longer do so at full speed.
PAUSE = 0.3


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", action="append", default=[], help="large, small, rare, exact, many or byzpy, or a rule; repeatable")
    parser.add_argument("--repeats", type=int, default=5, help="times that ours and the peers are measured in turn")
    parser.add_argument("--no-peers", action="store_true", help="our own times only")
    return parser.parse_args()


class Ours:
    """Our own bench, which measures a line when it is asked to."""

    def __init__(self, options):
        command = ["cargo", "bench", "--quiet", "-p", "phalanx-robust", "--bench", "rules", "--", "--in-turn", *options.only]
        environment = {**os.environ, "RAYON_NUM_THREADS": str(options.threads)}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = self.answer()

    def answer(self):
        text = self.process.stdout.readline()
        if not text:
            sys.exit("rules: our own bench failed")
        return json.loads(text)

    def times(self, number):
        """Milliseconds of a call of the line's rule, and of a read of its batch."""
        time.sleep(PAUSE)
        print(number, file=self.process.stdin, flush=True)
        found = self.answer()
        return found["ms"], found["read_ms"]


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


def median_time(work, prepare=lambda: None):
    """The median time of `work` on what `prepare` made, in milliseconds."""
    times, start = [], time.perf_counter()
    while not times or time.perf_counter() - start < BUDGET:
        given = prepare()
        began = time.perf_counter()
        work(given)
        times.append(time.perf_counter() - began)
    return 1e3 * statistics.median(times)


class Peer:
    """A rule of a peer and the forms in which it takes the batch, of which the fastest is kept."""

    def __init__(self, rule, forms):
        self.rule = rule
        self.forms = [form for form in forms if rule and self.works(form)]

    def works(self, form):
        try:
            self.rule(form())
            return True
        except Exception as error:  # a peer's own fault is a line in the table, not the end of it
            print(f"rules: {error!r}", file=sys.stderr)
            return False

    def time(self):
        """Milliseconds of a call."""
        times = [median_time(self.rule, form) for form in self.forms]
        self.forms = [self.forms[times.index(min(times))]]
        return min(times)


class Batches:
    """The batch of one shape after the other, and the peers on it."""

    def __init__(self, threads):
        import numpy
        import torch

        torch.set_num_threads(threads)
        self.numpy, self.torch, self.size = numpy, torch, None

    def peers(self, line):
        """By name, those that have the line's rule."""
        m, f, d = line["m"], line["f"], line["d"]
        if self.size != (m, f, d):
            random = self.numpy.random.default_rng(1)
            self.array = random.standard_normal(size=(m, d), dtype=self.numpy.float32)
            self.array[m - f :] *= 2
            self.tensor, self.size = self.torch.from_numpy(self.array), (m, f, d)
        array, tensor = self.array, self.tensor
        if {"clipping", "arc"} & set(line["rule"].split(",")):  # these write into what they are given
            forms = [tensor.clone, array.copy]
        else:
            forms = [lambda: tensor, lambda: array]
        arrays, tensors = list(array), list(tensor)
        found = {
            "byzfl": Peer(byzfl_rule(line["rule"], m, f, d, line["part"]), forms),
            "byzpy": Peer(byzpy_rule(line["rule"], m, f) if line["part"] == "byzpy" else None, [lambda: arrays, lambda: tensors]),
        }
        return {name: peer for name, peer in found.items() if peer.forms}

    def peak(self, n=2048):
        """Billions of operations a second of PyTorch's product of two matrices of f32."""
        a = self.torch.rand(n, n)
        return 2 * n**3 / median_time(lambda _: a @ a) / 1e6


def measure(line, number, ours, peers, repeats):
    """Every repeat's times of ours, of a read and of the peers, in milliseconds."""
    times = {name: [] for name in ["ours", "read", *peers]}
    for _ in range(repeats):
        for name, found in zip(["ours", "read"], ours.times(number)):
            times[name].append(found)
        for name, peer in peers.items():
            times[name].append(peer.time())
    return times


def ratios(times, over, under):
    return [a / b for a, b in zip(times[over], times[under])]


def summary(line, times):
    """The line with its medians."""
    line["repeats_ms"], line["ms"] = times, statistics.median(times["ours"])
    line["reads"] = statistics.median(ratios(times, "ours", "read"))
    line["met"] = None if line["most"] is None else line[line["unit"]] <= line["most"]
    return line


def beside(times, name, with_range):
    """The cells of a peer: its time, the ratio, and the ratio's range."""
    if name not in times:
        return ["-"] * (3 if with_range else 2)
    found = ratios(times, name, "ours")
    cells = [f"{statistics.median(times[name]):.2f}", f"{statistics.median(found):.1f}"]
    return cells + [f"{min(found):.1f} .. {max(found):.1f}"] * with_range


def row(line):
    met = {None: "-", True: "yes", False: "no"}[line["met"]]
    target = "-" if line["most"] is None else f"{line['most']:g} {line['unit']}"
    shape = f"{line['m']} x {line['d']:,}, f = {line['f']}"
    cells = [line["rule"].replace(",", ", "), shape, f"{line['ms']:.3f}", f"{line['reads']:.1f}", target, met,
             *beside(line["repeats_ms"], "byzfl", True), *beside(line["repeats_ms"], "byzpy", False)]
    return "| " + " | ".join(cells) + " |"


def main():
    options = arguments()
    for name in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"]:
        os.environ[name] = str(options.threads)
    ours = Ours(options)
    if not ours.lines:
        side_by_side.nothing_chosen("rules", " ".join(options.only))
    batches = None if options.no_peers else Batches(options.threads)
    head = ["rule", "m x d", "ours, ms", "reads", "target", "met", "ByzFL, ms", "ByzFL / ours", "smallest .. largest",
            "ByzPy, ms", "ByzPy / ours"]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head), flush=True)
    lines = []
    for number, line in enumerate(ours.lines):
        peers = batches.peers(line) if batches else {}
        lines.append(summary(line, measure(line, number, ours, peers, options.repeats)))
        print(row(line), flush=True)
        if batches and line["part"] == "many" and line["rule"] == "krum":
            m, d = line["m"], line["d"]
            line["rate"], line["product"] = m * (m + 1) * d / line["ms"] / 1e6, batches.peak()
    for line in lines:
        if "rate" in line:
            print(f"krum at {line['m']} x {line['d']:,}: {line['rate']:.0f} billion operations a second in products alone, "
                  f"{line['rate'] / line['product']:.2f} of the {line['product']:.0f} of PyTorch's matrix product")
    out = ROOT / "target/bench/rules.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(lines, indent=1) + "\n")
    missed = [line["rule"] for line in lines if line["met"] is False]
    reads = [statistics.median(line["repeats_ms"]["read"]) for line in lines if line["part"] == "large"]
    print(f"\n{options.threads} threads, medians of {options.repeats} in turn; one read of a batch of 17 x 1,000,000: "
          f"{f'{statistics.median(reads):.2f} ms' if reads else '-'}; targets missed: {', '.join(missed) or 'none'}")


if __name__ == "__main__":
    main()
