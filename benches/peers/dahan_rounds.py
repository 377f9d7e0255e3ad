"""Times rounds of configuration 1 of Dahan & Levy (2024) in PyTorch, worker by worker.

The authors' released code is not in a package index. This script stands for it: the same
arithmetic in the same order, written anew from the description of the algorithm - one model,
a loop over workers, one backward pass for each worker and point, flat gradients clipped to norm 2,
corrected momentum or momentum per worker, an attack, a coordinate median or smoothed Weiszfeld,
NNM with its double loop over pairs, CTMA with its loop over workers, and the server's step.
It reads MNIST from the folder in PHALANX_DATA, in float64 as the released code does or float32.

    python benches/peers/dahan_rounds.py --rule ctma,cwmed --estimator storm --attack sign-flip
"""

import argparse
import json
import statistics
import time

import mnist
import torch
import torch.nn.functional as F

M, BATCH, CLIP, LR = 17, 4, 2.0, 0.1


def simple_cnn():
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 5, padding=2), torch.nn.BatchNorm2d(16), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(16, 32, 5, padding=2), torch.nn.BatchNorm2d(32), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(1568, 10),
    )


def gradient(model, images, labels):
    model.zero_grad()
    F.cross_entropy(model(images), labels).backward()
    flat = torch.cat([p.grad.flatten() for p in model.parameters()])
    norm = flat.norm()
    return flat * (CLIP / norm) if norm > CLIP else flat


def set_parameters(model, flat):
    at = 0
    for p in model.parameters():
        p.data.copy_(flat[at:at + p.numel()].view_as(p))
        at += p.numel()


def nnm(vectors, f):
    mixed = []
    for pivot in vectors:
        distances = [(torch.norm(pivot - other).item(), i) for i, other in enumerate(vectors)]
        near = [vectors[i] for _, i in sorted(distances)[:len(vectors) - f]]
        mixed.append(torch.stack(near).mean(dim=0))
    return mixed


def geometric_median(vectors):
    z = torch.zeros_like(vectors[0])
    for _ in range(3):
        weights = [1 / len(vectors) / max(torch.norm(z - v).item(), 0.1) for v in vectors]
        z = sum(w * v for w, v in zip(weights, vectors)) / sum(weights)
    return z


def aggregate(rule, vectors, f):
    head, *rest = rule
    if head == "ctma":
        anchor = aggregate(rest, vectors, f)
        differences = [v - anchor for v in vectors]
        norms = torch.stack([d.norm() for d in differences])
        keep = len(vectors) - f
        threshold = torch.kthvalue(norms, keep).values
        return anchor + sum(d for d, n in zip(differences, norms) if n <= threshold) / keep
    if head == "nnm":
        return aggregate(rest, nnm(vectors, f), f)
    if head == "geometric-median":
        return geometric_median(vectors)
    return torch.stack(vectors).median(dim=0).values


def attack(name, honest, own):
    if name == "sign-flip":
        return [-v for v in own]
    stacked = torch.stack(honest)
    if name == "ipm":
        return [-0.5 * stacked.mean(dim=0)] * (M - len(honest))
    return [stacked.mean(dim=0) - 1.2206 * stacked.std(dim=0)] * (M - len(honest))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rule", default="ctma,cwmed")
    parser.add_argument("--estimator", choices=["storm", "momentum"], default="storm")
    parser.add_argument("--attack", choices=["sign-flip", "ipm", "alie"], default="sign-flip")
    parser.add_argument("--precision", choices=["f32", "f64"], default="f64")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--byzantine", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    torch.manual_seed(1)
    torch.set_num_threads(options.threads)
    dtype = torch.float64 if options.precision == "f64" else torch.float32
    images, labels = mnist.training_set()
    labels = labels.long()
    model = simple_cnn().to(dtype)
    x = torch.cat([p.detach().flatten() for p in model.parameters()])
    w, previous, estimates, f = x.clone(), None, {}, options.byzantine
    # attackers that look at the honest vectors alone compute no gradients
    learning = M if options.attack == "sign-flip" else M - f
    order, times = torch.randperm(len(images)), []
    for t in range(1, options.rounds + 1):
        began = time.perf_counter()
        batch = order[(t - 1) * M * BATCH:t * M * BATCH]
        pixels = mnist.normalised(images[batch], dtype).chunk(M)
        classes = labels[batch].chunk(M)
        if options.estimator == "storm" and previous is not None:
            set_parameters(model, previous)
            old = [gradient(model, pixels[i], classes[i]) for i in range(learning)]
        set_parameters(model, x)
        for i in range(learning):
            g = gradient(model, pixels[i], classes[i])
            if i not in estimates:
                estimates[i] = g
            elif options.estimator == "storm":
                beta = max(round(1 / t, 3), 0.01)
                estimates[i] = g + (1 - beta) * (estimates[i] - old[i])
            else:
                estimates[i] = 0.9 * estimates[i] + 0.1 * g
        honest = [estimates[i] for i in range(M - f)]
        own = [estimates[i] for i in range(M - f, learning)]
        update = aggregate(options.rule.split(","), honest + attack(options.attack, honest, own), f)
        previous = x.clone()
        if options.estimator == "storm":
            w = w - LR * update
            gamma = max(round(2 / (t + 1), 3), 0.01)
            x = (1 - gamma) * x + gamma * w
        else:
            x = x - LR * update
        times.append(1000 * (time.perf_counter() - began))
    settled = times[len(times) // 4:]
    median, fastest = statistics.median(settled), min(settled)
    if options.json:
        print(json.dumps({"median_ms": median, "fastest_ms": fastest, "rounds": len(settled)}))
    else:
        name = f"{options.attack} {options.rule} {options.estimator} {options.precision}"
        print(f"{name}: median {median:.1f} ms a round, fastest {fastest:.1f}")


if __name__ == "__main__":
    main()
