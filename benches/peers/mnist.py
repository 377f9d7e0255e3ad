"""Reads MNIST's training set for the peers, from where PHALANX_DATA says."""

import gzip
import os
import sys

import torch


def training_set():
    """Images [60000, 1, 28, 28] and labels [60000], as bytes."""
    root = os.environ.get("PHALANX_DATA", "data")
    return read(root, "train-images-idx3-ubyte", 16).view(-1, 1, 28, 28), read(root, "train-labels-idx1-ubyte", 8)


def normalised(images, dtype):
    """What the models are given."""
    return (images.to(dtype) / 255 - 0.1307) / 0.3081


def read(root, name, header):
    for path in (f"{root}/mnist/{name}.gz", f"{root}/mnist/{name}", f"{root}/{name}.gz", f"{root}/{name}"):
        if os.path.exists(path):
            opener = gzip.open if path.endswith(".gz") else open
            with opener(path, "rb") as file:
                return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8)
    sys.exit(f"{name}: not found below {root}; set PHALANX_DATA")
