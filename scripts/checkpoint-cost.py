#!/usr/bin/env python3
"""What a checkpoint costs a run.

    scripts/checkpoint-cost.py ROUNDS EVERY EXPERIMENT [KEY=VALUE]...       after `make build`

Runs the experiment three times: without checkpoints, with one every EVERY rounds, and with one after every round.
From timings.csv it takes how long the rounds wait between two of them, with and without a checkpoint, and the mean of
all that passes; and from the folder how large one is. With one after every round the rounds wait for the writing, so
that a round then takes as long as it.
PHALANX is the program, target/release/phalanx if it is not set.
"""

import csv, os, pathlib, statistics, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
PHALANX = os.environ.get("PHALANX", ROOT / "target/release/phalanx")


def play(rounds, every, experiment, sets):
    """Seconds from the end of each round to the beginning of the next, those that each takes, and a checkpoint's bytes."""
    sets = [*sets, f"rounds={rounds}", "evaluation.every=0", "checkpoint.every_minutes=0", f"checkpoint.every_rounds={every}"]
    with tempfile.TemporaryDirectory() as out:
        command = [PHALANX, "run", experiment, "--quiet", "--out", out]
        run = subprocess.Popen([*command, *(word for key in sets for word in ("--set", key))], stdout=subprocess.DEVNULL)
        size = 0
        while run.poll() is None:
            try:
                run.wait(0.2)
            except subprocess.TimeoutExpired:
                size = max([size, *map(weight, pathlib.Path(out).glob("*/*/checkpoints/[0-9]*"))])
        assert run.returncode == 0
        with open(next(pathlib.Path(out).glob("*/*/timings.csv"))) as file:
            rows = [(float(row["elapsed_seconds"]), float(row["round_seconds"])) for row in csv.DictReader(file)]
    ends, took = zip(*rows)
    return [b - a - t for a, b, t in zip(ends, ends[1:], took[1:])], took, size, (ends[-1] - ends[0]) / (rounds - 1)


def weight(folder):
    """Bytes of a folder's files."""
    try:
        return sum(file.stat().st_size for file in folder.iterdir())
    except FileNotFoundError:
        return 0


def main():
    rounds, every, experiment, *sets = sys.argv[1:]
    rounds, every = int(rounds), int(every)
    _, alone, _, without = play(rounds, 0, experiment, sets)
    gaps, took, size, among = play(rounds, every, experiment, sets)
    *_, each = play(rounds, 1, experiment, sets)
    # gaps[k] lies behind round k + 1.
    kept = [gap for number, gap in enumerate(gaps, 1) if number % every == 0]
    plain = [gap for number, gap in enumerate(gaps, 1) if number % every]
    after = [t for number, t in enumerate(took) if number and number % every == 0]
    ms = lambda seconds: f"{1e3 * seconds:.3f} ms"
    print(f"{size:,} bytes a checkpoint")
    print(f"between rounds: {ms(statistics.median(plain))}, with a checkpoint {ms(statistics.median(kept))}")
    print(f"a round: {ms(statistics.median(alone))}, behind a checkpoint {ms(statistics.median(after))}")
    print(f"all in the mean: {ms(without)} a round, {ms(among)} with one every {every} rounds: "
          f"{ms((among - without) * every)} a checkpoint; {ms(each)} with one after every round")


if __name__ == "__main__":
    main()
