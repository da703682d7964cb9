"""Time dot and matrix products under accumulation rules: `python -m benchmarks.dot --help`.

Matrix products under the rules of exact block sums are compared with numpy's Float32 matrix product of the
same size, the rule of Hopper with `chain_gemm` of mmaemu where that is installed. Contenders take turns, a
ratio is the median over the rounds of two times of the same round, and times are processor times.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import time
import tracemalloc
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

import refmodel as mx
from refmodel.cli.common import print_table
from refmodel.formats import OCP_FORMATS
from refmodel.operands import Elements

Work = Callable[[], object]

SCALES = (110, 140)
"""Range of the scale codes of benchmark blocks: 30 exponents, more than quantized data has."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dot", description="Time dot products.")
    parser.add_argument("--size", type=int, default=1024, metavar="N", help="M, N and K (default 1024)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds (default 5)")
    arguments = parser.parse_args(argv)
    size, rounds = arguments.size, arguments.rounds
    print(f"matmul of [{size}, {size}] blocks, random codes, scale codes {SCALES[0]} to {SCALES[1]}")
    print_table(
        ("elements", "numpy ms", "block32 ms", "over numpy", "exact ms", "over block32"),
        exact_rows(size, rounds),
    )
    print()
    print_table(("rule", "what", "who", "M blocks of 32/s", "ours is faster by"), machine_rows(rounds))
    print()
    print_table(("peak memory over result", "rule", "MiB"), memory_rows(size))


def random_blocks(name: str, rows: int, length: int, rng: np.random.Generator) -> mx.Blocks:
    """Return blocks [rows, length / 32] of finite random elements."""
    element = mx.get_format(name).element
    magnitudes = rng.integers(0, element.max_code + 1, (rows, length // 32, 32))
    signs = rng.integers(0, 2, magnitudes.shape) << (element.bits - 1)
    return mx.Blocks(name, magnitudes | signs, rng.integers(*SCALES, magnitudes.shape[:2]))


def random_elements(rows: int, length: int, rng: np.random.Generator) -> Elements:
    """Return finite E4M3 elements [rows, length]."""
    codes = rng.integers(0, 0x7F, (rows, length)) | rng.integers(0, 2, (rows, length)) << 7
    return Elements("e4m3", codes)


def exact_rows(size: int, rounds: int) -> list[tuple[str, int, int, str, int, str]]:
    """Time the rules of exact block sums, and numpy, format by format."""
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, size, size), np.float32)
    rows = []
    for name in OCP_FORMATS:
        a, b = (random_blocks(name, size, size, rng) for _ in "ab")
        works: list[Work] = [
            partial(np.matmul, x, y),
            partial(mx.matmul, a, b, "block32_fp32_add"),
            partial(mx.matmul, a, b, "exact_fp32"),
        ]
        plain, block, exact = _times(works, rounds)
        rows.append(
            (
                name,
                _ms(plain),
                _ms(block),
                f"{_ratio(block, plain):.1f}",
                _ms(exact),
                f"{_ratio(exact, block):.2f}",
            )
        )
    return rows


def machine_rows(rounds: int) -> list[tuple[str, str, str, str, str]]:
    """Time rules of machines, and who else can follow them."""
    rng = np.random.default_rng(2)
    rows = []
    hopper, blackwell = "nv_hopper_fp8_fast", "nv_mxf8f6f4"
    for rule, draw in ((hopper, random_elements), (blackwell, partial(random_blocks, "mxfp8_e4m3"))):
        a, b = (draw(1 << 15, 128, rng) for _ in "ab")
        (taken,) = _times([partial(mx.dot, a, b, rule)], rounds)
        rows.append((rule, "dot", "refmodel", _speed((1 << 15) * 4, taken), ""))
        p, q = (draw(256, 1024, rng) for _ in "ab")
        works: list[Work] = [partial(mx.matmul, p, q, rule)]
        if isinstance(p, Elements) and isinstance(q, Elements):
            works += filter(None, [chain_gemm(p, q)])
        times = _times(works, rounds)
        for who, taken in zip(("refmodel", "mmaemu"), times, strict=False):
            faster = "" if taken is times[0] else f"{_ratio(taken, times[0]):.1f}"
            rows.append((rule, "matmul", who, _speed(256 * 256 * 32, taken), faster))
    return rows


def chain_gemm(a: Elements, b: Elements) -> Work | None:
    """Return mmaemu's product of the same codes under its model of the H100; None if it is not installed."""
    try:
        torch, chain = importlib.import_module("torch"), importlib.import_module("mmaemu.model.chain")
    except ImportError:
        return None
    torch.set_num_threads(1)
    x, y = torch.from_numpy(a.codes), torch.from_numpy(b.codes)
    return lambda: chain.chain_gemm(x, y, fmt_a="e4m3", fmt_b="e4m3", preset="hopper")


def memory_rows(size: int) -> list[tuple[str, str, str]]:
    """Return the peak of what a matrix product allocates beyond its result."""
    rng = np.random.default_rng(3)
    a, b = (random_blocks("mxfp8_e4m3", size, size, rng) for _ in "ab")
    rows = []
    for rule in ("block32_fp32_add", "exact_fp32", "nv_mxf8f6f4", "seq_fma_fp32"):
        mx.matmul(a, b, rule)
        tracemalloc.start()
        mx.matmul(a, b, rule)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        rows.append((f"matmul {size}", rule, f"{(peak - 4 * size * size) / 2**20:.1f}"))
    return rows


def _times(works: Sequence[Work], rounds: int) -> list[list[float]]:
    """Return the processor seconds of each piece of work, round by round."""
    times: list[list[float]] = [[] for _ in works]
    for work in works:
        work()
    for number in range(rounds):
        for index in [(i + number) % len(works) for i in range(len(works))]:
            start = time.process_time()
            works[index]()
            times[index].append(time.process_time() - start)
    return times


def _ms(times: Sequence[float]) -> int:
    return round(statistics.median(times) * 1e3)


def _ratio(times: Sequence[float], base: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(times, base, strict=True))


def _speed(blocks: int, times: Sequence[float]) -> str:
    return f"{blocks / statistics.median(times) / 1e6:.2f}"


if __name__ == "__main__":
    main()
