"""A whole round: ours beside the paper's code and beside ByzFL, on MNIST (PHALANX_DATA says where it lies).

    python3 benches/peers/table_rounds.py [--only TEXT] [--repeats N]

The paper's code is stood for by dahan_rounds.py, ByzFL by its own classes (byzfl_rounds.py); what each of
them does is told there. Evaluation is off on all sides.
"""

import side_by_side
from side_by_side import Line

CONF_1 = "experiments/mnist.toml"
BYZFL = "experiments/peers/byzfl.toml"
MOMENTUM = ("workers.0.estimator=momentum", "aggregator.step={sgd={lr=0.1}}")

# name, the peer's arguments, ours
DAHAN = [
    ("sign-flip, ctma > cwmed, mu2", ("sign-flip", "ctma,cwmed", "storm"), ()),
    ("sign-flip, ctma > nnm > cwmed, mu2", ("sign-flip", "ctma,nnm,cwmed", "storm"),
     ("aggregator.rule=['ctma','nnm','cwmed']",)),
    ("sign-flip, ctma > cwmed, momentum", ("sign-flip", "ctma,cwmed", "momentum"), MOMENTUM),
    ("alie, ctma > nnm > rfa, mu2", ("alie", "ctma,nnm,geometric-median", "storm"),
     ("attackers.0.attack=alie", "aggregator.rule=['ctma','nnm','geometric-median']")),
    ("ipm, cwmed, momentum", ("ipm", "cwmed", "momentum"),
     ("attackers.0.attack=ipm", "aggregator.rule=['cwmed']", *MOMENTUM)),
]


def dahan_lines(options):
    """Conf. 1: our f32 against the released precision, and both precisions against themselves."""
    for name, (attack, rule, estimator), sets in DAHAN:
        for theirs, ours, target in [("f64", "f32", 5.0), ("f64", "f64", 2.0), ("f32", "f32", None)]:
            def run_peer(attack=attack, rule=rule, estimator=estimator, precision=theirs):
                return side_by_side.peer(
                    "dahan_rounds.py", "--json", "--attack", attack, "--rule", rule, "--estimator", estimator, "--precision",
                    precision, "--rounds", options.rounds, "--threads", options.threads)["median_ms"]

            def run_ours(sets=sets, precision=ours):
                return milliseconds(CONF_1, options, f"task.precision={precision}", *sets)

            yield Line(f"{name}, ours {ours}", f"paper's code {theirs}", run_peer, run_ours, target)


def byzfl_lines(options):
    """cnn-mnist with batches of 25."""
    for rule, chain, target in [("cwtm,nnm", "['nnm','cwtm']", 5.0), ("cwmed", "['cwmed']", 3.0)]:
        def run_peer(rule=rule):
            return side_by_side.peer(
                "byzfl_rounds.py", "--json", "--rule", rule, "--rounds", options.rounds // 2, "--threads",
                options.threads)["median_ms"]

        def run_ours(chain=chain):
            return milliseconds(BYZFL, options, f"aggregator.rule={chain}")

        yield Line(f"cnn-mnist, {rule}, ours f32", "ByzFL f32", run_peer, run_ours, target)


def milliseconds(file, options, *sets):
    """Median of a round of ours."""
    measured = side_by_side.phalanx(
        file, "evaluation.every=0", *sets, rounds=options.rounds, threads=options.threads)
    return 1000 * measured["round"]["median_seconds"]


def main():
    parser = side_by_side.arguments(__doc__.split("\n")[0], repeats=3)
    parser.add_argument("--rounds", type=int, default=60, help="rounds of a repeat; ByzFL runs half as many")
    options = parser.parse_args()
    lines = [*dahan_lines(options), *byzfl_lines(options)]
    side_by_side.main("rounds", "One round, 17 workers on MNIST", "ms", lines, options)


if __name__ == "__main__":
    main()
