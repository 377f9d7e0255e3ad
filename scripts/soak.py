#!/usr/bin/env python3
"""Runs an experiment for minutes on end and checks that it neither grows nor loses anything.

    scripts/soak.py [--minutes M] [FILE]       after `make build`; needs nothing but Python and /proc

While the run goes on, its memory, its open files and its threads are counted every two seconds, and its metrics are
read every ten. At the end the run is asked to stop (SIGINT), and these must hold:

- it stops by itself and writes its summary;
- resident memory is flat: what the median slope (Theil-Sen) makes of the time observed is within the noise;
- open files and threads are as many in the last quarter as in the second;
- every message is accounted for: those sent are accepted, rejected, late or lost; those accepted and the absent make
  the workers; the bytes of those accepted are the column `bytes`; the endpoint's totals are those of the table;
- of the checkpoints, written every half minute, the last two are there.
"""

import argparse
import csv
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PHALANX = ROOT / "target/release/phalanx"
# Below this, growth is not told from noise, in bytes.
GRAIN = 1 << 20


def observe(pid):
    """Resident bytes, open files and threads of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    files = len(os.listdir(f"/proc/{pid}/fd"))
    threads = len(os.listdir(f"/proc/{pid}/task"))
    return pages * os.sysconf("SC_PAGE_SIZE"), files, threads


def scrape(address):
    """Sums of the totals that the endpoint tells, by name."""
    totals = {}
    with urllib.request.urlopen(address, timeout=10) as answer:
        for line in answer.read().decode().splitlines():
            if line and not line.startswith("#"):
                series, value = line.rsplit(" ", 1)
                name = series.split("{")[0]
                totals[name] = totals.get(name, 0.0) + float(value)
    return totals


def folder_of(out, child):
    """The run's folder, once it has begun."""
    for _ in range(600):
        found = list(out.glob("*/*/run.json"))
        if found:
            return found[0].parent
        if child.poll() is not None:
            sys.exit(f"the run ended at once, status {child.returncode}")
        time.sleep(0.1)
    sys.exit("the run has not begun within a minute")


def watch(child, address, seconds):
    """Samples (time, bytes, files, threads) and the metrics, until the time is over."""
    samples, totals = [], []
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        if child.poll() is not None:
            sys.exit(f"the run ended after {elapsed:.0f} s, status {child.returncode}")
        if address and len(samples) % 5 == 0:
            totals.append(scrape(address))
        samples.append((elapsed, *observe(child.pid)))
        time.sleep(2)
    return samples, totals


def slope(points):
    """Theil-Sen: the median of the slopes between pairs of points."""
    step = max(1, len(points) // 300)
    points = points[::step]
    return statistics.median((b[1] - a[1]) / (b[0] - a[0]) for i, a in enumerate(points) for b in points[i + 1:])


def growth(samples):
    """What the slope makes of the time after the first quarter, and the noise about it, in bytes."""
    points = [(sample[0], sample[1]) for sample in samples[len(samples) // 4:]]
    rate = slope(points)
    middle = statistics.median(y - rate * x for x, y in points)
    rest = sorted(y - rate * x - middle for x, y in points)
    noise = rest[int(0.95 * (len(rest) - 1))] - rest[int(0.05 * len(rest))]
    return rate * (points[-1][0] - points[0][0]), max(noise, GRAIN)


def flat(values):
    """Whether the last quarter is like the second."""
    quarter = len(values) // 4
    return statistics.median(values[quarter:2 * quarter]) == statistics.median(values[-quarter:])


def account(path):
    """The gradients so far after every round, once nothing is found to be missing in rounds.csv; and sums of its columns."""
    size, sums, rows = None, dict.fromkeys(("workers", "sent", "accepted"), 0), []
    with open(path, newline="") as file:
        for number, text in enumerate(csv.DictReader(file), 1):
            row = {name: int(value) for name, value in text.items() if value.isdigit()}
            assert row["round"] == number, f"row {number} is of round {row['round']}"
            assert row["accepted"] + row["absent"] == row["workers"], f"workers of round {number}"
            fates = row["accepted"] + row["rejected"] + row["late"] + row["lost"]
            assert row["sent"] == fates, f"round {number}: {row['sent']} sent, {fates} accounted for"
            sums = {name: total + row[name] for name, total in sums.items()}
            accepted = sums["accepted"]
            size = size or row["bytes"] // accepted
            assert row["bytes"] == accepted * size, f"round {number}: {row['bytes']} bytes in {accepted} vectors"
            rows.append(row["gradients"])
    return rows, sums


def agrees(totals, rows):
    """Whether the endpoint's totals are those of the table; a scrape may fall between two of its counters."""
    at = int(totals["phalanx_rounds_total"])
    gradients = [0, *rows][max(0, at - 1):at + 2]
    return at <= len(rows) and min(gradients) <= totals["phalanx_gradients_total"] <= max(gradients)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", default=ROOT / "experiments/soak.toml")
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as out:
        child = subprocess.Popen([PHALANX, "run", options.file, "--quiet", "--out", out], stdout=subprocess.DEVNULL)
        try:
            folder = folder_of(Path(out), child)
            address = json.loads((folder / "run.json").read_text()).get("metrics")
            samples, totals = watch(child, address, 60 * options.minutes)
            child.send_signal(signal.SIGINT)
            status = child.wait(60)
        finally:
            child.kill()
        summary = json.loads((folder / "summary.json").read_text())
        rows, sums = account(folder / "rounds.csv")
        checkpoints = len(list((folder / "checkpoints").iterdir()))
    grown, noise = growth(samples)
    checks = [
        ("ends when asked", summary["status"] == "interrupted" and summary["rounds"] == len(rows), f"status {status}"),
        ("memory is flat", grown <= noise, f"{grown / 2**20:+.1f} MiB of {samples[-1][1] / 2**20:.0f} MiB in "
         f"{options.minutes * 0.75:.1f} min, noise {noise / 2**20:.1f} MiB"),
        ("open files are as many", flat([s[2] for s in samples]), f"{samples[-1][2]}"),
        ("threads are as many", flat([s[3] for s in samples]), f"{samples[-1][3]}"),
        ("no submission is lost", len(rows) > 0, f"{sums['sent']:,} messages, {sums['accepted']:,} of them accepted, "
         f"in {len(rows):,} rounds of {sums['workers']:,} workers"),
        ("old checkpoints go", checkpoints == 2, f"{checkpoints} are there"),
        ("metrics are those of the table", all(agrees(t, rows) for t in totals), f"{len(totals)} times"),
    ]
    for name, holds, detail in checks:
        print(f"{'ok' if holds else 'FAILED':7} {name}: {detail}")
    sys.exit(0 if all(holds for _, holds, _ in checks) else 1)


if __name__ == "__main__":
    main()
