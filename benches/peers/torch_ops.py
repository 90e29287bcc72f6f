"""The same work in PyTorch, case by case with the names of `benches/ops`.

    python torch_ops.py [part of a case's name]

Prints {"case", "ms"} a case: the best of seven runs or of as many as half a second holds, after one to warm up.
"""

import json
import sys
import time

import torch

ONLY = sys.argv[1] if len(sys.argv) > 1 else ""


def case(name, step):
    if ONLY not in name:
        return
    step()
    begin, times = time.perf_counter(), []
    while len(times) < 7 or time.perf_counter() - begin < 0.5:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    print(json.dumps({"case": name, "ms": round(min(times) * 1e3, 3)}), flush=True)


def isometric():
    """Value and gradient of L_ISO, D_M given; G masks the pairs of different classes."""
    for n, d, classes in [(1600, 20, 1), (1600, 20, 2), (1600, 20, 8), (6400, 20, 1), (100, 100, 10)]:
        z = torch.randn(n, d, requires_grad=True)
        x = torch.randn(n, 3)
        given = torch.cdist(x, x)
        cells = torch.arange(n) * classes // n
        g = (cells[:, None] == cells[None, :]).float()

        def step():
            z.grad = None
            loss = (g * (torch.cdist(z, z) - given)).square().sum() / n**2
            loss.backward()

        case(f"isometric n={n} d={d} classes={classes} fwd+grad", step)


def training_step(name, sizes, n, beta, labels, full_batch):
    """One step of Adam on cross-entropy and isometric loss; with the full batch, D_M and G once for all steps."""
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [torch.nn.Linear(a, b), torch.nn.Tanh()]
    network = torch.nn.Sequential(*layers[:-1])
    adam = torch.optim.Adam(network.parameters())
    x = torch.rand(n, sizes[0])
    given = torch.cdist(x, x)
    partition = (labels[:, None] == labels[None, :]).float()

    def step():
        features = network[:-1](x)
        logits = network[-1](features)
        dm = given if full_batch else torch.cdist(x, x)
        g = partition if full_batch else (labels[:, None] == labels[None, :]).float()
        loss = (g * (dm - torch.cdist(features, features))).square().sum() / n**2
        adam.zero_grad()
        (torch.nn.functional.cross_entropy(logits, labels) + beta * loss).backward()
        adam.step()

    case(name, step)


def networks():
    digits, rings = torch.randint(0, 10, (100,)), torch.arange(1600) * 2 // 1600
    training_step("mnist lil training step batch=100", [784, 100, 100, 100, 100, 10], 100, 0.1, digits, False)
    training_step("rings lil training step n=1600", [3, 20, 20, 20, 20, 2], 1600, 1, rings, True)


if __name__ == "__main__":
    torch.manual_seed(0)
    isometric()
    networks()
