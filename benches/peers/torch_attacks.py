"""The attacks of AutoAttack by torchattacks: the peer that their speed and their strength are compared with.

    python torch_attacks.py [part of a case's name]

prints {"case", "ms", "robust_accuracy"} a case of `benches/attacks.rs`, which first wrote the weights and images to
`target/bench/attacks`. 100 steps, 9 targets, 5,000 queries, as the public code of AutoAttack has them; torchattacks' own
defaults are ten steps. Needs torch, safetensors and torchattacks.
"""

import json
import pathlib
import sys
import time

import torch
from safetensors.torch import load_file
from torchattacks import APGD, APGDT, FAB, Square
from torchattacks.wrappers.multiattack import MultiAttack

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "target/bench/attacks"
SIZES = [784, 100, 100, 100, 100, 10]
BATCH = 1000


def network():
    weights = load_file(FOLDER / "network.safetensors")
    layers = [torch.nn.Flatten()]
    for index, (inputs, outputs) in enumerate(zip(SIZES, SIZES[1:])):
        layer = torch.nn.Linear(inputs, outputs)
        layer.load_state_dict({name: weights[f"layers.{index}.{name}"] for name in ["weight", "bias"]})
        layers += [layer, torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1]).eval().requires_grad_(False)


def attacks(model, norm, eps):
    shared = dict(norm=norm, eps=eps, n_restarts=1, seed=0)
    cross_entropy = APGD(model, steps=100, loss="ce", **shared)
    targeted = APGDT(model, steps=100, n_classes=10, **shared)
    fab = FAB(model, steps=100, multi_targeted=True, n_classes=10, **shared)
    square = Square(model, n_queries=5000, **shared)
    return {
        "APGD-CE": cross_entropy,
        "APGD-DLR": APGD(model, steps=100, loss="dlr", **shared),
        "APGD-T": targeted,
        "FAB-T": fab,
        "Square": square,
        "AutoAttack": MultiAttack([cross_entropy, targeted, fab, square]),
    }


def main():
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    tensors = load_file(FOLDER / "images.safetensors")
    model = network()
    for count in [1000, 10000]:
        images, labels = tensors["images"][:count].reshape(-1, 1, 28, 28), tensors["labels"][:count].long()
        for norm, eps in [("Linf", 0.1), ("L2", 1.0)]:
            for name, attack in attacks(model, norm, eps).items():
                case = f"{name} {norm} eps={eps:g} images={count}"
                if only not in case or (count > 1000 and name != "AutoAttack"):
                    continue
                right = 0
                start = time.perf_counter()
                for part, truth in zip(images.split(BATCH), labels.split(BATCH)):
                    found = attack(part, truth)
                    right += (model(found).argmax(1) == truth).sum().item()
                ms = (time.perf_counter() - start) * 1e3
                print(json.dumps(dict(case=case, ms=ms, robust_accuracy=right / count)), flush=True)


if __name__ == "__main__":
    main()
