#!/usr/bin/env python3
"""Measures Accord's reference network with PyTorch, as a coordinator's evaluator.

Accord starts it once for each version, in a folder of its own:

    in   model.safetensors   the model to measure
    out  result.json         {"accuracy": 0…1, "loss": a number}

The data is a safetensors or npz file with x_test [n, 28, 28, 1] and y_test [n],
as `accord data partition` writes it.
"""

import argparse
import json
import os
import pathlib

import torch
from torch.nn import functional as F

from train import Reference, load_data, load_weights


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="the test set, safetensors or npz")
    x, y = load_data(parser.parse_args().data, "test")

    folder = pathlib.Path(os.environ.get("ACCORD_EVALUATION_DIR", "."))
    model = Reference()
    load_weights(model, folder / "model.safetensors")
    with torch.no_grad():
        logits = torch.cat([model(part) for part in x.split(1000)])
    result = {"accuracy": (logits.argmax(1) == y).double().mean().item(), "loss": F.cross_entropy(logits, y).item()}
    (folder / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
