"""mx-refmodel: a bit-exact reference model of the OCP Microscaling (MX) formats.

>>> import numpy as np
>>> import refmodel as mx
>>> blocks = mx.quantize(np.arange(64, dtype=np.float32), "mxfp8_e4m3")
>>> [hex(scale) for scale in blocks.scales]
['0x7b', '0x7c']
>>> mx.dot(blocks, blocks)
array(81844., dtype=float32)
"""

from refmodel.accumulate import AccumulationRule, get_rule, list_rules, list_unverified_rules
from refmodel.blocks import Blocks, dequantize
from refmodel.descriptions import parse_format, parse_number_format
from refmodel.dot import dot, matmul
from refmodel.elements import decode, encode
from refmodel.errors import (
    CodeRangeError,
    DefinitionError,
    DtypeError,
    ExplanationError,
    FileError,
    MissingPackageError,
    ModuleError,
    MxError,
    ShapeError,
    UnknownNameError,
    ValueRefusedError,
)
from refmodel.explain import Explanation, FloatBits, explain_block, explain_dot, explain_element
from refmodel.formats import (
    OCP_FORMATS,
    BlockFormat,
    FloatFormat,
    IntegerFormat,
    get_element,
    get_format,
    get_scale,
    list_formats,
)
from refmodel.layouts import list_layouts
from refmodel.operands import Elements
from refmodel.options import EncodeOptions, QuantizeOptions
from refmodel.packing import (
    block_bitstring,
    pack,
    pack_blocks,
    swizzle_scales,
    unpack,
    unpack_blocks,
    unswizzle_scales,
)
from refmodel.profiles import Profile, get_profile, list_profiles
from refmodel.quantization import quantize

__all__ = [
    "OCP_FORMATS",
    "AccumulationRule",
    "BlockFormat",
    "Blocks",
    "CodeRangeError",
    "DefinitionError",
    "DtypeError",
    "Elements",
    "EncodeOptions",
    "Explanation",
    "ExplanationError",
    "FileError",
    "FloatBits",
    "FloatFormat",
    "IntegerFormat",
    "MissingPackageError",
    "ModuleError",
    "MxError",
    "Profile",
    "QuantizeOptions",
    "ShapeError",
    "UnknownNameError",
    "ValueRefusedError",
    "block_bitstring",
    "decode",
    "dequantize",
    "dot",
    "encode",
    "explain_block",
    "explain_dot",
    "explain_element",
    "get_element",
    "get_format",
    "get_profile",
    "get_rule",
    "get_scale",
    "list_formats",
    "list_layouts",
    "list_profiles",
    "list_rules",
    "list_unverified_rules",
    "matmul",
    "pack",
    "pack_blocks",
    "parse_format",
    "parse_number_format",
    "quantize",
    "swizzle_scales",
    "unpack",
    "unpack_blocks",
    "unswizzle_scales",
]
