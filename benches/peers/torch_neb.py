"""The nudged elastic band of `src/paths` in PyTorch: the peer that its speed is compared with, and its reference.

`relax` does the same work an iteration: energies and gradients at all pivots of all bands in one batch, improved
tangents, springs, a step.
"""

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
