"""Plays probes through a design and writes down what it answers; nothing is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cocotb
import numpy as np

from cocotb_tests.bench import make_bench


@cocotb.test()
async def answers(dut: Any) -> None:
    """Every item once; the result codes go to the file that the settings name, as an array."""
    bench = make_bench(dut)
    await bench.start()
    found = await bench.collect()
    path = Path(bench.settings.result)
    temporary = path.with_suffix(".new.npy")
    np.save(temporary, np.array([codes["result"][0] for codes in found], np.uint32))
    temporary.rename(path)
