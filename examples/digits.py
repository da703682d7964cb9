"""Train a classifier of handwritten digits with every product in an MX format, and compare with Float32.

Weights, activations and gradients are quantized, each along the axis its product sums over; the weights that are
trained are Float32. The digits are the 1797 images of 8 x 8 that scikit-learn carries; docs/torch.md has the table. Run

    pip install scikit-learn
    python -m examples.digits --help
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence

import torch
from torch import nn

from refmodel.cli.common import print_table
from refmodel.torch import MXQuantConfig, convert, prepare

FORMATS = "float32,mxfp8_e4m3,mxfp6_e3m2,mxfp6_e2m3,mxfp4_e2m1,mxfp4_e2m1 stochastic"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m examples.digits", description="Train on digits in MX formats.")
    parser.add_argument("--formats", default=FORMATS, help="block formats, after one 'stochastic' for its gradients")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="seeds 1 to N (default 5)")
    parser.add_argument("--epochs", type=int, default=30, metavar="N", help="epochs (default 30)")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)  # the layers are small
    rows, base = [], 0.0
    for name in arguments.formats.split(","):
        found = [100 * accuracy(name, seed, arguments.epochs) for seed in range(1, arguments.seeds + 1)]
        mean = statistics.mean(found)
        base = mean if name == "float32" else base
        rows.append((name, *(f"{a:.2f}" for a in found), f"{mean:.2f}", f"{mean - base:+.2f}" if base else ""))
        print(*rows[-1], file=sys.stderr)
    seeds = [f"seed {seed}" for seed in range(1, arguments.seeds + 1)]
    print_table(("weights, activations, gradients", *seeds, "mean %", "less float32"), rows)


def accuracy(name: str, seed: int, epochs: int) -> float:
    """Train a model in a format; return its part of right answers on images it has not seen."""
    images, labels = digits()
    torch.manual_seed(seed)
    order = torch.randperm(len(images))
    train, test = order[:1437], order[1437:]
    model: nn.Module = nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 128),
        nn.ReLU(),
        nn.Linear(128, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )
    if name != "float32":
        fmt, *gradients = name.split()
        config = MXQuantConfig(
            w_dtype=fmt, act_dtype=fmt, grad_dtype=fmt, round_backward="stochastic" if gradients else None, seed=seed
        )
        model = convert(prepare(model, config))
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for batch in train[torch.randperm(len(train))].split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
        schedule.step()
    with torch.no_grad():
        return (model(images[test]).argmax(1) == labels[test]).float().mean().item()


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Return images [1797, 1, 8, 8] from 0 to 1, and labels."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        sys.exit("this needs scikit-learn; run: pip install scikit-learn")
    data = load_digits()
    return torch.from_numpy(data.images).float()[:, None] / 16, torch.from_numpy(data.target)


if __name__ == "__main__":
    main()
