"""Time conversion to and from blocks against other packages: `python -m benchmarks.quantize --help`.

Every round runs each contender once, so that a busy machine slows all of them; a ratio is the median over the
rounds of the peer's time divided by ours in the same round. Times are processor times, to which others on the
machine matter little, except where threads are compared with one thread: those are times by the clock.
"""

from __future__ import annotations

import argparse
import inspect
import operator
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import refmodel as mx
from benchmarks import peers
from refmodel.cli.common import print_table
from refmodel.formats import OCP_FORMATS, get_format

Work = Callable[[], object]

GFLOAT_SHARE = 256
"""gfloat is slow: it gets one part in so many of the array, and its time counts as many times."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to do a piece of work.

    Attributes:
        name: Who.
        work: Does it once; the result is dropped.
        share: It does one part in so many.
        threads: How many threads it uses.
    """

    name: str
    work: Work
    share: int = 1
    threads: int = 1


class _Seconds(NamedTuple):
    """How long a piece of work took by the clock, and how much processor time."""

    clock: float
    processor: float


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quantize", description="Time conversion.")
    parser.add_argument("--size", type=int, default=4096, metavar="N", help="rows and columns (default 4096)")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="rounds (default 7)")
    arguments = parser.parse_args(argv)
    peers.use_one_thread()
    array = np.random.default_rng(1).standard_normal((arguments.size,) * 2, np.float32)
    print(f"[{arguments.size}, {arguments.size}] float32, standard normal, blocks of 32 on the last axis")
    print(", ".join(peers.versions()))
    rows = []
    for name in OCP_FORMATS:
        rows += _rows("quantize", name, quantizers(array, name), array.size, arguments.rounds)
        rows += _rows("dequantize", name, dequantizers(array, name), array.size, arguments.rounds)
        rows += _rows("encode", name, encoders(array, name), array.size, arguments.rounds)
        _say(f"{name} done")
    print_table(("what", "format", "who", "Melem/s", "refmodel is faster by"), rows)
    print()
    print_table(("agreement of quantize", "who", "blocks that differ"), agreement(array))
    print()
    print_table(("peak memory over input and output", "format", "array", "MiB"), memory(arguments.size))


def quantizers(array: NDArray[np.float32], name: str) -> list[Contender]:
    """Return who can quantize to a format, us first."""
    found = [Contender("refmodel", lambda: mx.quantize(array, name))]
    if _has_threads(mx.quantize):
        found.append(Contender("refmodel, 2 threads", lambda: mx.quantize(array, name, threads=2), threads=2))
    ao = peers.torchao_quantizer(array, name)
    if ao is not None:
        found.append(Contender("torchao", ao))
    found.append(Contender("ml_dtypes, composed", lambda: peers.compose_quantize(array, name)))
    some = array[: max(1, len(array) // GFLOAT_SHARE)]
    gfloat = peers.gfloat_quantizer(some, name)
    found.append(Contender("gfloat", gfloat, len(array) // len(some)))
    return found


def dequantizers(array: NDArray[np.float32], name: str) -> list[Contender]:
    """Return who can dequantize a format, us first."""
    blocks = mx.quantize(array, name)
    found = [Contender("refmodel", lambda: mx.dequantize(blocks))]
    if _has_threads(mx.dequantize):
        found.append(Contender("refmodel, 2 threads", lambda: mx.dequantize(blocks, threads=2), threads=2))
    ao = peers.torchao_dequantizer(array, name)
    if ao is not None:
        found.append(Contender("torchao", ao))
    return found


def encoders(array: NDArray[np.float32], name: str) -> list[Contender]:
    """Return who can encode to an element format without scales, us first."""
    element = get_format(name).element
    found = [Contender("refmodel", lambda: mx.encode(element, array))]
    dtype = peers.ml_dtype(name)
    if dtype is not None:
        found.append(Contender("ml_dtypes", lambda: array.astype(dtype)))
    return found


def _has_threads(function: Callable[..., Any]) -> bool:
    return "threads" in inspect.signature(function).parameters


def _rows(
    what: str, name: str, contenders: Sequence[Contender], count: int, rounds: int
) -> list[tuple[str, str, str, int, str]]:
    """Time *contenders* in turn and return their rows of the table."""
    times: list[list[_Seconds]] = [[] for _ in contenders]
    for each in contenders:
        each.work()
    for number in range(rounds):
        for index in _turned(len(contenders), number):
            clock, processor = time.perf_counter(), time.process_time()
            contenders[index].work()
            share = contenders[index].share
            taken = _Seconds((time.perf_counter() - clock) * share, (time.process_time() - processor) * share)
            times[index].append(taken)
    rows = []
    for each, theirs in zip(contenders, times, strict=True):
        kind = operator.attrgetter("processor" if each.threads == 1 else "clock")
        speed = round(count / statistics.median(map(kind, theirs)) / 1e6)
        ratio = statistics.median(kind(a) / kind(b) for a, b in zip(theirs, times[0], strict=True))
        note = f"{ratio:.2f}" if each.threads == 1 else f"(one thread by {1 / ratio:.2f})"
        rows.append((what, name, each.name, speed, "" if each is contenders[0] else note))
    return rows


def _turned(count: int, by: int) -> list[int]:
    """Return 0 to count - 1, starting elsewhere each round."""
    return [(index + by) % count for index in range(count)]


def agreement(array: NDArray[np.float32]) -> list[tuple[str, str, int]]:
    """Return in how many blocks the codes or scale of each peer are not ours."""
    rows = []
    some = array[:256]
    for name in OCP_FORMATS:
        ours = mx.quantize(some, name)
        for who, theirs in (
            ("torchao", peers.torchao_codes(some, name)),
            ("ml_dtypes, composed", peers.compose_quantize(some, name)),
        ):
            if theirs is None:
                continue
            codes, scales = theirs
            differs = (codes.reshape(ours.codes.shape) != ours.codes).any(axis=-1)
            differs |= scales.reshape(ours.scales.shape) != ours.scales
            rows.append((name, who, int(differs.sum())))
    return rows


def memory(size: int) -> list[tuple[str, str, str, str]]:
    """Return the peak of what is allocated beyond the results, as numpy reports it, for a few layouts."""
    array = np.random.default_rng(2).standard_normal((size, size), np.float32)
    wide = np.random.default_rng(3).standard_normal((size, 4 * size), np.float32)
    rows = []
    layouts: list[tuple[str, NDArray[np.float32], int]] = [
        ("contiguous", array, -1),
        ("contiguous, four times as large", wide, -1),
        ("transposed", array.T, -1),
        ("every second column", wide[:, ::2], -1),
        ("blocks on axis 0", array, 0),
    ]
    for name in ("mxfp8_e4m3", "mxint8"):
        for layout, values, axis in layouts:
            blocks = mx.quantize(values, name, axis)
            output = blocks.codes.nbytes + blocks.scales.nbytes

            def quantize(values: NDArray[np.float32] = values, name: str = name, axis: int = axis) -> object:
                return mx.quantize(values, name, axis)

            def dequantize(blocks: mx.Blocks = blocks) -> object:
                return mx.dequantize(blocks)

            for what, work, kept in (
                ("quantize", quantize, output),
                ("dequantize", dequantize, values.size * 4),
            ):
                rows.append((what, name, layout, f"{(_peak(work) - kept) / 2**20:.1f}"))
    return rows


def _peak(work: Work) -> int:
    """Return the largest number of bytes that are allocated while *work* runs."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = work()
        peak = tracemalloc.get_traced_memory()[1] - before
        del kept
        return peak
    finally:
        tracemalloc.stop()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
