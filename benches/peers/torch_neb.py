"""The nudged elastic band of `src/paths` in PyTorch: the peer that its speed is compared with, and its reference.

    python torch_neb.py [part of a case's name]

prints {"case", "ms"} a case of `benches/neb.rs`. `relax` does the same work an iteration: energies and gradients at all pivots
of all bands in one batch, improved tangents, springs, a step. TORCH_DEVICE=cuda runs it on a GPU, in f32 as the crate does,
without tensor cores.
"""

import json
import os
import sys
import time

import torch


def straight(starts, ends, pivots):
    """(B, D) twice to (B, P + 2, D)."""
    t = torch.linspace(0, 1, pivots + 2, dtype=starts.dtype, device=starts.device)[None, :, None]
    return (1 - t) * starts[:, None] + t * ends[:, None]


def forces(path, energies, gradients, k):
    """Nudged forces on the pivots: path (B, N, D), energies (B, N), gradients (B, P, D)."""
    segments = path[:, 1:] - path[:, :-1]
    before, after = segments[:, :-1], segments[:, 1:]
    e_before, own, e_after = energies[:, :-2], energies[:, 1:-1], energies[:, 2:]
    down, up = (e_before - own).abs(), (e_after - own).abs()
    least, most = torch.minimum(down, up), torch.maximum(down, up)
    ahead = e_after > e_before
    weight_after, weight_before = torch.where(ahead, most, least), torch.where(ahead, least, most)
    rising, falling = (e_after > own) & (own > e_before), (e_after < own) & (own < e_before)
    one, zero = torch.ones_like(most), torch.zeros_like(most)
    weight_after = torch.where(rising, one, torch.where(falling, zero, weight_after))
    weight_before = torch.where(falling, one, torch.where(rising, zero, weight_before))
    flat = most == 0
    weight_after, weight_before = torch.where(flat, one, weight_after), torch.where(flat, one, weight_before)
    tangents = weight_before[..., None] * before + weight_after[..., None] * after
    tangents = tangents / tangents.norm(dim=-1, keepdim=True).clamp_min(1e-30)
    lengths = segments.norm(dim=-1)
    along = (gradients * tangents).sum(-1) + k * (lengths[:, 1:] - lengths[:, :-1])
    return along[..., None] * tangents - gradients


def energies_and_gradients(network, points, targets):
    """−log softmax at the targets, and its gradient, for (P, …) points."""
    points = points.detach().requires_grad_()
    energies = torch.nn.functional.cross_entropy(network(points), targets, reduction="none")
    (gradients,) = torch.autograd.grad(energies.sum(), points)
    return energies.detach(), gradients


def relax(network, starts, ends, targets, pivots, k, optimizer, iterations):
    """The bands (B, N, …) after so many iterations; `optimizer` makes a torch optimiser of the pivots."""
    bands, shape = starts.shape[0], starts.shape[1:]
    path = straight(starts.flatten(1), ends.flatten(1), pivots)
    inner = path[:, 1:-1].clone().requires_grad_()
    optimizer = optimizer([inner])
    with torch.no_grad():
        at_ends = torch.nn.functional.cross_entropy(
            network(torch.cat([starts, ends])), targets.repeat(2), reduction="none"
        ).reshape(2, bands)
    for _ in range(iterations):
        energies, gradients = energies_and_gradients(
            network, inner.reshape(bands * pivots, *shape), targets.repeat_interleave(pivots)
        )
        with torch.no_grad():
            path = torch.cat([path[:, :1], inner, path[:, -1:]], 1)
            energies = torch.cat([at_ends[0][:, None], energies.reshape(bands, pivots), at_ends[1][:, None]], 1)
            inner.grad = -forces(path, energies, gradients.reshape(bands, pivots, -1), k)
        optimizer.step()
    path = torch.cat([path[:, :1], inner.detach(), path[:, -1:]], 1)
    return path.reshape(bands, pivots + 2, *shape)


def tails(width=16):
    """ResNet-50 of torchvision's blocks, narrow and for 32×32 pixels: what comes before each of the paper's spaces, and its
    tail."""
    from torch import nn
    from torchvision.models.resnet import Bottleneck, ResNet

    class Narrow(ResNet):
        def __init__(self):
            nn.Module.__init__(self)
            self._norm_layer, self.dilation, self.groups, self.base_width = nn.BatchNorm2d, 1, 1, 64
            self.inplanes = width
            stem = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            layers = [self._make_layer(Bottleneck, width << i, n, 1 + (i > 0)) for i, n in enumerate([3, 4, 6, 3])]
            head = [nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(32 * width, 10)]
            self.stages = nn.Sequential(nn.Sequential(*stem), *layers, nn.Sequential(*head[:2]), head[2])

    stages = Narrow().eval().requires_grad_(False).stages
    for name, stage in [("input", 0), ("first_stage", 2), ("last", 6)]:
        yield name, stages[:stage], stages[stage:]


def best(step):
    """Milliseconds: the best of three runs or of as many as two seconds hold."""
    begin, times = time.perf_counter(), []
    while len(times) < 3 or time.perf_counter() - begin < 2:
        start = time.perf_counter()
        step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()  # A GPU answers before it has computed.
        times.append(time.perf_counter() - start)
    return min(times) * 1e3


def main():
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    bands, pivots, iterations = 8, 8, 4
    torch.set_default_device(os.environ.get("TORCH_DEVICE", "cpu"))
    torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(0)
    starts, ends = torch.rand(bands, 3, 32, 32), torch.rand(bands, 3, 32, 32)
    targets = torch.zeros(bands, dtype=torch.long)
    for name, head, tail in tails():
        case = f"neb iteration space={name} bands={bands} pivots={pivots}"
        if only not in case:
            continue
        with torch.no_grad():
            a, b = head(starts), head(ends)

        def run(count):
            relax(tail, a, b, targets, pivots, 1.0, lambda p: torch.optim.Adam(p, lr=0.01), count)

        ms = (best(lambda: run(1 + iterations)) - best(lambda: run(1))) / iterations
        print(json.dumps({"case": case, "ms": round(ms, 3)}), flush=True)


if __name__ == "__main__":
    main()
