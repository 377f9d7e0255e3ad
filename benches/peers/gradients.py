"""Times the gradients of m workers at one point in PyTorch: three ways, beside a large matrix product.

    one by one    a forward and a backward pass for each worker
    grouped       all workers in one pass, with expanded weights and grouped convolutions (per-worker gradients);
                  of simple-cnn alone
    plain         one pass over the concatenated batch, which gives the mean gradient alone

Prints one JSON object. `cargo bench -p phalanx --bench learner` times our own learner on the same work.

    python benches/peers/gradients.py [--model simple-cnn] [--threads 2] [--workers 17] [--batches 4 32 128]
        [--precisions f32 f64] [--device cuda]

On a GPU f32 means f32 (no TF32), as in our learner.
"""

import argparse
import json
import statistics
import time

import torch
import torch.nn.functional as F

CLASSES = 10


def simple_cnn():
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 5, padding=2), torch.nn.BatchNorm2d(16), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(16, 32, 5, padding=2), torch.nn.BatchNorm2d(32), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(1568, CLASSES),
    )


def cnn_cifar():
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 20, 5, padding=2), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(20, 100, 5, padding=2), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(100, 200, 5, padding=2), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(3200, 512), torch.nn.ReLU(), torch.nn.Linear(512, 256), torch.nn.ReLU(),
        torch.nn.Linear(256, CLASSES),
    )


def empire_cnn():
    def stage(channels, out):
        return (
            torch.nn.Conv2d(channels, out, 3, padding=1), torch.nn.ReLU(), torch.nn.BatchNorm2d(out),
            torch.nn.Conv2d(out, out, 3, padding=1), torch.nn.ReLU(), torch.nn.BatchNorm2d(out),
            torch.nn.MaxPool2d(2), torch.nn.Dropout(0.25),
        )

    return torch.nn.Sequential(
        *stage(3, 64), *stage(64, 128), torch.nn.Flatten(), torch.nn.Linear(8192, 128), torch.nn.ReLU(),
        torch.nn.Dropout(0.25), torch.nn.Linear(128, CLASSES),
    )


def one_by_one(model, images, labels):
    parameters = list(model.parameters())
    return [torch.autograd.grad(F.cross_entropy(model(x), y), parameters) for x, y in zip(images, labels)]


def grouped(model, images, labels):
    g, b = labels.shape
    expanded = [p.detach().expand(g, *p.shape).requires_grad_() for p in model.parameters()]
    w1, b1, n1, s1, w2, b2, n2, s2, w3, b3 = expanded
    x = images.transpose(0, 1).reshape(b, g, 28, 28)
    for weight, bias, scale, shift in ((w1, b1, n1, s1), (w2, b2, n2, s2)):
        x = F.conv2d(x, weight.reshape(-1, *weight.shape[2:]), bias.reshape(-1), padding=2, groups=g)
        mean, var = torch.zeros_like(x[0, :, 0, 0]), torch.ones_like(x[0, :, 0, 0])
        x = F.batch_norm(x, mean, var, scale.reshape(-1), shift.reshape(-1), training=True)
        x = F.max_pool2d(F.relu(x), 2)
    x = x.reshape(b, g, -1).transpose(0, 1)
    logits = torch.baddbmm(b3.unsqueeze(1), x, w3.transpose(1, 2))
    loss = F.cross_entropy(logits.reshape(-1, CLASSES), labels.reshape(-1), reduction="sum") / b
    return torch.autograd.grad(loss, expanded)


def plain(model, images, labels):
    logits = model(images.flatten(0, 1))
    return torch.autograd.grad(F.cross_entropy(logits, labels.reshape(-1)), list(model.parameters()))


# A model, the form of its images, and its ways.
MODELS = {
    "simple-cnn": (simple_cnn, (1, 28, 28), (one_by_one, grouped, plain)),
    "cnn-cifar": (cnn_cifar, (3, 32, 32), (one_by_one, plain)),
    "empire-cnn": (empire_cnn, (3, 32, 32), (one_by_one, plain)),
}


def median_ms(f, device):
    def once():
        began = time.perf_counter()
        f()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return 1000 * (time.perf_counter() - began)

    once(), once()
    times = [once()]
    while len(times) < 5 or (sum(times) < 700 and len(times) < 51):
        times.append(once())
    return round(statistics.median(times), 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", choices=MODELS, default="simple-cnn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=17)
    parser.add_argument("--batches", type=int, nargs="+", default=[4, 32, 128])
    parser.add_argument("--precisions", nargs="+", choices=["f32", "f64"], default=["f32", "f64"])
    parser.add_argument("--device", type=torch.device, default="cpu")
    options = parser.parse_args()
    device = options.device
    torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(1)
    torch.set_num_threads(options.threads)
    report = {"torch": torch.__version__, "threads": options.threads, "workers": options.workers}
    make, form, ways = MODELS[options.model]
    for name in options.precisions:
        dtype = {"f32": torch.float32, "f64": torch.float64}[name]
        a, b = torch.randn(2, 1024, 1024, dtype=dtype, device=device)
        rates = {"product_gflops": round(2 * 1024**3 / median_ms(lambda: a @ b, device) / 1e6, 1)}
        model = make().to(device, dtype)
        for batch in options.batches:
            images = torch.randn(options.workers, batch, *form, dtype=dtype, device=device)
            labels = torch.randint(CLASSES, (options.workers, batch), device=device)
            times = {f.__name__: median_ms(lambda: f(model, images, labels), device) for f in ways}
            rates[f"batch {batch}, ms"] = times
        report[name] = rates
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
