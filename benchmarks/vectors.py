"""Time making and writing sets of dot products: `python -m benchmarks.vectors --help`.

A large set is made in pieces (`refmodel.vectors.dotstream`), so the rate is that of its pieces, after the first, which
takes what it takes however large the set. Times are processor times of one thread; files go to a temporary folder.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from refmodel.cli.common import print_table
from refmodel.vectors.dotstream import stream_dot_vectors
from refmodel.vectors.files import write_vectors


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vectors", description="Time sets of dot products.")
    parser.add_argument("--count", type=int, default=2_000_000, metavar="N", help="dots of a set (default 2,000,000)")
    parser.add_argument("--rule", default="exact_fp32", metavar="RULE", help="accumulation rule (default exact_fp32)")
    arguments = parser.parse_args(argv)
    rows = []
    for name in ("mxfp8_e5m2", "mxfp8_e4m3", "mxfp6_e3m2", "mxfp4_e2m1", "mxint8"):
        for switches in ({}, {"initial_values": True}):  # type: dict[str, Any]
            parts = _seconds(name, arguments.rule, arguments.count, [], switches)
            binary, text = (
                _seconds(name, arguments.rule, arguments.count, [form], switches) for form in ("bin", "hex")
            )
            what = ", ".join(switches) or "from +0"
            rows.append((name, what, *(f"{arguments.count / each / 1e6:.2f}" for each in (parts, binary, text))))
    print_table(("elements", "dots", "made M/s", "into bin M/s", "into hex M/s"), rows)
    print()
    print_table(("dots", "peak MiB"), [(count, _peak(arguments.rule, count)) for count in (200_000, 800_000)])


def _seconds(name: str, rule: str, count: int, forms: list[str], switches: dict[str, Any]) -> float:
    """Return the processor seconds of a set; it is only made if there are no forms."""
    start = time.process_time()
    parts = stream_dot_vectors(name, name, rule=rule, count=count, seed=1, **switches)
    if not forms:
        for _ in parts:
            pass
    else:
        with tempfile.TemporaryDirectory() as folder:
            write_vectors(parts, Path(folder) / "set", forms)
    return time.process_time() - start


def _peak(rule: str, count: int) -> int:
    """Return the peak of allocated memory of a set that is written, in MiB."""
    tracemalloc.start()
    _seconds("mxfp8_e4m3", rule, count, ["bin", "hex"], {})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak >> 20


if __name__ == "__main__":
    main()
