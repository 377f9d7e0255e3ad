#!/usr/bin/env python3
"""What a storm of scrapes costs a round.

    scripts/scrape-storm.py [--clients N] [--pairs N] [--seconds S] [--keep FILE] [EXPERIMENT]     after `make build`

Runs an experiment with metrics, and in turns leaves it alone and lets CLIENTS clients (100) scrape it once a second
each, 1500 times what one Prometheus does (every 15 s). In every second pair the storm comes first, so that a machine
which grows slower or faster favours neither. Prints for each pair the median round without and with the storm, from
the run's timings.csv, and at the end the median of the ratios with a confidence interval of at least 95 % for it, from
their order alone. With --keep the ratios are added to FILE, and those of earlier calls are counted too. Clients are of
low priority: they belong to other machines. PHALANX is the program, target/release/phalanx if it is not set.
"""

import argparse, csv, math, os, pathlib, re, statistics, subprocess, tempfile, threading, time, urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
PHALANX = os.environ.get("PHALANX", ROOT / "target/release/phalanx")


def client(url, until, delay, count):
    """Scrapes once a second until the time is over."""
    time.sleep(delay)
    while time.time() < until:
        begun = time.time()
        with urllib.request.urlopen(url, timeout=20) as answer:
            answer.read()
        count.append(1)
        time.sleep(max(0.0, 1.0 - (time.time() - begun)))


def window(url, clients, seconds, count):
    """Seconds since the epoch at which a window with so many clients begins and ends."""
    begin, until = time.time() + 0.5, time.time() + 0.5 + seconds
    threads = [threading.Thread(target=client, args=(url, until, n / clients, count)) for n in range(clients)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    time.sleep(max(0.0, until - time.time()))
    return begin, until


def pair(url, options, number, count):
    """The windows without and with the storm."""
    order = [0, options.clients] if number % 2 == 0 else [options.clients, 0]
    spans = {clients: window(url, clients, options.seconds, count) for clients in order}
    return spans[0], spans[options.clients]


def rounds(table):
    """When each round ended, in seconds since the epoch, and how long it took."""
    ended = table.stat().st_mtime
    with open(table) as file:
        rows = [(float(row["elapsed_seconds"]), float(row["round_seconds"])) for row in csv.DictReader(file)]
    return [(ended - rows[-1][0] + at, took) for at, took in rows]


def interval(ratios):
    """An interval that holds the median with a probability of at least 95 %, and that probability."""
    n, k, outside = len(ratios), 0, 2 * 0.5 ** len(ratios)
    while k + 1 < n / 2 and outside + 2 * math.comb(n, k + 1) * 0.5 ** n <= 0.05:
        k += 1
        outside += 2 * math.comb(n, k) * 0.5 ** n
    return sorted(ratios)[k], sorted(ratios)[-1 - k], 1 - outside


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", nargs="?", default=ROOT / "experiments/quickstart.toml")
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--keep", type=pathlib.Path)
    options = parser.parse_args()
    sets = ["--metrics=127.0.0.1:0", "--set", "rounds=100000000", "--set", "checkpoint.every_minutes=0",
            "--set", "telemetry.linger_seconds=0"]
    with tempfile.TemporaryDirectory() as out:
        command = [PHALANX, "run", options.experiment, "--quiet", "--out", out, *sets]
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            url = re.search(r"http://\S+", run.stderr.readline())[0]
            count = []
            os.nice(19)
            time.sleep(2)
            windows = [pair(url, options, number, count) for number in range(options.pairs)]
        finally:
            run.terminate()
            run.wait()
        table = rounds(next(pathlib.Path(out).glob("*/*/timings.csv")))
    median = lambda span: statistics.median(took for at, took in table if span[0] <= at <= span[1])
    ratios = []
    for alone, among in windows:
        a, b = median(alone), median(among)
        ratios.append(b / a)
        print(f"{1e3 * a:8.3f} ms alone   {1e3 * b:8.3f} ms in the storm   ratio {b / a:.4f}")
    if options.keep:
        with open(options.keep, "a+") as kept:
            kept.write("".join(f"{ratio}\n" for ratio in ratios))
            kept.seek(0)
            ratios = [float(line) for line in kept]
    low, high, confidence = interval(ratios)
    print(f"{options.clients} clients, {len(count) / options.pairs / options.seconds:.0f} scrapes/s: median ratio of "
          f"{len(ratios)} pairs {statistics.median(ratios):.4f}, {low:.4f} to {high:.4f} at {100 * confidence:.0f} %")


if __name__ == "__main__":
    main()
