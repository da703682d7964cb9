"""Time dot and matrix products under accumulation rules: `python -m benchmarks.dot --help`.

Matrix products under the rules of exact block sums are compared with numpy's Float32 matrix product of the
same size, the rule of Hopper with `chain_gemm` of mmaemu, and it and that of Blackwell with mmasim, where those are
installed (pip install mmaemu==0.1.0 mmasim==2.1.1). Contenders take turns, a ratio is the median over the rounds of two
times of the same round, and times are processor times of one thread.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import refmodel as mx
from refmodel.blocks import Blocks
from refmodel.cli.common import print_table
from refmodel.formats import OCP_FORMATS
from refmodel.operands import Elements, Operand

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


@dataclass(frozen=True, slots=True)
class Contender:
    """Somebody's work: who, how many blocks of 32 it adds up, and the work."""

    who: str
    blocks: int
    work: Work


def machine_rows(rounds: int) -> list[tuple[str, str, str, str, str]]:
    """Time rules of machines, and who else can follow them."""
    rng = np.random.default_rng(2)
    rows = []
    draws: dict[str, Callable[[int, int, np.random.Generator], Operand]] = {
        "nv_hopper_fp8_fast": random_elements,
        "nv_mxf8f6f4": partial(random_blocks, "mxfp8_e4m3"),
    }
    for rule, draw in draws.items():
        a, b = (draw(1 << 15, 128, rng) for _ in "ab")
        p, q = (draw(256, 1024, rng) for _ in "ab")
        ours = {
            "dot": Contender("refmodel", (1 << 15) * 4, partial(mx.dot, a, b, rule)),
            "matmul": Contender("refmodel", 256 * 256 * 32, partial(mx.matmul, p, q, rule)),
        }
        others = [chain_gemm(p, q)] if isinstance(p, Elements) and isinstance(q, Elements) else []
        others.append(mmasim_instruction(p, q))
        contenders = [*ours.values(), *filter(None, others)]
        times = _times([each.work for each in contenders], rounds)
        seconds = [[t / each.blocks for t in own] for each, own in zip(contenders, times, strict=True)]
        for number, (each, own) in enumerate(zip(contenders, seconds, strict=True)):
            what = list(ours)[number] if number < len(ours) else "matmul"
            faster = f"{_ratio(own, seconds[1]):.1f}" if number >= len(ours) else ""
            rows.append((rule, what, each.who, f"{1e-6 / statistics.median(own):.2f}", faster))
    return rows


def chain_gemm(a: Elements, b: Elements) -> Contender | None:
    """Return mmaemu's product of the same codes under its model of the H100; None if it is not installed."""
    try:
        torch, chain = importlib.import_module("torch"), importlib.import_module("mmaemu.model.chain")
    except ImportError:
        return None
    torch.set_num_threads(1)
    x, y = torch.from_numpy(a.codes), torch.from_numpy(b.codes)
    blocks = a.codes.shape[0] * b.codes.shape[0] * a.codes.shape[1] // 32
    work = partial(chain.chain_gemm, x, y, fmt_a="e4m3", fmt_b="e4m3", preset="hopper")
    return Contender("mmaemu chain_gemm", blocks, work)


def mmasim_instruction(a: Operand, b: Operand) -> Contender | None:
    """Return mmasim's widest instruction for the rule, on the first codes of *a* and *b*; None if not installed."""
    try:
        torch, nv = importlib.import_module("torch"), importlib.import_module("mmasim.nv_ptx")
    except ImportError:
        return None
    torch.set_num_threads(1)

    def tensor(codes: NDArray[np.uint8], kind: str) -> Any:
        return torch.from_numpy(np.ascontiguousarray(codes)).view(getattr(torch, kind))

    if isinstance(a, Blocks) and isinstance(b, Blocks):
        name = "m128n256k32.kind::mxf8f6f4.block32.f32.e4m3.e4m3.ue8m0"
        unit, m = nv.TCGen05MMABlockScale("Blackwell", name), 128
        codes = a.codes[:m, 0], b.codes[:, 0].T
        scales = tuple(tensor(s, "float8_e8m0fnu") for s in (a.scales[:m, :1], b.scales[:, :1].T))
    else:
        unit, m, scales = nv.WGMMA("Hopper", "m64n256k32.f32.e4m3.e4m3"), 64, ()
        codes = a.codes[:m, :32], b.codes[:, :32].T
    x, y = (tensor(each, "float8_e4m3fn") for each in codes)
    return Contender("mmasim", m * 256, partial(unit, x, y, torch.zeros(m, 256), *scales))


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


if __name__ == "__main__":
    main()
