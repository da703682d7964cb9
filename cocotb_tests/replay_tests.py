"""Replay of one vector of a set, alone after a reset."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from cocotb_tests.bench import make_bench
from cocotb_tests.patterns import FULL_RATE

TESTS = 1
"""Number of tests in this module; a run with fewer has failed."""


@cocotb.test()
async def one_vector(dut: Any) -> None:
    """The chosen vector."""
    bench = make_bench(dut)
    await bench.start()
    await bench.play(np.array([bench.settings.vector]), FULL_RATE)
    bench.finish()
