"""Times rounds of ByzFL (package byzfl) with its own clients, attack, aggregators and server.

The round is that of its distributed SGD: every honest client computes a gradient and mixes it into its momentum,
the Byzantine client makes its vectors from those, the server aggregates and steps, and the new model goes back to the
clients. Its data loaders read tensors that were normalised beforehand, which spares it the transformation of
every image. 13 honest clients, 4 Byzantine ones that flip the sign, cnn_mnist, batches of 25, momentum 0.9, float32.

    python benches/peers/byzfl_rounds.py --rule cwtm,nnm
"""

import argparse
import json
import statistics
import time

import mnist
import torch
from byzfl import ByzantineClient, Client, Server
from torch.utils.data import DataLoader, Subset, TensorDataset

HONEST, BYZANTINE, BATCH, MOMENTUM, LR = 13, 4, 25, 0.9, 0.1
RULES = {"cwtm": "TrMean", "cwmed": "Median"}


def shared(rule):
    """What clients, server and attack are all told."""
    base, *before = rule.split(",")
    aggregator = {"name": RULES[base], "parameters": {"f": BYZANTINE} if base == "cwtm" else {}}
    pre = [{"name": "NNM", "parameters": {"f": BYZANTINE}} for name in before if name == "nnm"]
    model = {
        "model_name": "cnn_mnist", "device": "cpu", "optimizer_name": "SGD", "learning_rate": LR, "weight_decay": 0.0,
        "milestones": [], "learning_rate_decay": 1.0,
    }
    return model, {"aggregator_info": aggregator, "pre_agg_list": pre}


def cast(rule):
    images, labels = mnist.training_set()
    data = TensorDataset(mnist.normalised(images, torch.float32), labels.long())
    shards = torch.randperm(len(data)).chunk(HONEST)
    model, defence = shared(rule)
    clients = [
        Client(model | {
            "loss_name": "CrossEntropyLoss", "LabelFlipping": False, "nb_labels": 10, "momentum": MOMENTUM,
            "training_dataloader": DataLoader(Subset(data, shard.tolist()), batch_size=BATCH, shuffle=True),
            "store_per_client_metrics": False,
        })
        for shard in shards
    ]
    server = Server(model | defence | {"test_loader": DataLoader(data, batch_size=100)})
    attack = ByzantineClient({"name": "SignFlipping", "f": BYZANTINE, "parameters": {}})
    return clients, attack, server


def play(clients, attack, server):
    for client in clients:
        client.compute_gradients()
    honest = [client.get_flat_gradients_with_momentum() for client in clients]
    server.update_model_with_gradients(honest + attack.apply_attack(honest))
    state = server.get_dict_parameters()
    for client in clients:
        client.set_model_state(state)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rule", choices=["cwtm,nnm", "cwmed"], default="cwtm,nnm", help="base first, then before it")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    torch.manual_seed(1)
    torch.set_num_threads(options.threads)
    clients, attack, server = cast(options.rule)
    times = []
    for _ in range(options.rounds):
        began = time.perf_counter()
        play(clients, attack, server)
        times.append(1000 * (time.perf_counter() - began))
    settled = times[len(times) // 4:]
    median, fastest = statistics.median(settled), min(settled)
    if options.json:
        print(json.dumps({"median_ms": median, "fastest_ms": fastest, "rounds": len(settled)}))
    else:
        print(f"byzfl {options.rule}: median {median:.1f} ms a round, fastest {fastest:.1f}")


if __name__ == "__main__":
    main()
