#!/usr/bin/env python3
"""What the runs of this folder's sweeps say about the claims C1 to C9, C11 and C12 of RESULTS.md.

    python3 experiments/paper/verdicts.py runs/paper-fig-03 runs/paper-fig-04 ...

reads every run folder below the given ones (config.toml, summary.json and evaluations.csv) and prints two tables as
Markdown: the cells, and the verdict on every claim with the numbers it rests on. Standard library only; Python 3.11.

  final   mean test accuracy over the last fifth of a run's evaluations, rounded up, then over seeds, in percent
  rough   mean |change| to each evaluation of a run's last half, rounded up, from the one before it, then over seeds,
          in points; both as `phalanx report` has them
  cell    attack, base rule, optimiser and meta-aggregator at one f and one learning rate; two runs of one cell and seed
          that differ in anything else are refused, for the claims are about cells alone
"""

import csv
import json
import statistics
import sys
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

METAS = ["none", "nnm", "ctma", "ctma > nnm", "bucketing"]
NOISY = ["sign-flip", "label-flip"]
QUIET = ["ipm", "alie"]
BASES = ["cwmed", "geometric-median"]
OPTIMISERS = ["momentum", "mu2"]


class Cell(NamedTuple):
    f: int
    attack: str
    base: str
    optimiser: str
    meta: str
    lr: float


class Runs:
    """The runs of each cell, as (final, rough) of every seed."""

    def __init__(self, folders):
        self.cells, self.found = defaultdict(dict), {}
        for folder in folders:
            for config in sorted(Path(folder).rglob("config.toml")):
                self.add(config.parent)

    def add(self, folder):
        summary = folder / "summary.json"
        if not summary.exists() or json.loads(summary.read_text())["status"] != "completed":
            print(f"{folder}: not completed, left out", file=sys.stderr)
            return
        config = tomllib.loads((folder / "config.toml").read_text())
        self.check(folder, config)
        with open(folder / "evaluations.csv", newline="") as file:
            accuracies = [100 * float(row["test_accuracy"]) for row in csv.DictReader(file)]
        self.cells[cell(config)][config["seed"]] = final(accuracies), rough(accuracies)

    def check(self, folder, config):
        """Ends the program if another run of the same cell and seed is of another experiment."""
        same = {key: config.get(key) for key in ("rounds", "preset", "task", "workers", "attackers", "aggregator", "evaluation")}
        other, known = self.found.setdefault((cell(config), config["seed"]), (folder, same))
        unlike = [key for key in same if same[key] != known[key]]
        if unlike:
            sys.exit(f"{folder} and {other} are runs of one cell and differ in {', '.join(unlike)}; give those of one study")

    def get(self, measure, cell):
        """The mean over seeds; none if the cell was not run."""
        found = [run[measure] for run in self.cells.get(cell, {}).values()]
        return statistics.mean(found) if found else None

    def spread(self, cell):
        """The standard deviation of the final accuracy over seeds; none for fewer than two."""
        found = [run[0] for run in self.cells.get(cell, {}).values()]
        return statistics.stdev(found) if len(found) > 1 else None


FINAL, ROUGH = 0, 1


def final(accuracies):
    fifth = -(-len(accuracies) // 5)
    return statistics.mean(accuracies[-fifth:])


def rough(accuracies):
    half = range(max(1, len(accuracies) // 2), len(accuracies))
    return statistics.mean(abs(accuracies[k] - accuracies[k - 1]) for k in half)


def cell(config):
    rule = [name(part) for part in config["aggregator"]["rule"]]
    attackers = config.get("attackers", [])
    step = config["aggregator"]["step"]
    return Cell(
        f=sum(group["count"] for group in attackers),
        attack=name(attackers[0]["attack"]) if attackers else "none",
        base=rule[-1],
        optimiser="mu2" if name(step) == "anytime-sgd" else name(config["workers"][0]["estimator"]),
        meta=" > ".join(rule[:-1]) or "none",
        lr=step[name(step)]["lr"],
    )


def name(component):
    return component if isinstance(component, str) else next(iter(component))


# Verdicts. Each claim gives a list of (what, holds, the numbers) and how many of them must hold.


def compare(runs, f, attacks, meta, other, test, bases=BASES, measure=FINAL):
    """`test(a, b)` in every cell of those attacks, with `meta` and with `other` as the meta-aggregator."""
    for attack in attacks:
        for base in bases:
            for optimiser in OPTIMISERS:
                a, b = (runs.get(measure, Cell(f, attack, base, optimiser, m, 0.1)) for m in (meta, other))
                if a is not None and b is not None:
                    yield f"{attack}, {base}, {optimiser}", test(a, b), f"{a:.1f} against {b:.1f}"


def optimisers(runs, f, attacks, metas, test, measure):
    """`test(mu2, momentum)` in every cell of those attacks and meta-aggregators."""
    for attack in attacks:
        for base in BASES:
            for meta in metas:
                a, b = (runs.get(measure, Cell(f, attack, base, o, meta, 0.1)) for o in ("mu2", "momentum"))
                if a is not None and b is not None:
                    yield f"{attack}, {base}, {meta}", test(a, b), f"mu2 {a:.2f}, momentum {b:.2f}"


def c1(runs):
    harmless = list(compare(runs, 8, NOISY, "ctma", "none", lambda a, b: a >= b - 0.5))
    better = list(compare(runs, 8, NOISY, "ctma", "none", lambda a, b: a >= b + 1))
    return [("CTMA no more than 0.5 below none", harmless, 8), ("CTMA at least 1 above none", better, 4)]


def c2(runs):
    return [("CTMA no more than 1 below NNM", list(compare(runs, 8, NOISY, "ctma", "nnm", lambda a, b: a >= b - 1)), 6)]


def c3(runs):
    tests = (lambda a, b: a >= b - 0.5), (lambda a, b: a > b)
    better = [list(compare(runs, 8, NOISY, "ctma > nnm", other, test)) for test in tests for other in ("nnm", "ctma")]
    both = [
        [(a[0], a[1] and b[1], f"NNM: {a[2]}; CTMA: {b[2]}") for a, b in zip(first, second)]
        for first, second in (better[:2], better[2:])
    ]
    return [("NNM+CTMA no more than 0.5 below either", both[0], 6), ("NNM+CTMA above both", both[1], 1)]


def c4(runs):
    calmer = list(optimisers(runs, 8, NOISY, ["none"], lambda a, b: a <= b / 2, ROUGH))
    names = ("mu2", "momentum")
    pairs = [(f"{a}, {b}", [Cell(8, a, b, o, "none", 0.1) for o in names]) for a in NOISY for b in BASES]
    return [
        ("rough(mu2) at most half of rough(momentum), base alone", calmer, 4),
        *wider(runs, pairs, names, "std over seeds smaller with mu2", lambda a, b: a < b),
    ]


def wider(runs, pairs, names, part, test):
    """Whether `test` holds of the deviations over seeds of pairs of cells; nothing if there are none."""
    found = []
    for label, cells in pairs:
        a, b = (runs.spread(cell) for cell in cells)
        if a is not None and b is not None:
            found.append((label, test(a, b), f"std {names[0]} {a:.2f}, {names[1]} {b:.2f}"))
    return [(part, found, len(found))] if found else []


def c5(runs):
    noisier = list(optimisers(runs, 4, NOISY, METAS, lambda a, b: b > a, ROUGH))
    better = list(optimisers(runs, 4, NOISY, METAS, lambda a, b: b >= a, FINAL))
    need = -(-3 * len(noisier) // 4)
    return [("momentum rougher", noisier, need), ("momentum at least as good", better, need)]


def c6(runs):
    harmless = list(compare(runs, 4, NOISY, "ctma", "none", lambda a, b: a >= b - 0.3))
    gains = [
        runs.get(FINAL, Cell(4, a, b, o, "ctma", 0.1)) - runs.get(FINAL, Cell(4, a, b, o, "none", 0.1))
        for a in NOISY for b in BASES for o in OPTIMISERS
        if runs.get(FINAL, Cell(4, a, b, o, "ctma", 0.1)) is not None
        and runs.get(FINAL, Cell(4, a, b, o, "none", 0.1)) is not None
    ]
    gain = statistics.mean(gains) if gains else 0
    return [
        ("CTMA no more than 0.3 below none", harmless, 8),
        ("mean gain above 0", [("all", gain > 0, f"{gain:+.2f} points")] if gains else [], 1),
    ]


def c7(runs):
    worse = list(compare(runs, 8, QUIET, "ctma", "nnm", lambda a, b: a <= b - 10, ["cwmed"]))
    return [("CTMA at least 10 below NNM, over CWMed", worse, 4)]


def c8(runs):
    found = []
    for optimiser in OPTIMISERS:
        free = runs.get(FINAL, Cell(8, "none", "mean", optimiser, "none", 0.1))
        for attack in QUIET:
            nnm = runs.get(FINAL, Cell(8, attack, "cwmed", optimiser, "nnm", 0.1))
            if free is not None and nnm is not None:
                found.append((f"{attack}, {optimiser}", nnm >= free - 5, f"{nnm:.1f}, without attack {free:.1f}"))
    return [("NNM within 5 of the attack-free mean, over CWMed", found, 4)]


def c9(runs):
    better = list(optimisers(runs, 8, QUIET, ["none", "nnm"], lambda a, b: a >= b, FINAL))
    gaps = {}
    for meta in ("none", "nnm"):
        pairs = [
            tuple(runs.get(FINAL, Cell(8, a, b, o, meta, 0.1)) for o in ("mu2", "momentum"))
            for a in QUIET for b in BASES
        ]
        gaps[meta] = [mu2 - momentum for mu2, momentum in pairs if mu2 is not None and momentum is not None]
    parts = [("mu2 at least as good as momentum", better, -(-3 * len(better) // 4))]
    if all(gaps.values()):
        none, nnm = (statistics.mean(gaps[meta]) for meta in ("none", "nnm"))
        larger = [("mean gap", none > nnm, f"{none:+.2f} without, {nnm:+.2f} with NNM")]
        parts.append(("the gap is larger without NNM", larger, 1))
    return parts


def c11(runs):
    parts = []
    for other in ("ctma", "nnm"):
        rougher = list(compare(runs, 4, NOISY, "bucketing", other, lambda a, b: a > b, measure=ROUGH))
        parts.append((f"Bucketing rougher than {other.upper()}", rougher, 8))
        pairs = [
            (f"{a}, {b}, {o}", [Cell(4, a, b, o, meta, 0.1) for meta in ("bucketing", other)])
            for a in NOISY for b in BASES for o in OPTIMISERS
        ]
        part = f"std over seeds larger with Bucketing than with {other.upper()}"
        parts += wider(runs, pairs, ("Bucketing", other.upper()), part, lambda a, b: a > b)
    return parts


def c12(runs):
    ranges = {}
    for optimiser in OPTIMISERS:
        found = [
            runs.get(FINAL, key)
            for key in runs.cells
            if key[:5] == (8, "sign-flip", "cwmed", optimiser, "ctma")
        ]
        if len(found) < 5:
            return [("the range of mu2 is smaller", [], 1)]
        ranges[optimiser] = max(found) - min(found)
    smaller = ranges["mu2"] < ranges["momentum"]
    numbers = f"mu2 {ranges['mu2']:.1f}, momentum {ranges['momentum']:.1f} points"
    return [("the range of mu2 over learning rates is smaller", [("all", smaller, numbers)], 1)]


CLAIMS = {"C1": c1, "C2": c2, "C3": c3, "C4": c4, "C5": c5, "C6": c6, "C7": c7, "C8": c8, "C9": c9, "C11": c11, "C12": c12}


def verdicts(runs):
    print("| claim | criterion | cells that meet it | needed | verdict | where it fails |")
    print("|---|---|---|---|---|---|")
    for claim, check in CLAIMS.items():
        for criterion, found, need in check(runs):
            met = sum(holds for _, holds, _ in found)
            verdict = "not run" if len(found) < need or not found else "holds" if met >= need else "**does not hold**"
            fails = "; ".join(f"{what}: {numbers}" for what, holds, numbers in found if not holds)
            if len(found) == 1:
                fails = found[0][2]
            print(f"| {claim} | {criterion} | {met} of {len(found)} | {need} | {verdict} | {fails} |")


def table(runs):
    print("| f | attack | base | optimiser | lr |", " | ".join(METAS), "|")
    print("|---" * (5 + len(METAS)) + "|")
    rows = sorted({(c.f, c.attack, c.base, c.optimiser, c.lr) for c in runs.cells})
    for f, attack, base, optimiser, lr in rows:
        cells = [shown(runs, Cell(f, attack, base, optimiser, meta, lr)) for meta in METAS]
        print(f"| {f} | {attack} | {base} | {optimiser} | {lr} |", " | ".join(cells), "|")


def shown(runs, cell):
    if cell not in runs.cells:
        return ""
    spread = runs.spread(cell)
    text = f"{runs.get(FINAL, cell):.1f}" + (f" ± {spread:.1f}" if spread is not None else "")
    return f"{text} ({runs.get(ROUGH, cell):.2f})"


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    runs = Runs(sys.argv[1:])
    seeds = sorted({len(found) for found in runs.cells.values()})
    print(f"{len(runs.cells)} cells, seeds a cell: {', '.join(map(str, seeds)) or 'none'}\n")
    verdicts(runs)
    print("\nFinal accuracy in percent (± standard deviation over seeds), roughness in points in brackets:\n")
    table(runs)
