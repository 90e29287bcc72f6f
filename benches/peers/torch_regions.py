"""The graph of `src/paths/regions` in PyTorch: the peer that its speed is compared with.

    python torch_regions.py [part of a case's name]

prints {"case", "ms", "channels_last_ms", "tests"} a case of `benches/regions.rs`: milliseconds for each segment tested. `regions`
does the same work: nearest neighbours, the shortest pairs first, only those that can join something, 32 segments together, from
coarse to fine, the samples that are open in one batch of up to 256.
"""

import json
import sys
import time

import torch

from torch_neb import tails

BATCH = 256


def levels(parts):
    """The places 1 … parts − 1 from coarse to fine."""
    pieces, found = [(0, parts)], []
    while True:
        level = [(a + b) // 2 for a, b in pieces if b - a > 1]
        if not level:
            return found
        found.append(level)
        pieces = [half for a, b in pieces if b - a > 1 for half in ((a, (a + b) // 2), ((a + b) // 2, b))]


def margins(network, points, target):
    found = []
    for part in points.split(BATCH):
        logits = network(part)
        own = logits[:, target].clone()
        logits[:, target] = -torch.inf
        found.append(own - logits.amax(1))
    return torch.cat(found)


def test(network, points, pairs, target, parts):
    """Whether each segment holds."""
    smallest = torch.full((len(pairs),), torch.inf)
    ends = torch.tensor(pairs)
    for level in levels(parts):
        open_ones = (smallest > 0).nonzero().flatten()
        if len(open_ones) == 0:
            break
        t = torch.tensor(level, dtype=points.dtype) / parts
        t = t.reshape(1, -1, *[1] * (points.dim() - 1))
        a, b = points[ends[open_ones, 0]].unsqueeze(1), points[ends[open_ones, 1]].unsqueeze(1)
        found = margins(network, torch.lerp(a, b, t).flatten(0, 1), target)
        smallest[open_ones] = torch.minimum(smallest[open_ones], found.reshape(len(open_ones), -1).amin(1))
    return (smallest > 0).tolist()


def regions(network, points, target, parts=16, neighbors=10, together=32):
    """The edges, and the number of tests."""
    flat = points.flatten(1)
    distances = torch.cdist(flat, flat)
    distances.fill_diagonal_(torch.inf)
    lengths, near = distances.topk(neighbors, largest=False)
    pairs = {tuple(sorted((i, j))): d for i, row in enumerate(zip(near.tolist(), lengths.tolist())) for j, d in zip(*row)}
    candidates = sorted(pairs, key=lambda pair: (pairs[pair], pair))
    parents, edges, tested = list(range(len(points))), [], {}

    def root(parents, i):
        while parents[i] != i:
            parents[i] = parents[parents[i]]
            i = parents[i]
        return i

    at = 0
    while at < len(candidates):
        hoped, batch = parents.copy(), []
        for pair in candidates[at:]:
            a, b = (root(hoped, end) for end in pair)
            if a != b and tested.get(pair, True):
                hoped[a] = b
                if pair not in tested:
                    batch.append(pair)
                if len(batch) == together:
                    break
        if not batch:
            break
        tested.update(zip(batch, test(network, points, batch, target, parts)))
        while at < len(candidates):
            pair = candidates[at]
            a, b = (root(parents, end) for end in pair)
            if a != b:
                if pair not in tested:
                    break
                if tested[pair]:
                    parents[a] = b
                    edges.append(pair)
            at += 1
    return edges, len(tested)


def main():
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    torch.manual_seed(0)
    images = torch.rand(200, 3, 32, 32)
    with torch.inference_mode():
        for name, head, tail in tails():
            case = f"regions space={name} images={len(images)} samples=16"
            if only not in case:
                continue
            points = torch.cat([head(part) for part in images.split(BATCH)])
            answers = torch.cat([tail(part) for part in points.split(BATCH)]).argmax(1)
            target = answers.mode().values.item()
            points = points[answers == target]
            result = {"case": case}
            for layout in ["ms", "channels_last_ms"]:
                if layout != "ms":
                    if points.dim() != 4:
                        break
                    tail = tail.to(memory_format=torch.channels_last)
                    points = points.to(memory_format=torch.channels_last)
                times = []
                for _ in range(3):
                    start = time.perf_counter()
                    _, tests = regions(tail, points, target)
                    times.append((time.perf_counter() - start) * 1e3 / tests)
                result |= {layout: round(min(times), 4), "tests": tests}
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
