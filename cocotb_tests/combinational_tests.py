"""Tests of designs without a clock: every vector, and a sample in another order."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from cocotb_tests.bench import CombinationalBench
from cocotb_tests.patterns import FULL_RATE, Scenario

TESTS = 2
"""Number of tests in this module; a run with fewer has failed."""

_SHARE, _LEAST = 10, 32
_BACKWARD = Scenario("backward", FULL_RATE.offer, FULL_RATE.take)


@cocotb.test()
async def every_vector(dut: Any) -> None:
    """Every vector, one after the other."""
    bench = CombinationalBench(dut)
    await bench.start()
    await bench.play(np.arange(bench.stimulus.items), FULL_RATE)
    bench.finish()


@cocotb.test()
async def backward(dut: Any) -> None:
    """A sample in the opposite order: a design that remembers nothing gives the same results."""
    bench = CombinationalBench(dut)
    await bench.start()
    await bench.play(bench.sample("backward", _SHARE, _LEAST)[::-1].copy(), _BACKWARD)
    bench.finish()
