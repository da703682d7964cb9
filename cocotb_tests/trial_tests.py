"""Plays a sample of the vectors once, to see whether another description of the design would make sense of it."""

from __future__ import annotations

from typing import Any

import cocotb

from cocotb_tests.bench import make_bench
from cocotb_tests.patterns import FULL_RATE

TESTS = 1
"""Number of tests in this module."""

SAMPLE = 64
"""Vectors that are played."""


@cocotb.test()
async def sample(dut: Any) -> None:
    """An even sample of all classes."""
    bench = make_bench(dut)
    await bench.start()
    await bench.play(bench.sample("trial", bench.stimulus.items, SAMPLE), FULL_RATE)
    bench.finish()
