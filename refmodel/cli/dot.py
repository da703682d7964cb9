"""``mxref dot``."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate import list_rules
from refmodel.blockfiles import is_block_file, read_blocks
from refmodel.blocks import Blocks
from refmodel.cli.arrays import STDIN, Output, add_output, read_float32, read_numbers
from refmodel.cli.common import add_options, quantize_options
from refmodel.cli.quantize import FORMAT_HELP
from refmodel.descriptions import parse_format
from refmodel.dot import dot, matmul
from refmodel.errors import DefinitionError
from refmodel.options import QuantizeOptions
from refmodel.quantization import quantize
from refmodel.tensors import parse_source, read_array

if TYPE_CHECKING:
    from refmodel.cli import Commands


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "dot",
        help="dot products of blocks",
        description="Compute the dot product of each row of blocks of A with the same row of B, or with "
        "--matmul with every row of B, under an accumulation rule.",
        epilog="examples: mxref dot a.npz b.npz --rule exact_fp32 -o results.npy; "
        "mxref dot x.npy w.safetensors:q.weight --format mxfp8_e4m3 --rule exact_fp32 --matmul --hex",
    )
    for name in ("a", "b"):
        parser.add_argument(
            name,
            metavar=name.upper(),
            help="file of blocks from mxref quantize, or numbers FILE[:NAME] that --format makes blocks of, "
            "along their last axis",
        )
    parser.add_argument(
        "--rule", required=True, help=f"accumulation rule of `mxref rules`, such as {list_rules()[0]}"
    )
    parser.add_argument(
        "--c",
        default="0",
        metavar="VALUE|FILE[:NAME]",
        help="initial value, a Float32: a number, its bits as 0x3f800000, or an array of float32 that "
        "broadcasts to the results (default 0)",
    )
    parser.add_argument("--matmul", action="store_true", help="every row of A with every row of B")
    parser.add_argument("--format", metavar="FORMAT", help=FORMAT_HELP)
    parser.add_argument("--b-format", metavar="FORMAT", help="the same for B (default: that of A)")
    parser.add_argument("--hex", action="store_true", help="print the bits of the results in hex")
    add_output(parser)
    add_options(parser, QuantizeOptions)
    parser.set_defaults(run=_dot)


def _dot(arguments: argparse.Namespace) -> None:
    output = Output(arguments)
    if arguments.a == arguments.b == STDIN:
        raise DefinitionError("A and B cannot both be standard input")
    a = _operand(arguments.a, arguments.format, arguments)
    b = _operand(arguments.b, arguments.b_format or arguments.format, arguments)
    product = matmul if arguments.matmul else dot
    output.array("results", product(a, b, arguments.rule, _initial(arguments.c)), as_bits=arguments.hex)


def _operand(source: str, format: str | None, arguments: argparse.Namespace) -> Blocks:
    path, name = parse_source(source)
    if source != STDIN and name is None and is_block_file(path):
        return read_blocks(path)
    if format is None:
        raise DefinitionError(f"{source}: is no file of blocks; --format says what blocks to make of numbers")
    values = read_numbers(source, None)
    fmt = parse_format(format, max(1, values.shape[-1]) if values.ndim else None)
    return quantize(values, fmt, options=quantize_options(arguments, fmt))


def _initial(text: str) -> NDArray[Any]:
    """Return what --c means, as an array."""
    try:
        return np.asarray(read_float32(text))
    except DefinitionError:
        if not os.path.isfile(parse_source(text)[0]):
            raise
        return read_array(text, "numbers")
