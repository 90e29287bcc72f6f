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


def lil(inputs, classes):
    """[D, 20, 20, 20, 20, C] with tanh, as its hidden layers and its last one."""
    sizes = [inputs, 20, 20, 20, 20]
    hidden = [m for a, b in zip(sizes, sizes[1:]) for m in (torch.nn.Linear(a, b), torch.nn.Tanh())]
    return torch.nn.Sequential(*hidden), torch.nn.Linear(20, classes)


def lil_loss(given, phi, logits, labels, members, beta):
    """L_CE + beta L_ISO; the pairs of each class alone, which is faster than a mask over all pairs."""
    iso = sum((torch.cdist(phi[m], phi[m]) - torch.cdist(given[m], given[m])).square().sum() for m in members)
    return torch.nn.functional.cross_entropy(logits, labels) + beta * iso / len(labels) ** 2


def members_of(labels):
    return [torch.nonzero(labels == k).squeeze(1) for k in range(int(labels.max()) + 1)]


def epochs():
    """An epoch of the notebooks on rings and torus: loss, gradients and Adam on all points."""
    angle = 2 * torch.pi * torch.rand(500)
    zero, c, s = torch.zeros(500), angle.cos(), angle.sin()
    x = torch.cat([torch.stack([c, s, zero], 1), torch.stack([1 + c, zero, s], 1)])
    labels = torch.arange(1000) // 500
    members = members_of(labels)
    hidden, head = lil(3, 2)
    adam = torch.optim.Adam([*hidden.parameters(), *head.parameters()])

    def rings():
        adam.zero_grad()
        phi = hidden(x)
        lil_loss(x, phi, head(phi), labels, members, 1.0).backward()
        adam.step()

    case("epoch of the rings, local isometry, n=1000", rings)

    u, v = torch.meshgrid(*[torch.arange(40) * 2 * torch.pi / 40] * 2, indexing="ij")
    from_axis = 1 + 0.4 * v.cos()
    points = torch.stack([from_axis * u.cos(), from_axis * u.sin(), 0.4 * v.sin()], 2).reshape(1600, 3)
    levels = [torch.arange(1600) * regions // 1600 for regions in (2, 4, 8)]
    members_by_level = [members_of(level) for level in levels]
    layers = [lil(3, 8), lil(20, 8), lil(20, 8)]
    adam_of_stack = torch.optim.Adam([p for layer in layers for part in layer for p in part.parameters()])

    def torus():
        adam_of_stack.zero_grad()
        loss, phi = 0.0, points
        for (hidden, head), level, members in zip(layers, levels, members_by_level):
            given = phi.detach()
            phi = hidden(given)
            loss = loss + lil_loss(given, phi, head(phi), level, members, 100.0)
        loss.backward()
        adam_of_stack.step()

    case("epoch of the torus, three layers, n=1600", torus)


if __name__ == "__main__":
    torch.manual_seed(0)
    isometric()
    epochs()
