"""What mx_dot_multi does beyond the sets of `make sim`: formats that change within a dot product, garbage above the
codes, and format ids that are none."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from refmodel.blocks import Blocks
from refmodel.dot import dot
from refmodel.formats import get_format

ROOT = Path(__file__).parents[1]
FORMATS = [
    get_format(name)
    for name in ("mxfp8_e5m2", "mxfp8_e4m3", "mxfp6_e3m2", "mxfp6_e2m3", "mxfp4_e2m1", "mxint8")
]  # in the order of the ids of mx_pkg
DOTS = 64
CANONICAL_NAN = np.uint32(0x7FC00000)


def test_formats_may_change_from_block_to_block_and_bits_above_a_code_do_not_count(tmp_path):
    if shutil.which("iverilog") is None:
        pytest.skip("needs iverilog: apt-get install iverilog")
    rng = np.random.default_rng(1)
    lines: list[str] = []
    expected: list[int] = []
    for number in range(DOTS):
        initial = np.float32(rng.normal() * 2.0 ** int(rng.integers(-20, 20)))
        running = np.array([initial])
        length = int(rng.integers(1, 6))
        for i in range(length):
            ids = rng.integers(0, len(FORMATS), 2)
            a, b = (random_block(rng, k) for k in ids)
            if number % 8 == 7 and i == length - 1:
                ids[number // 8 % 2] = 6 + number // 16 % 2
                running = np.array([CANONICAL_NAN]).view(np.float32)
            else:
                running = dot(a, b, "block32_fp32_add", c=running)
            c = int(initial.view(np.uint32)) if i == 0 else int(rng.integers(0, 1 << 32))
            lines.append(line(rng, i == 0, i == length - 1, ids, a, b, c))
        expected.append(int(running.view(np.uint32)[0]))
    assert results_of(lines, tmp_path) == expected


def random_block(rng: np.random.Generator, number: int) -> Blocks:
    """Return one block of random codes, few of them special, under a scale near 1."""
    codes = rng.integers(0, 1 << FORMATS[number].element.bits, (1, 1, 32), np.uint8)
    if number < 2 and rng.random() < 0.9:
        codes &= 0xBF  # no top exponent field: a finite block
    return Blocks(FORMATS[number], codes, rng.integers(117, 137, (1, 1), np.uint8))


def line(
    rng: np.random.Generator, first: bool, last: bool, ids: np.ndarray, a: Blocks, b: Blocks, c: int
) -> str:
    """Return a block as a line of the bench, with garbage above the codes."""
    word = int(first) << 567 | int(last) << 566 | int(ids[0]) << 563 | int(ids[1]) << 560
    word |= int(a.scales[0, 0]) << 552 | int(b.scales[0, 0]) << 544 | c << 512
    for operand, low in ((a, 256), (b, 0)):
        garbage = rng.integers(0, 256, 32) << operand.format.element.bits & 0xFF
        word |= int.from_bytes((operand.codes[0, 0] | garbage).astype(np.uint8).tobytes(), "little") << low
    return f"{word:0142x}"


def results_of(lines: list[str], directory: Path) -> list[int]:
    """Return the results of mx_dot_multi for the blocks."""
    (directory / "blocks.hex").write_text("\n".join(lines) + "\n")
    rtl = ROOT / "rtl"
    sources = [rtl / "mx_pkg.sv", ROOT / "tests" / "multi_bench.sv"]
    subprocess.run(
        ["iverilog", "-g2012", "-s", "multi_bench", "-y", rtl, "-Y", ".sv", "-o", "bench", *sources],
        cwd=directory, check=True, capture_output=True,
    )  # fmt: skip
    output = subprocess.run(
        ["vvp", "bench", f"+count={len(lines)}"], cwd=directory, check=True, capture_output=True, text=True
    ).stdout
    return [int(row.split()[1], 16) for row in output.splitlines() if row.startswith("result")]
