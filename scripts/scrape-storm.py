#!/usr/bin/env python3
"""What a storm of scrapes costs a round: `scripts/scrape-storm.py [EXPERIMENT] [CLIENTS] [PAIRS] [SECONDS]`.

Runs an experiment with metrics, and in turns leaves it alone and lets CLIENTS clients (100) scrape it once a second
each, 1500 times what one Prometheus does (every 15 s). Prints for each pair the median round without and with them,
from the run's timings.csv, and the median of the ratios. Clients are of low priority: they belong to other machines.
PHALANX is the program, target/release/phalanx if it is not set.
"""

import csv, os, pathlib, re, statistics, subprocess, sys, tempfile, threading, time, urllib.request

argument = dict(enumerate(sys.argv[1:]))
experiment = argument.get(0, "experiments/quickstart.toml")
clients, pairs, seconds = (int(argument.get(k, default)) for k, default in ((1, 100), (2, 6), (3, 4)))
program = os.environ.get("PHALANX", pathlib.Path(__file__).parent.parent / "target/release/phalanx")


def storm(url, until, count, number):
    time.sleep(number / clients)
    while time.time() < until:
        begun = time.time()
        with urllib.request.urlopen(url, timeout=20) as answer:
            answer.read()
        count.append(1)
        time.sleep(max(0.0, 1.0 - (time.time() - begun)))


def window(url, count):
    """Seconds since the epoch at which a window begins and ends, with `count` if there is a storm."""
    begin, until = time.time() + 0.5, time.time() + 0.5 + seconds
    if count is not None:
        threads = [threading.Thread(target=storm, args=(url, until, count, n)) for n in range(clients)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    else:
        time.sleep(until - time.time())
    return begin, until


with tempfile.TemporaryDirectory() as out:
    command = [program, "run", experiment, "--quiet", "--out", out, "--metrics=127.0.0.1:0", "--set", "rounds=100000000"]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        url = re.search(r"http://\S+", run.stderr.readline())[0]
        count = []
        os.nice(19)
        time.sleep(2)
        windows = [(window(url, None), window(url, count)) for _ in range(pairs)]
    finally:
        run.terminate()
        run.wait()
    table = next(pathlib.Path(out).glob("*/*/timings.csv"))
    ended = table.stat().st_mtime
    with open(table) as file:
        rows = [(float(row["elapsed_seconds"]), float(row["round_seconds"])) for row in csv.DictReader(file)]
    begun = ended - rows[-1][0]
    median = lambda span: statistics.median(s for at, s in rows if span[0] <= begun + at <= span[1])
    ratios = []
    for alone, among in windows:
        a, b = median(alone), median(among)
        ratios.append(b / a)
        print(f"{1e3 * a:8.3f} ms alone   {1e3 * b:8.3f} ms in the storm   ratio {b / a:.4f}")
    print(f"{clients} clients, {len(count) / pairs / seconds:.0f} scrapes/s: median ratio {statistics.median(ratios):.4f}")
