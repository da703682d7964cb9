"""Time emulated layers against torch.nn: `python -m benchmarks.linear --help`.

Every round runs each contender once, so that a busy machine slows all of them; a ratio is the median over the
rounds of the time of the emulated layer divided by that of torch.nn.Linear in the same round, by the clock.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import torch

from refmodel.cli.common import print_table
from refmodel.formats import OCP_FORMATS
from refmodel.torch import MXLinear, MXSpec


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.linear", description="Time emulated layers.")
    parser.add_argument("--rows", type=int, default=512, metavar="N", help="rows of the activation (default 512)")
    parser.add_argument(
        "--size", type=int, default=768, metavar="N", help="rows and columns of the weight (default 768)"
    )
    parser.add_argument("--rounds", type=int, default=31, metavar="N", help="rounds (default 31)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), metavar="N", help="threads")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    x = torch.randn(arguments.rows, arguments.size)
    plain = torch.nn.Linear(arguments.size, arguments.size)
    shapes = f"[{arguments.rows}, {arguments.size}] x [{arguments.size}, {arguments.size}]"
    print(f"{shapes}, {arguments.threads} threads")
    contenders: dict[str, Callable[[], object]] = {"torch.nn.Linear": lambda: plain(x)}
    for name in (*OCP_FORMATS, "nvfp4"):
        layer = MXLinear.from_float(plain, MXSpec(weight=name, activation=name))
        contenders[name] = lambda layer=layer: layer(x)  # type: ignore[misc]
    print_table(("forward", "ms", "times torch.nn.Linear"), compare(contenders, arguments.rounds))


def compare(contenders: dict[str, Callable[[], object]], rounds: int) -> list[tuple[str, str, str]]:
    """Time contenders in turn; return name, median in ms and median ratio to the first."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    with torch.no_grad():
        for number in range(rounds + 1):
            for name, work in contenders.items():
                start = time.perf_counter()
                work()
                if number:  # the first round quantizes weights
                    times[name].append(time.perf_counter() - start)
    first = next(iter(times.values()))
    return [
        (
            name,
            f"{1e3 * statistics.median(taken):.2f}",
            f"{statistics.median(t / base for t, base in zip(taken, first, strict=True)):.2f}",
        )
        for name, taken in times.items()
    ]


if __name__ == "__main__":
    main()
