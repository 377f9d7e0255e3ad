"""Makes gradients.json: what PyTorch says of four networks at fixed weights, for tests/learner_golden.rs.

    python tests/golden/make_gradients.py > tests/golden/gradients.json

Weights, images and labels come from formulas that the test repeats. Two workers with four
samples each go through the network one after the other, as in the released code of Dahan &
Levy: every forward pass in training mode updates the same running statistics. All in float64, but for how far PyTorch's
autocast to bfloat16, over float32, goes from it.
"""

import copy
import json
import math

import numpy
import torch
from torch import nn

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
MEAN, STD = (float(numpy.float32(value)) for value in (0.1307, 0.3081))


def images(start, count, channels, side):
    """Pixel p of image n is (131 n + 17 p + p² mod 251) mod 256."""
    size = channels * side * side
    pixels = [[(131 * n + 17 * p + p * p % 251) % 256 for p in range(size)] for n in range(start, start + count)]
    x = torch.tensor(pixels, dtype=torch.float64) / 255.0
    return ((x - MEAN) / STD).reshape(count, channels, side, side)


def labels(start, count):
    return torch.tensor([3 * n % 10 for n in range(start, start + count)])


class Block(nn.Module):
    """A block of He et al. (2016) with a shortcut of its own."""

    def __init__(self, body, channels, out, stride):
        super().__init__()
        self.body = body
        same = stride == 1 and channels == out
        self.shortcut = (
            nn.Sequential()
            if same
            else nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        )

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


def basic(channels, out, stride):
    body = nn.Sequential(
        nn.Conv2d(channels, out, 3, stride, 1, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(),
        nn.Conv2d(out, out, 3, 1, 1, bias=False),
        nn.BatchNorm2d(out),
    )
    return Block(body, channels, out, stride)


def bottleneck(channels, width, stride):
    body = nn.Sequential(
        nn.Conv2d(channels, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, stride, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, 4 * width, 1, bias=False),
        nn.BatchNorm2d(4 * width),
    )
    return Block(body, channels, 4 * width, stride)


def networks():
    yield "simple-cnn", 1, 28, nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5, padding=2), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1568, 10),
    )  # fmt: skip
    yield "cnn-mnist", 1, 28, nn.Sequential(
        nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10),
    )  # fmt: skip
    yield "residual", 3, 8, nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
        basic(4, 8, 2), basic(8, 8, 1), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(8, 10),
    )  # fmt: skip
    yield "bottleneck", 3, 8, nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
        bottleneck(4, 2, 2), bottleneck(8, 2, 1), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(8, 10),
    )  # fmt: skip


def learn(network, x, y):
    network.zero_grad()
    logits = network(x)
    loss = nn.functional.cross_entropy(logits, y)
    loss.backward()
    return logits, loss, torch.cat([p.grad.flatten() for p in network.parameters()])


def autocast(network, x, y, exact):
    """The loss in mixed precision, and the distance of the gradient to the exact one, as a part of its norm."""
    mixed = copy.deepcopy(network).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, loss, gradient = learn(mixed, x.float(), y)
    return {"loss": loss.item(), "error": ((gradient.double() - exact).norm() / exact.norm()).item()}


def worker(network, channels, side, start):
    x, y = images(start, 4, channels, side), labels(start, 4)
    before = copy.deepcopy(network)
    logits, loss, gradient = learn(network, x, y)
    step = len(gradient) // 50 + 1
    return {
        "autocast": autocast(before, x, y, gradient),
        "loss": loss.item(),
        "accuracy": (logits.argmax(1) == y).double().mean().item(),
        "norm": gradient.norm().item(),
        "step": step,
        "gradient": gradient[::step].tolist(),
    }


def golden(channels, side, network):
    flat = torch.tensor([0.1 * math.sin(i + 1.0) for i in range(sum(p.numel() for p in network.parameters()))])
    nn.utils.vector_to_parameters(flat, network.parameters())
    network.train()
    workers = [worker(network, channels, side, start) for start in (0, 4)]
    buffers = dict(network.named_buffers())
    running = {
        key: [v for name, values in buffers.items() if name.endswith(key) for v in values.tolist()]
        for key in ("running_mean", "running_var")
    }
    network.eval()
    with torch.no_grad():
        logits = network(images(100, 12, channels, side))
    return {
        "dim": len(flat),
        "workers": workers,
        **running,
        "test_loss": nn.functional.cross_entropy(logits, labels(100, 12)).item(),
        "test_accuracy": (logits.argmax(1) == labels(100, 12)).double().mean().item(),
    }


print(json.dumps({"torch": torch.__version__, **{name: golden(c, s, net) for name, c, s, net in networks()}}, indent=1))
