#!/usr/bin/env python3
"""Tables 1 and 2 of Dahan & Levy (2024), reconstructed, as Markdown: what theory says of each rule, and the configurations.

    python3 experiments/paper/tables.py [M F]

Table 1: the coefficient c of the rules, E|A(x) - mean of the honest|^2 <= c rho^2, with r = f / (m - 2f) (constants:
Allouah et al., 2023), alone, under NNM and under CTMA (Lemma 3.1: 16 delta (1 + c)), and their numbers at m = M, f = F
(17 and 4 unless given). At such an f none of the numbers shows an improvement by CTMA: the bounds speak of small delta.
Table 2: from conf-1.toml and conf-2.toml beside this file. Standard library only; Python 3.11.
"""

import sys
import tomllib
from pathlib import Path

RULES = [
    # rule, order of c, constant of c as a function of r, server cost of a round
    ("mean", "unbounded", None, "O(dm)"),
    ("krum", "1 + r", lambda r: 6 * (1 + r), "O(dm^2)"),
    ("geometric-median", "(1 + r)^2", lambda r: 4 * (1 + r) ** 2, "O(Tdm)"),
    ("cwmed", "(1 + r)^2", lambda r: 4 * (1 + r) ** 2, "O(dm log m)"),
    ("cwtm", "r (1 + r)", lambda r: 6 * r * (1 + r), "O(dm log m)"),
    ("lower bound", "r", lambda r: r, ""),
]


def table1(m, f):
    r, delta = f / (m - 2 * f), f / m
    print("Table 1, reconstructed: what theory says of each rule.\n")
    print(f"| rule | order of c | cost | c at {f} of {m} | under NNM | under CTMA |")
    print("|---|---|---|---|---|---|")
    for rule, order, constant, cost in RULES:
        numbers = ["unbounded"] * 3
        if constant:
            c = constant(r)
            numbers = [f"{c:.2f}", f"{8 * f / (m - f) * (1 + c):.2f}", f"{16 * delta * (1 + c):.2f}"]
        if rule == "lower bound":
            numbers[1:] = ["", ""]
        print(f"| {rule} | {order} | {cost} |", " | ".join(numbers), "|")
    print("\nExtra cost: NNM O(dm^2), CTMA O(dm + m log m), bucketing O(dm); bucketing by s leaves a fraction s delta.")


def table2():
    one, two = (configuration(f"conf-{number}.toml") for number in (1, 2))
    rows = [
        ("data set", lambda c: c["task"]["dataset"]),
        ("model", lambda c: c["task"]["model"]),
        ("workers m", lambda c: c["workers"][0]["count"] + c["attackers"][0]["count"]),
        ("Byzantine f (heavy, weak)", lambda c: "8, 4"),
        ("batch of a worker", lambda c: c["workers"][0]["batch_size"]),
        ("rounds", lambda c: c["rounds"]),
        ("evaluated every", lambda c: f"{c['evaluation']['every']} rounds"),
        ("learning rate", lambda c: c["aggregator"]["step"]["sgd"]["lr"]),
        ("momentum", lambda c: "beta = 0.9; mu2-SGD: averages by alpha_t = t, beta_t = 1/t, floors 0.01, constant steps"),
        ("clipping", lambda c: c["task"]["clip"]),
        ("weight decay", lambda c: c["aggregator"]["step"]["sgd"].get("weight_decay", 0)),
        ("attacks", lambda c: "sign-flip, label-flip, ipm with epsilon = 0.5, alie"),
        ("base rules", lambda c: "cwmed (the lower one), geometric-median (3 steps from 0, nu = 0.1)"),
        ("meta-aggregators", lambda c: "none, nnm, ctma, ctma > nnm; bucketing at f = 4"),
        ("seeds", lambda c: "1, 2, 3"),
    ]
    print("Table 2, reconstructed: the configurations.\n")
    print("| item | configuration 1 | configuration 2 |\n|---|---|---|")
    for item, value in rows:
        print(f"| {item} | {value(one)} | {value(two)} |")


def configuration(name):
    """The file with what it is based on; keys of sections are replaced one by one."""
    path = Path(__file__).parent / name
    over = tomllib.loads(path.read_text())
    base = configuration(over.pop("base")) if "base" in over else {}
    for key, value in over.items():
        base[key] = {**base.get(key, {}), **value} if isinstance(value, dict) else value
    return {"attackers": [{"count": 8}], **base}


if __name__ == "__main__":
    m, f = map(int, sys.argv[1:3]) if len(sys.argv) > 2 else (17, 4)
    table1(m, f)
    print()
    table2()
