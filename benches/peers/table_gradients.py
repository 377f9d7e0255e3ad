"""The gradients of 17 workers at one point: ours beside the fastest of PyTorch's own three ways.

    python3 benches/peers/table_gradients.py [--only TEXT] [--repeats N]

The peer's time is that of the fastest of one by one, grouped convolutions, and one plain pass over the concatenated batch
(which does not even give every worker's gradient), measured by gradients.py; ours is that of the way that
`cargo bench -p phalanx --bench learner` finds fastest. simple-cnn on images of MNIST's form; and two networks for
CIFAR-10, in batches of 25, without grouped convolutions and without a target.
"""

import re
import statistics

import side_by_side
from side_by_side import Line

WORKERS = 17
# Ours may take 0.8 times what the peer takes, with simple-cnn.
TARGET = 1.25
# Per line, what every repeat reached of a large matrix product's rate, in percent.
SHARES = {}


def theirs(model, precision, batch, threads):
    """Milliseconds of PyTorch's fastest way."""
    found = side_by_side.peer("gradients.py", "--model", model, "--threads", threads, "--workers", WORKERS, "--batches", batch,
                              "--precisions", precision)
    return min(found[precision][f"batch {batch}, ms"].values())


def ours(model, precision, batch, threads):
    """Milliseconds of our fastest way. Its share of a large matrix product's rate goes to SHARES."""
    text = side_by_side.run(["cargo", "bench", "-q", "-p", "phalanx", "--bench", "learner", "--", model, "--threads",
                             threads, "--workers", WORKERS, "--batch", batch, f"--{precision}"])
    found = re.findall(r"([0-9.]+) ms, [0-9]+ GFLOP/s, ([0-9]+) % of the product", text)
    ms, share = min((float(ms), int(share)) for ms, share in found)
    SHARES.setdefault(work(model, precision, batch), []).append(share)
    return ms


def work(model, precision, batch):
    return f"{model}, batch {batch}, {precision}"


def shares():
    """What there is to say of SHARES, once all is measured."""
    for name, found in SHARES.items():
        yield f"{name}: ours runs at {statistics.median(found):.0f} % of the rate of a product of two 1024 x 1024 matrices"


def main():
    options = side_by_side.arguments(__doc__.split("\n")[0], repeats=3).parse_args()
    all_work = [("simple-cnn", precision, batch) for precision in ("f32", "f64") for batch in (4, 32, 128)]
    all_work += [(model, precision, 25) for model in ("cnn-cifar", "empire-cnn") for precision in ("f32", "f64")]
    lines = [
        Line(work(*one), "PyTorch's fastest", lambda one=one: theirs(*one, options.threads),
             lambda one=one: ours(*one, options.threads), TARGET if one[0] == "simple-cnn" else None)
        for one in all_work
    ]
    side_by_side.main("gradients", f"Gradients of {WORKERS} workers", "ms", lines, options, shares())


if __name__ == "__main__":
    main()
