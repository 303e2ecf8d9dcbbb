#!/usr/bin/env python3
"""Trains Accord's reference network with PyTorch, as a site's own program.

Accord starts it once for each task, in a folder of the task's own:

    in   task.json           what to do: plan, contract, seed, round, …
         global.safetensors  the model to start from
    out  update.safetensors  the trained weights, whole, in the same tensors
         metrics.json        {"samples": n, "steps": n, and any other numbers}

The site's data is a safetensors or npz file with x_train [n, 28, 28, 1], bytes
or floats, and y_train [n], as `accord data partition` writes it. It is named
by --data or by the environment variable ACCORD_DATA, and never leaves this
machine.
"""

import argparse
import hashlib
import json
import os
import pathlib
import sys

import numpy as np
import torch
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F


class Reference(nn.Module):
    """Conv 32 – pool – Conv 64 – pool – Conv 64 – Dense 64 – Dense 10."""

    def __init__(self):
        super().__init__()
        self.conv = nn.ModuleList([nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3), nn.Conv2d(64, 64, 3)])
        self.dense = nn.ModuleList([nn.Linear(576, 64), nn.Linear(64, 10)])

    def forward(self, x):
        """x: [n, 1, 28, 28] → logits [n, 10]."""
        x = F.max_pool2d(F.relu(self.conv[0](x)), 2)
        x = F.max_pool2d(F.relu(self.conv[1](x)), 2)
        x = F.relu(self.conv[2](x))
        # Keras flattens height × width × channels, PyTorch channels first.
        # Turning the activations keeps the dense kernel as it is.
        x = x.permute(0, 2, 3, 1).flatten(1)
        return self.dense[1](F.relu(self.dense[0](x)))


def to_torch(kernel):
    """Keras' layout to PyTorch's: HWIO → OIHW, in × out → out × in."""
    return kernel.permute(3, 2, 0, 1) if kernel.dim() == 4 else kernel.t()


def to_keras(kernel):
    """PyTorch's layout to Keras': OIHW → HWIO, out × in → in × out."""
    return kernel.permute(2, 3, 1, 0) if kernel.dim() == 4 else kernel.t()


def load_weights(model, path):
    """Fills model from the tensors NN.kernel and NN.bias of a file."""
    tensors = load_file(path)
    with torch.no_grad():
        for i, layer in enumerate([*model.conv, *model.dense]):
            kernel = to_torch(tensors[f"{i:02}.kernel"])
            if kernel.shape != layer.weight.shape:
                raise SystemExit(f"tensor {i:02}.kernel has shape {list(kernel.shape)}, this program's network {list(layer.weight.shape)}")
            layer.weight.copy_(kernel)
            layer.bias.copy_(tensors[f"{i:02}.bias"])


def save_weights(model, path):
    """Writes what load_weights reads."""
    tensors = {}
    for i, layer in enumerate([*model.conv, *model.dense]):
        tensors[f"{i:02}.kernel"] = to_keras(layer.weight.detach()).contiguous()
        tensors[f"{i:02}.bias"] = layer.bias.detach().contiguous()
    save_file(tensors, path)


def load_data(path, split="train"):
    """Returns images [n, 1, 28, 28] in [0, 1] and labels [n] of a split."""
    arrays = np.load(path) if path.endswith(".npz") else load_arrays(path)
    x, y = arrays[f"x_{split}"], arrays[f"y_{split}"]
    x = x.astype(np.float32) / (255 if x.dtype == np.uint8 else 1)
    x = x.reshape(len(x), 28, 28, 1).transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(y.reshape(-1).astype(np.int64))


def seed_of(task):
    """A seed that depends on run, round and site: a task repeats alike."""
    key = f"{task['seed']}/{task['run']}/{task['round']}/{task['participant']}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") >> 1


def optimizer_of(config, parameters):
    """The plan's optimiser. Keras and PyTorch differ in where Adam adds ε."""
    if config["name"] == "adam":
        return torch.optim.Adam(parameters, lr=config["lr"], betas=(config["beta1"], config["beta2"]), eps=config["epsilon"])
    return torch.optim.SGD(parameters, lr=config["lr"], momentum=config.get("momentum", 0), weight_decay=config.get("weight_decay", 0))


def train(model, x, y, plan, generator):
    """Trains as the plan says; returns steps and the last epoch's mean loss."""
    optimizer = optimizer_of(plan["optimizer"], model.parameters())
    steps, limit = 0, plan.get("steps", 0)
    for _ in range(plan["epochs"]):
        order = torch.randperm(len(x), generator=generator) if plan["shuffle"] else torch.arange(len(x))
        total, seen = 0.0, 0
        for batch in order.split(plan["batch"] or len(x)):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
            seen += len(batch)
            steps += 1
            if steps == limit:
                return steps, total / seen
    return steps, total / seen


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("ACCORD_DATA"), help="the site's data, safetensors or npz")
    data = parser.parse_args().data
    if not data:
        sys.exit("say where the data is: --data FILE or ACCORD_DATA")

    folder = pathlib.Path(os.environ.get("ACCORD_TASK_DIR", "."))
    task = json.loads((folder / "task.json").read_text())
    generator = torch.Generator().manual_seed(seed_of(task))
    x, y = load_data(data)
    model = Reference()
    load_weights(model, folder / "global.safetensors")
    steps, loss = train(model, x, y, task["plan"], generator)
    save_weights(model, folder / "update.safetensors")
    (folder / "metrics.json").write_text(json.dumps({"samples": len(x), "steps": steps, "loss": loss}))
    print(f"{task['participant']}: round {task['round']}, {steps} steps on {len(x)} images, loss {loss:.4f}")


if __name__ == "__main__":
    main()
