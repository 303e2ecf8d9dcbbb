"""Samples a second of whole training steps in PyTorch, on MNIST.

Default is what a tutorial shows; tuned has channels last and fused Adam.
"""

import argparse
import json
import time

import numpy as np
import torch
from torch import nn

import mnist
from net import reference

flags = argparse.ArgumentParser()
flags.add_argument("--data", required=True)
flags.add_argument("--threads", type=int, default=2)
flags.add_argument("--batch", type=int, default=32)
flags.add_argument("--tuned", action="store_true")
flags.add_argument("--seconds", type=float, default=4)
o = flags.parse_args()

torch.set_num_threads(o.threads)
torch.manual_seed(1)
images, labels = mnist.load(o.data, "train")
x, y = torch.from_numpy(images)[:, None], torch.from_numpy(labels)
model = reference()
if o.tuned:
    model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
optimizer = torch.optim.Adam(model.parameters(), eps=1e-7, fused=o.tuned)
loss = nn.CrossEntropyLoss()


def steps(n):
    order = torch.randint(len(x), (n, o.batch))
    begin = time.perf_counter()
    for idx in order:
        optimizer.zero_grad()
        loss(model(x[idx]), y[idx]).backward()
        optimizer.step()
    return n * o.batch / (time.perf_counter() - begin)


steps(100)
rates, begin = [], time.perf_counter()
while len(rates) < 3 or time.perf_counter() - begin < o.seconds:
    rates.append(steps(max(1, 1600 // o.batch)))
print(json.dumps({"version": torch.__version__, "samples_per_second": float(np.median(rates))}))
