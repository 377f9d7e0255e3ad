#!/usr/bin/env python3
"""Compares Phalanx's rules and attacks under preset `byzfl` with ByzFL 0.0.11, name by name, on random batches.

To run, from the root of the checkout:

    make build peers
    .venv/bin/python benches/peers/check_byzfl.py

Every comparison writes a batch to a .npy file, runs `phalanx aggregate` or `phalanx attack` on it, and ByzFL on the
same numbers: NumPy arrays of float64, then PyTorch tensors of float32. The table shows the largest difference over
all batches, relative to the largest coordinate of ByzFL's result. Where ByzFL is known not to compute what the name
says, the same definition is computed here in NumPy, ours must agree with *that*, and ByzFL's own difference stands
beside it with the reason.

Exit status: 0 if every difference is within the tolerance or explained, 1 if one is not, 2 if nothing was compared.
"""

import argparse
import importlib.metadata
import itertools
import pathlib
import subprocess
import sys
import tempfile

try:
    import byzfl
    import numpy as np
    import torch
except ImportError as error:
    print(f"check_byzfl: {error}; `make peers` installs what is needed into .venv/", file=sys.stderr)
    sys.exit(2)

VERSION = "0.0.11"
# Relative to the largest coordinate: what the order of sums may change.
TOLERANCE = {"float64": 1e-10, "float32": 2e-5}
SIZES = [(5, 1, 7), (8, 2, 33), (11, 0, 100), (11, 3, 257), (12, 5, 64), (17, 4, 1000), (17, 8, 129), (20, 6, 50)]
# ByzFL looks at every subset in Python.
FEW = [size for size in SIZES if size[0] <= 12]


class Phalanx:
    """The program, and a folder for its files."""

    def __init__(self, program, folder):
        self.program, self.folder = program, pathlib.Path(folder)

    def run(self, command, batch, f, options):
        into, out = self.folder / "in.npy", self.folder / "out.npy"
        np.save(into, np.ascontiguousarray(batch))
        line = [str(self.program), command, *options, "--preset", "byzfl", "--f", str(f), str(into), "-o", str(out)]
        done = subprocess.run(line, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(line)}\n{done.stderr}")
        return np.load(out)

    def rule(self, rule, batch, f):
        return self.run("aggregate", batch, f, ["--rule", rule])

    def attack(self, attack, honest, f, rule=None):
        options = ["--attack", attack, *(["--rule", rule] if rule else [])]
        return self.run("attack", honest, f, options)


def both(sizes, seed):
    """Every batch in float64, every third in float32 too: starting the program is what takes the time."""
    for at, (batch, f) in enumerate(batches(sizes, seed)):
        for kind in TOLERANCE if at % 3 == 0 else ["float64"]:
            yield batch, f, kind


def batches(sizes, seed):
    """Gaussian rows around a common mean, the last f of them far off; every size once."""
    for at, (m, f, d) in enumerate(sizes):
        random = np.random.default_rng([seed, at])
        batch = random.normal(size=(m, d)) + random.normal(size=d)
        batch[m - f :] += 3 * random.normal(size=(f, d))
        yield batch, f


def peer(call, batch, dtype):
    """What ByzFL makes of a copy of the batch: some of its layers change their argument."""
    copy = batch.astype(dtype)
    result = call(torch.from_numpy(copy) if dtype == "float32" else copy)
    return np.asarray(result, dtype=np.float64)


def difference(a, b):
    """The largest difference of two results, relative to the largest coordinate of the second."""
    if a.shape != b.shape:
        return float("inf")
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if same.all():
        return 0.0
    finite = np.abs(b[np.isfinite(b)]).max(initial=np.finfo(float).tiny)
    return float(np.abs(np.where(same, 0.0, a - b)).max() / finite)


def by_order(rows):
    """The rows in an order that depends on their values alone."""
    return rows[np.lexsort(rows.T[::-1])]


def smea(batch, f):
    """Smallest maximum eigenvalue averaging by its definition: every subset, exact eigenvalues."""
    m = len(batch)

    def top(subset):
        centred = batch[list(subset)] - batch[list(subset)].mean(axis=0)
        return np.linalg.eigvalsh(centred @ centred.T)[-1]

    return batch[list(min(itertools.combinations(range(m), m - f), key=top))].mean(axis=0)


def caf(batch, f):
    """The covariance-bound-agnostic filter with exact eigenvectors: ByzFL's loop but for the power iteration."""
    c, least, best = np.ones(len(batch)), np.inf, None
    while c.sum() > len(batch) - 2 * f:
        mean = c @ batch / c.sum()
        centred = batch - mean
        root = np.sqrt(c)[:, None] * centred
        values, vectors = np.linalg.eigh(root @ root.T / c.sum())
        if values[-1] < least:
            least, best = values[-1], mean
        tau = (centred @ (root.T @ vectors[:, -1])) ** 2
        c = np.maximum(c * (1 - tau / tau[c > 0].max()), 0)
    return best if best is not None else batch.mean(axis=0)


class Table:
    """The lines printed, and whether one of them is an unexplained difference."""

    def __init__(self):
        self.failed = []
        print(f"{'name':34} {'float64':>9} {'float32':>9}  verdict")

    def line(self, name, found, verdict, explained=False):
        bad = [kind for kind, value in found.items() if not value <= TOLERANCE[kind]]
        if bad and not explained:
            self.failed.append(name)
            verdict = "DIFFERS"
        cells = [f"{found[kind]:9.1e}" if kind in found else f"{'-':>9}" for kind in TOLERANCE]
        print(f"{name:34} {' '.join(cells)}  {verdict}", flush=True)


def rules():
    """Name, our rule, ByzFL's rule for an f, the sizes it is tried at."""
    agg = byzfl
    chain = lambda *layers: lambda v: [v := layer(v) for layer in layers][-1]
    return [
        ("mean", "mean", lambda f: agg.Average(), SIZES),
        ("cwmed", "cwmed", lambda f: agg.Median(), SIZES),
        ("cwtm", "cwtm", lambda f: agg.TrMean(f), SIZES),
        ("meamed", "meamed", lambda f: agg.Meamed(f), SIZES),
        ("geometric-median", "geometric-median", lambda f: agg.GeometricMedian(), SIZES),
        ("geometric-median, 50 steps", "{ geometric-median = { steps = 50, nu = 1e-3 } }",
         lambda f: agg.GeometricMedian(nu=1e-3, T=50), SIZES),
        ("krum", "krum", lambda f: agg.Krum(f), SIZES),
        ("multi-krum", "multi-krum", lambda f: agg.MultiKrum(f), SIZES),
        ("centered-clipping", "centered-clipping", lambda f: agg.CenteredClipping(), SIZES),
        ("centered-clipping, tau 3, 4 steps", "{ centered-clipping = { tau = 3.0, iterations = 4 } }",
         lambda f: agg.CenteredClipping(L=4, tau=3.0), SIZES),
        ("mda", "mda", lambda f: agg.MDA(f), FEW),
        ("monna", "monna", lambda f: agg.MoNNA(f), SIZES),
        ("nnm", "nnm", lambda f: agg.NNM(f), SIZES),
        ("clipping", "clipping", lambda f: agg.Clipping(), SIZES),
        ("clipping, 5.0", "{ clipping = { radius = 5.0 } }", lambda f: agg.Clipping(c=5.0), SIZES),
        ("arc", "arc", lambda f: agg.ARC(f), SIZES),
        ("nnm, cwtm", "nnm,cwtm", lambda f: chain(agg.NNM(f), agg.TrMean(f)), SIZES),
        ("arc, nnm, geometric-median", "arc,nnm,geometric-median",
         lambda f: chain(agg.ARC(f), agg.NNM(f), agg.GeometricMedian()), SIZES),
        ("clipping, nnm, krum", "clipping,nnm,multi-krum",
         lambda f: chain(agg.Clipping(), agg.NNM(f), agg.MultiKrum(f)), SIZES),
    ]


def check_rules(table, ours, seed):
    for name, rule, theirs, sizes in rules():
        found = {kind: 0.0 for kind in TOLERANCE}
        for batch, f, kind in both(sizes, seed):
            mine = ours.rule(rule, batch.astype(kind), f)
            found[kind] = max(found[kind], difference(mine, peer(theirs(f), batch, kind)))
        table.line(name, found, "agrees")


def check_bucketing(table, ours, seed):
    """Random: ours and ByzFL's draw different permutations. Buckets of one are the rows in some order."""
    found = {kind: 0.0 for kind in TOLERANCE}
    for batch, f, kind in both(SIZES, seed):
        mine = by_order(ours.rule("bucketing", batch.astype(kind), f))
        found[kind] = max(found[kind], difference(mine, by_order(peer(byzfl.Bucketing(), batch, kind))))
    table.line("bucketing, size 1", found, "agrees up to the order of the buckets")
    sizes = [(12, 1, 40), (20, 2, 64)]
    found = {"float64": 0.0}
    for batch, f in batches(sizes, seed):
        mine = ours.rule("{ bucketing = { size = 4 } }", batch, f)
        theirs = peer(byzfl.Bucketing(4), batch, "float64")
        same = mine.shape == theirs.shape
        found["float64"] = max(found["float64"], difference(mine.mean(axis=0), theirs.mean(axis=0)) if same else np.inf)
    table.line("bucketing, size 4", found, "agrees in the number of buckets and their mean")


def check_infinite(table, ours, seed):
    """A row of Inf: ByzFL leaves it out of the geometric median, ours out of every rule."""
    found = {kind: 0.0 for kind in TOLERANCE}
    for batch, f, kind in both([s for s in SIZES if s[1]], seed):
        batch = batch.copy()
        batch[-1] = np.inf
        mine = ours.rule("geometric-median", batch.astype(kind), f)
        found[kind] = max(found[kind], difference(mine, peer(byzfl.GeometricMedian(), batch, kind)))
    table.line("geometric-median, a row of Inf", found, "agrees")


def check_wrong(table, ours, seed):
    """Names under which ByzFL does not compute what they say."""
    reason = "one power iteration from a random vector"
    for name, definition, theirs in [("smea", smea, byzfl.SMEA), ("caf", caf, byzfl.CAF)]:
        found, off = {"float64": 0.0}, 0.0
        for batch, f in batches(FEW, seed):
            exact, mine = definition(batch, f), ours.rule(name, batch, f)
            found["float64"] = max(found["float64"], difference(mine, exact))
            np.random.seed(seed)
            if f > 0 or name == "smea":  # at f = 0 ByzFL's filter returns None
                off = max(off, difference(peer(theirs(f), batch, "float64"), exact))
        table.line(f"{name}, by its definition", found, f"agrees; ByzFL is off by {off:.1e}: {reason}")
    try:
        byzfl.CenteredClipping(m=np.zeros(3))
        verdict = "ByzFL takes a start `m`, which it is known to refuse: look again"
    except TypeError:
        verdict = "not compared: ByzFL refuses every start `m`; ours is `start`"
    table.line("centered-clipping, own start", {}, verdict)


def attacks():
    """Name, our attack, ByzFL's."""
    return [
        ("sign-flip", "sign-flip", byzfl.SignFlipping()),
        ("ipm", "ipm", byzfl.InnerProductManipulation()),
        ("ipm, 0.1", "{ ipm = { epsilon = 0.1 } }", byzfl.InnerProductManipulation(0.1)),
        ("alie", "alie", byzfl.ALittleIsEnough()),
        ("alie, -0.4", "{ alie = { z = -0.4 } }", byzfl.ALittleIsEnough(-0.4)),
        ("mimic", "mimic", byzfl.Mimic()),
        ("mimic, 2", "{ mimic = { victim = 2 } }", byzfl.Mimic(2)),
        ("inf", "inf", byzfl.Inf()),
    ]


def check_attacks(table, ours, seed):
    sizes = [size for size in SIZES if size[1] > 0]
    for name, attack, theirs in attacks():
        found = {kind: 0.0 for kind in TOLERANCE}
        for batch, f, kind in both(sizes, seed):
            honest = batch[: len(batch) - f]
            mine, one = ours.attack(attack, honest.astype(kind), f), peer(theirs, honest, kind)
            found[kind] = max(found[kind], difference(mine, np.tile(one, (f, 1))))
        table.line(name, found, "agrees")


def check_searches(table, ours, seed):
    """The optimised attacks: what they do to ByzFL's own rule, ours against ByzFL's."""
    sizes = [size for size in SIZES if size[1] > 0]
    searches = [("opt-ipm", byzfl.Optimal_InnerProductManipulation), ("opt-alie", byzfl.Optimal_ALittleIsEnough)]
    defences = [("cwtm", byzfl.TrMean), ("multi-krum", byzfl.MultiKrum)]
    for (name, search), (rule, make) in itertools.product(searches, defences):
        weaker, ratios = 0.0, []
        for batch, f in batches(sizes, seed):
            honest = batch[: len(batch) - f]

            def damage(byzantine):
                rows = np.concatenate([honest, byzantine])
                return float(np.linalg.norm(make(f)(rows) - honest.mean(axis=0)))

            theirs = search(agg=make(f), pre_agg_list=[], f=f)(honest.copy())
            theirs, mine = damage(np.tile(theirs, (f, 1))), damage(ours.attack(name, honest, f, rule))
            ratios.append(mine / theirs)
            weaker = max(weaker, 1 - mine / theirs)
        verdict = f"ours does {min(ratios):.2f} to {max(ratios):.2f} times the damage: ByzFL's search looks one way"
        table.line(f"{name} against {rule}", {}, verdict)
        if weaker > 0.1:
            table.failed.append(f"{name} against {rule}: a tenth less damage than ByzFL's")


def check_gaussian(table, ours, seed):
    """Random: the moments of many numbers."""
    sent = ours.attack("gaussian", np.random.default_rng(seed).normal(size=(4, 50_000)), 2)
    mean, deviation = abs(sent.mean()), abs(sent.std() - 1)
    if max(mean, deviation) > 5 / np.sqrt(sent.size):
        table.failed.append("gaussian: not of mean 0 and deviation 1")
    table.line("gaussian", {}, f"random: mean within {mean:.1e} of 0, deviation within {deviation:.1e} of 1, as ByzFL's")
    table.line("label-flip", {}, "not compared: ByzFL's flips honest data and leaves momentum out; ours is an honest worker's protocol")


CHECKS = {
    "rules": lambda *given: [check(*given) for check in [check_rules, check_bucketing, check_infinite]],
    "wrong": check_wrong,
    "attacks": check_attacks,
    "searches": check_searches,
    "random": check_gaussian,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--phalanx", default=root / "target/release/phalanx", help="the program")
    parser.add_argument("--seed", type=int, default=1, help="of the batches")
    parser.add_argument("--check", action="append", choices=list(CHECKS), help="a part only; repeatable")
    arguments = parser.parse_args()
    if not pathlib.Path(arguments.phalanx).exists():
        print(f"check_byzfl: {arguments.phalanx} is not there; `make build` makes it", file=sys.stderr)
        return 2
    version = importlib.metadata.version("byzfl")
    if version != VERSION:
        print(f"check_byzfl: made for ByzFL {VERSION}, found {version}", file=sys.stderr)
    print(f"largest difference from ByzFL {version} over {len(SIZES)} batches, relative to the largest coordinate;")
    print(", ".join(f"tolerance {value:.0e} in {kind}" for kind, value in TOLERANCE.items()) + "\n")
    with tempfile.TemporaryDirectory() as folder:
        table, ours = Table(), Phalanx(arguments.phalanx, folder)
        for check in arguments.check or CHECKS:
            CHECKS[check](table, ours, arguments.seed)
    for name in table.failed:
        print(f"unexplained: {name}", file=sys.stderr)
    return 1 if table.failed else 0


if __name__ == "__main__":
    sys.exit(main())
