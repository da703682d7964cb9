"""The operations of the bench: for each, vector sets that know their port planes and explain a wrong result.

* `base`         what the bench asks of vector sets
* `dots`         dot, dot_general, and both with formats mixed at run time
* `tiles`        matmul_tile
* `conversions`  quantize and dequantize
"""

from __future__ import annotations

from cocotb_tests.operations.base import Family
from cocotb_tests.operations.conversions import DEQUANTIZE, QUANTIZE
from cocotb_tests.operations.dots import DOT, DOT_GENERAL
from cocotb_tests.operations.tiles import MATMUL_TILE

FAMILIES: dict[str, Family] = {
    "dot": DOT,
    "dot_general": DOT_GENERAL,
    "matmul_tile": MATMUL_TILE,
    "quantize": QUANTIZE,
    "dequantize": DEQUANTIZE,
}
"""By operation, the vector sets of the bench for it."""
