"""FedAvg in Flower's simulation: MNIST, 100 sites, C = 0.1, E = 5, B = 10, SGD 0.1, IID.

Clients train in PyTorch, one core each; the server measures every round's model
on the test set. Prints the seconds and the accuracy of every round.
"""

import argparse
import json
import os
import time

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("RAY_DEDUP_LOGS", "0")

import flwr
import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation
from torch import nn

import mnist
from net import reference

flags = argparse.ArgumentParser()
flags.add_argument("--data", required=True)
flags.add_argument("--rounds", type=int, default=4)
flags.add_argument("--out", required=True)
o = flags.parse_args()
SITES, PER_SITE = 100, 600
DATA, ROUNDS, OUT = os.path.abspath(o.data), o.rounds, os.path.abspath(o.out)

client = ClientApp()
cache = {}


def shard(site):
    """The images of a site; a worker loads the set once."""
    if "train" not in cache:
        images, labels = mnist.load(DATA, "train")
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))
        cache["train"] = torch.from_numpy(images)[:, None][order], torch.from_numpy(labels)[order]
    x, y = cache["train"]
    return x[site * PER_SITE : (site + 1) * PER_SITE], y[site * PER_SITE : (site + 1) * PER_SITE]


@client.train()
def train(message: Message, context: Context):
    torch.set_num_threads(1)
    x, y = shard(context.node_config["partition-id"])
    model = reference()
    model.load_state_dict(message.content["arrays"].to_torch_state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss = nn.CrossEntropyLoss()
    for _ in range(5):
        for idx in torch.randperm(PER_SITE).split(10):
            optimizer.zero_grad()
            loss(model(x[idx]), y[idx]).backward()
            optimizer.step()
    content = RecordDict({"arrays": ArrayRecord(model.state_dict()), "metrics": MetricRecord({"num-examples": PER_SITE})})
    return Message(content=content, reply_to=message)


server = ServerApp()


@server.main()
def main(grid: Grid, context: Context):
    torch.manual_seed(1)
    images, labels = mnist.load(DATA, "t10k")
    x, y = torch.from_numpy(images)[:, None], torch.from_numpy(labels)
    rounds, last = [], [time.perf_counter()]

    def evaluate(number, arrays):
        model = reference()
        model.load_state_dict(arrays.to_torch_state_dict())
        with torch.no_grad():
            right = sum(int((model(a).argmax(1) == b).sum()) for a, b in zip(x.split(500), y.split(500)))
        now = time.perf_counter()
        if number > 0:
            rounds.append({"round": number, "seconds": now - last[0], "accuracy": right / len(y)})
        last[0] = now
        return MetricRecord({"accuracy": right / len(y)})

    strategy = FedAvg(fraction_train=0.1, fraction_evaluate=0.0, min_train_nodes=10, min_available_nodes=SITES)
    strategy.start(grid=grid, initial_arrays=ArrayRecord(reference().state_dict()), num_rounds=ROUNDS, evaluate_fn=evaluate)
    with open(OUT, "w") as file:
        json.dump({"version": f"{flwr.__version__} with PyTorch {torch.__version__}", "rounds": rounds}, file)


if __name__ == "__main__":
    run_simulation(server_app=server, client_app=client, num_supernodes=SITES,
                   backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}})
