"""Two programs that do the same work, measured in turn: peer, ours, peer, ours ...

A script table_*.py lists its lines and calls `main`; `make bench` runs every such script. A line's two
callables each return the cost of one unit of work, less is better. In every repeat the two run one after
the other and give one ratio; the table shows medians, the median ratio with its smallest and largest, and whether
the target is met. The same goes to target/bench/NAME.json with all repeats in it. Needs nothing but Python.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PHALANX = ROOT / "target/release/phalanx"
PYTHON = ROOT / ".venv/bin/python"
OUT = ROOT / "target/bench"
# How a table ends none of whose lines is chosen by --only; scripts/bench.sh goes on to the next one.
NO_LINE = 3


class Line(NamedTuple):
    """One line of a table."""

    work: str  # what is done
    peer_name: str  # who else does it, with its precision
    peer: Callable[[], float]  # its cost
    ours: Callable[[], float]  # our cost
    target: float | None  # the smallest ratio peer / ours that is good enough; none: shown without a target


class Result(NamedTuple):
    """What the repeats of a line gave."""

    line: Line
    peer: list[float]
    ours: list[float]

    def ratios(self):
        return [peer / ours for peer, ours in zip(self.peer, self.ours)]

    def ratio(self):
        return statistics.median(self.ratios())

    def met(self):
        return None if self.line.target is None else self.ratio() >= self.line.target

    def as_json(self):
        line = self.line
        return {
            "work": line.work, "peer": line.peer_name, "peer_repeats": self.peer, "ours_repeats": self.ours,
            "peer_median": statistics.median(self.peer), "ours_median": statistics.median(self.ours),
            "ratio": self.ratio(), "ratio_range": [min(self.ratios()), max(self.ratios())],
            "target": line.target, "met": self.met(),
        }


def run(command):
    """What the command prints; its end is ours too if it fails."""
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stderr}")
    return done.stdout


def peer(script, *arguments):
    """The JSON that a Python script of this folder prints, run by the peers' own interpreter."""
    return json.loads(run([PYTHON, ROOT / "benches/peers" / script, *arguments]))


def phalanx(file, *sets, rounds, threads):
    """The JSON of `phalanx bench` on an experiment."""
    pairs = [part for pair in sets for part in ("--set", pair)]
    return json.loads(run([PHALANX, "bench", file, "--json", "--rounds", rounds, "--threads", threads, *pairs]))


def machine():
    """The machine in words, and how busy it was before we began."""
    model = platform.processor() or platform.machine()
    try:
        info = Path("/proc/cpuinfo").read_text()
        model = next(line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    load = os.getloadavg()[0]
    return {"processor": model, "cores": os.cpu_count(), "load_before": round(load, 2)}


def measure(lines, repeats):
    """Runs the lines one after the other, and says on stderr where it is."""
    results = []
    for number, line in enumerate(lines, 1):
        result = Result(line, [], [])
        for repeat in range(repeats):
            print(f"  {number}/{len(lines)} {line.work}, {line.peer_name}: {repeat + 1} of {repeats}",
                  file=sys.stderr)
            result.peer.append(line.peer())
            result.ours.append(line.ours())
        results.append(result)
    return results


def table(results, unit):
    """The results as a table in Markdown."""
    rows = [["work", "peer", f"peer, {unit}", f"Phalanx, {unit}", "peer / Phalanx", "smallest .. largest", "target", ""]]
    for result in results:
        line, ratios = result.line, result.ratios()
        verdict = {None: "", True: "met", False: "missed"}[result.met()]
        rows.append([
            line.work, line.peer_name, f"{statistics.median(result.peer):.1f}",
            f"{statistics.median(result.ours):.1f}", f"{result.ratio():.2f}",
            f"{min(ratios):.2f} .. {max(ratios):.2f}", "" if line.target is None else f">= {line.target:g}", verdict,
        ])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows)


def arguments(description, repeats):
    """What every table script understands."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--repeats", type=int, default=repeats, help="times that peer and ours run in turn")
    parser.add_argument("--only", default="", metavar="TEXT", help="lines whose work or peer contains TEXT")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    return parser


def nothing_chosen(name, only):
    """Ends a table that has no line to measure, before it writes anything."""
    print(f"{name}: --only {only} chooses no line", file=sys.stderr)
    sys.exit(NO_LINE)


def main(name, title, unit, lines, options, notes=()):
    """Measures the lines, prints the table and writes it down."""
    chosen = [line for line in lines if options.only in f"{line.work}, {line.peer_name}"]
    if not chosen:
        nothing_chosen(name, options.only)
    here, began = machine(), time.time()
    results = measure(chosen, options.repeats)
    busy = " (the machine was busy: take the ratios, not the times)" if here["load_before"] > 0.5 else ""
    print(f"\n{title}\n{here['processor']}, {here['cores']} cores, {options.threads} threads, "
          f"median of {options.repeats} in turn{busy}\n")
    print(table(results, unit))
    for note in notes:
        print(note)
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"{name}.json"
    content = {"title": title, "unit": unit, "machine": here, "threads": options.threads,
               "seconds": round(time.time() - began, 1), "lines": [result.as_json() for result in results]}
    path.write_text(json.dumps(content, indent=2) + "\n")
    print(f"\nall repeats: {path.relative_to(ROOT)}")
