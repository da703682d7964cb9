"""The oracle: MX v1.0 written out a second time, in plain integers and fractions.

It exists to judge the numpy model, the vectors and the RTL, so it is written to be read beside
the specification and shares nothing with the model but the descriptions of formats, options and rules. One
idea a module:

* `exact`    numbers without rounding: a `fractions.Fraction`, the sign of zero, Inf, NaN
* `codes`    element and scale codes <-> exact numbers (MX-5.3, MX-5.4, OFP8-5.1, OFP8-5.2)
* `float32`  exact numbers <-> Float32 bit patterns, and the Float32 sum (MX-4.1-b, MX-4.1-g)
* `blocks`   blocks <-> exact numbers (MX-5.1, MX-6.3)
* `rounding`, `conversion`, `block_conversion`
             the way from numbers to codes and blocks once more, under every option that is open (A-1 to A-23)
* `dots`     dot products of blocks (MX-6.1, MX-6.2) under the two accumulation rules
* `fast`     `quantize_block` and `dot` once more on integers only, for judging millions of blocks;
             tests/test_oracle.py holds them to the readable definitions
* `fixed`    numbers as integers in one tiny unit, and every rounding a rule can name
* `rules`, `groups`
             dot products under any `AccumulationRule`, by the steps of its description
* `packing`  where the bits of a block are in memory, a layout after the other (A-24 to A-26)
* `machines` the dot products of real machines, as their sources tell them; knows no rule, only names

Codes and Float32 results are plain ``int``; nothing here knows the name of any format.
"""

from refmodel.oracle.block_conversion import convert_block, scale_exponent
from refmodel.oracle.blocks import (
    Block,
    dequantize_block,
    dequantize_block_float32,
    quantize_block,
    select_scale,
)
from refmodel.oracle.codes import decode, encode
from refmodel.oracle.conversion import convert, to_bits
from refmodel.oracle.dots import RULES, block_dot, dot
from refmodel.oracle.exact import Number, number, to_float
from refmodel.oracle.float32 import add_float32, from_float32, to_float32

__all__ = [
    "RULES",
    "Block",
    "Number",
    "add_float32",
    "block_dot",
    "convert",
    "convert_block",
    "decode",
    "dequantize_block",
    "dequantize_block_float32",
    "dot",
    "encode",
    "from_float32",
    "number",
    "quantize_block",
    "scale_exponent",
    "select_scale",
    "to_bits",
    "to_float",
    "to_float32",
]
