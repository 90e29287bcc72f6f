"""The same work in PyTorch, case by case with the names of `benches/ops`.

    python torch_ops.py [part of a case's name]

Prints {"case", "ms"} a case: the best of seven runs or of as many as half a second holds, after one to warm up. Convolutions
have "channels_last_ms" too: "ms" is in the layout that the crate has, (N, C, H, W). TORCH_DEVICE=cuda runs them on a GPU, in
f32 as the crate does, without tensor cores.
"""

import json
import os
import sys
import time

import torch
import torch.nn.functional as F

ONLY = sys.argv[1] if len(sys.argv) > 1 else ""
torch.set_default_device(os.environ.get("TORCH_DEVICE", "cpu"))
torch.backends.cudnn.allow_tf32 = False


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
        if torch.cuda.is_available():
            torch.cuda.synchronize()  # A GPU answers before it has computed.
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


def lipschitz_step(name, sizes, n):
    """One step of Adam on the cross-entropy of a network of almost orthogonal layers."""
    layers = [torch.nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])]
    adam = torch.optim.Adam([parameter for layer in layers for parameter in layer.parameters()])
    x, labels = torch.rand(n, sizes[0]), torch.arange(n) * sizes[-1] // n

    def step():
        h = x
        for layer in layers:
            sums = (layer.weight.T @ layer.weight).abs().sum(1).clamp_min(1e-12)
            h = F.linear(torch.tanh(h) if layer is not layers[0] else h, layer.weight * sums.rsqrt(), layer.bias)
        adam.zero_grad()
        F.cross_entropy(h, labels).backward()
        adam.step()

    case(name, step)


def networks():
    digits, rings = torch.randint(0, 10, (100,)), torch.arange(1600) * 2 // 1600
    training_step("mnist lil training step batch=100", [784, 100, 100, 100, 100, 10], 100, 0.1, digits, False)
    training_step("rings lil training step n=1600", [3, 20, 20, 20, 20, 2], 1600, 1, rings, True)
    lipschitz_step("mnist 1-lipschitz training step batch=100", [784, 100, 100, 100, 100, 10], 100)


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


def resnet():
    """torchvision's ResNet-50 in evaluation mode, and a training step of the narrow one for CIFAR-10 in training mode."""
    from torchvision.models import resnet50
    from torchvision.models.resnet import Bottleneck, ResNet

    names = ["resnet50 224 batch=8 fwd", "resnet50 224 batch=8 fwd+input-grad"]
    if any(ONLY in name for name in names):
        network = resnet50().eval().requires_grad_(False)
        images = torch.rand(8, 3, 224, 224)
        labels = torch.zeros(8, dtype=torch.long)

        def forward():
            with torch.no_grad():
                network(images)

        def with_input_gradient():
            x = images.clone().requires_grad_()
            torch.autograd.grad(F.cross_entropy(network(x), labels, reduction="sum"), x)

        case(names[0], forward)
        case(names[1], with_input_gradient)

    class Narrow(ResNet):
        """torchvision's blocks and order of layers, 16 channels wide, without the stem's strides."""

        def __init__(self):
            torch.nn.Module.__init__(self)
            self._norm_layer, self.dilation, self.groups, self.base_width = torch.nn.BatchNorm2d, 1, 1, 64
            self.inplanes = 16
            self.conv1, self.bn1 = torch.nn.Conv2d(3, 16, 3, 1, 1, bias=False), torch.nn.BatchNorm2d(16)
            self.relu, self.maxpool = torch.nn.ReLU(inplace=True), torch.nn.Identity()
            for index, blocks in enumerate([3, 4, 6, 3]):
                layer = self._make_layer(Bottleneck, 16 << index, blocks, 1 if index == 0 else 2)
                setattr(self, f"layer{index + 1}", layer)
            self.avgpool, self.fc = torch.nn.AdaptiveAvgPool2d((1, 1)), torch.nn.Linear(512, 10)

    images, labels = torch.rand(128, 3, 32, 32), torch.arange(128) % 10

    def training(layout):
        network = Narrow().to(memory_format=layout)
        sgd = torch.optim.SGD(network.parameters(), 0.1, 0.9, weight_decay=5e-4, nesterov=True)
        x = images.to(memory_format=layout)

        def step():
            sgd.zero_grad()
            F.cross_entropy(network(x), labels, label_smoothing=0.1).backward()
            sgd.step()

        return step

    def answers(layout):
        network = Narrow().eval().requires_grad_(False).to(memory_format=layout)
        x = images.to(memory_format=layout)

        def step():
            with torch.no_grad():
                network(x)

        return step

    def with_input_gradient(layout):
        network = Narrow().eval().requires_grad_(False).to(memory_format=layout)
        x = images[:64].to(memory_format=layout)

        def step():
            inner = x.clone().requires_grad_()
            torch.autograd.grad(F.cross_entropy(network(inner), labels[:64], reduction="sum"), inner)

        return step

    for name, step in [
        ("resnet50 width=16 cifar answers batch=128", answers),
        ("resnet50 width=16 cifar answers+input-grad batch=64", with_input_gradient),
    ]:
        case(name, step(torch.contiguous_format), channels_last_ms=step(torch.channels_last))
    name = "resnet50 width=16 cifar training step batch=128"
    case(name, training(torch.contiguous_format), channels_last_ms=training(torch.channels_last))
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
    networks()
    convolutions()
    resnet()
    epochs()
