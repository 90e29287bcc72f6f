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


if __name__ == "__main__":
    torch.manual_seed(0)
    isometric()
