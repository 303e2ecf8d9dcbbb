"""MNIST's four files as arrays: images x/255 in [0, 1] and labels."""

import gzip
import os

import numpy as np


def _idx(folder, name):
    for suffix, opener in (("", open), (".gz", gzip.open)):
        path = os.path.join(folder, name + suffix)
        if os.path.exists(path):
            with opener(path, "rb") as file:
                data = file.read()
            dims = data[3]
            shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(dims)]
            return np.frombuffer(data, np.uint8, offset=4 + 4 * dims).reshape(shape)
    raise SystemExit(f"{folder} has no {name}")


def load(folder, part):
    """part is train or t10k; images are [n, 28, 28] float32, labels int64."""
    images = _idx(folder, f"{part}-images-idx3-ubyte").astype(np.float32) / 255
    return images, _idx(folder, f"{part}-labels-idx1-ubyte").astype(np.int64)
