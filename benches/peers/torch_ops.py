"""The same work in PyTorch, case by case with the names of `benches/ops`.

    python torch_ops.py [part of a case's name]

Prints {"case", "ms"} a case: the best of seven runs or of as many as half a second holds, after one to warm up. Convolutions
have "channels_last_ms" too: "ms" is in the layout that the crate has, (N, C, H, W).
"""

import json
import sys
import time

import torch
import torch.nn.functional as F

ONLY = sys.argv[1] if len(sys.argv) > 1 else ""


def case(name, step, **others):
    """Times `step`, and the steps that are printed as further fields."""
    if ONLY in name:
        print(json.dumps({"case": name, "ms": best(step)} | {key: best(step) for key, step in others.items()}), flush=True)


def best(step):
    step()
    begin, times = time.perf_counter(), []
    while len(times) < 7 or time.perf_counter() - begin < 0.5:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return round(min(times) * 1e3, 3)


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


# Images, channels, outputs, image size, kernel size, stride, padding: those of `benches/ops/convolutions.rs`.
SHAPES = [
    (32, 64, 64, 32, 3, 1, 1),
    (32, 128, 128, 16, 3, 1, 1),
    (32, 16, 16, 32, 3, 1, 1),
    (32, 64, 16, 32, 1, 1, 0),
    (8, 64, 64, 56, 3, 1, 1),
    (8, 256, 64, 56, 1, 1, 0),
    (8, 3, 64, 224, 7, 2, 3),
    (8, 512, 512, 7, 3, 1, 1),
    (128, 3, 16, 32, 3, 1, 1),
    (128, 16, 16, 32, 3, 1, 1),
    (128, 16, 64, 32, 1, 1, 0),
    (128, 64, 16, 32, 1, 1, 0),
    (128, 32, 32, 32, 3, 2, 1),
    (128, 64, 128, 32, 1, 2, 0),
    (128, 32, 32, 16, 3, 1, 1),
    (128, 32, 128, 16, 1, 1, 0),
    (128, 128, 32, 16, 1, 1, 0),
    (128, 64, 64, 16, 3, 2, 1),
    (128, 128, 256, 16, 1, 2, 0),
    (128, 64, 64, 8, 3, 1, 1),
    (128, 64, 256, 8, 1, 1, 0),
    (128, 256, 64, 8, 1, 1, 0),
    (128, 128, 128, 4, 3, 1, 1),
    (128, 128, 512, 4, 1, 1, 0),
    (128, 512, 128, 4, 1, 1, 0),
]


def convolutions():
    """Forward; with the gradient of the input; with the gradients of both."""
    for images, channels, outputs, size, kernel, stride, padding in SHAPES:
        out = (size + 2 * padding - kernel) // stride + 1
        data = [
            torch.randn(images, channels, size, size),
            torch.randn(outputs, channels, kernel, kernel),
            torch.randn(images, outputs, out, out),
        ]

        def steps(layout):
            x, weight, gradient = (tensor.to(memory_format=layout) for tensor in data)
            x.requires_grad_(), weight.requires_grad_()

            def forward():
                with torch.no_grad():
                    F.conv2d(x, weight, None, stride, padding)

            def with_input_gradient():
                torch.autograd.grad(F.conv2d(x, weight.detach(), None, stride, padding), x, gradient)

            def with_gradients():
                torch.autograd.grad(F.conv2d(x, weight, None, stride, padding), (x, weight), gradient)

            return forward, with_input_gradient, with_gradients

        name = f"conv2d n={images} c={channels} o={outputs} h={size} k={kernel} s={stride}"
        for what, first, last in zip(
            ["fwd", "fwd+input-grad", "fwd+grads"], steps(torch.contiguous_format), steps(torch.channels_last)
        ):
            case(f"{name} {what}", first, channels_last_ms=last)


if __name__ == "__main__":
    torch.manual_seed(0)
    isometric()
    convolutions()
