"""``mxref quantize`` and ``mxref dequantize``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, get_args

from refmodel.blockfiles import BLOCK_SUFFIXES, read_blocks, write_blocks
from refmodel.blocks import Blocks, dequantize, rows_of
from refmodel.cli.arrays import (
    NUMBERS_HELP,
    SOURCE_HELP,
    Output,
    add_input_bits,
    add_output,
    add_random,
    add_threads,
    axis_or_none,
    read_float32,
    read_numbers,
    read_random,
    read_text_blocks,
)
from refmodel.cli.common import add_options, quantize_options
from refmodel.cli.encode import add_dtype
from refmodel.descriptions import parse_format
from refmodel.layouts import list_layouts
from refmodel.options import DequantizeOverflow, QuantizeOptions
from refmodel.packing import SCALE_POSITIONS
from refmodel.quantization import quantize
from refmodel.writing import hex_words

if TYPE_CHECKING:
    from refmodel.cli import Commands

FORMAT_HELP = (
    "block format of `mxref formats`, or a description ELEMENT/SCALE/SIZE, such as e3m4:fn/e8m0/16, with "
    "number formats as in mxref encode --help; SIZE axis is the length of the blocked axis"
)
_SUFFIXES = (*BLOCK_SUFFIXES, ".txt")


def add(commands: Commands) -> None:
    """Add the commands."""
    quantizer = commands.add_parser(
        "quantize",
        help="numbers to blocks",
        description="Convert an array to blocks of codes that share scales. A .npz or .safetensors file of "
        "blocks says itself what it holds; a .txt file, and what is printed, is a block a line, SCALE:CODES "
        "in hex, element 0 first.",
        epilog="examples: mxref quantize mxfp8_e4m3 weights.safetensors:layer0.weight -o blocks.npz "
        "--scale-rule rceil; mxref quantize mxfp4_e2m1 x.npy --profile torchao",
    )
    quantizer.add_argument("format", metavar="FORMAT", help=FORMAT_HELP)
    quantizer.add_argument("input", metavar="FILE[:NAME]", help=f"{SOURCE_HELP}; {NUMBERS_HELP}")
    quantizer.add_argument(
        "--axis",
        type=axis_or_none,
        default=-1,
        metavar="N|none",
        help="axis along which blocks run; none for all of the array in C order (default: the last axis)",
    )
    quantizer.add_argument(
        "--tensor-scale",
        metavar="VALUE",
        help="Float32 scale of the whole array in a format that has one, a number or its bits as 0x3f800000 "
        "(default: from the largest magnitude)",
    )
    add_threads(quantizer)
    add_input_bits(quantizer)
    add_random(quantizer)
    quantizer.add_argument(
        "--layout",
        choices=list_layouts(),
        default="byte",
        help="where the bits of the element codes go in a .npz or .safetensors file (default byte)",
    )
    quantizer.add_argument(
        "--scale-position",
        choices=SCALE_POSITIONS,
        default="apart",
        help="where the scales go in such a file: an array of their own, or in the bytes of each block, "
        "first or last (default apart)",
    )
    add_output(quantizer, _SUFFIXES)
    add_options(quantizer, QuantizeOptions)
    quantizer.set_defaults(run=_quantize)

    dequantizer = commands.add_parser(
        "dequantize",
        help="blocks to numbers",
        description="Return the array that blocks stand for.",
        epilog="examples: mxref dequantize blocks.npz -o values.npy; "
        "echo 7f:38,40 | mxref dequantize - --format mxfp8_e4m3",
    )
    dequantizer.add_argument(
        "input",
        metavar="FILE",
        help=".npz or .safetensors file of mxref quantize; with --format a .txt file, or - for standard "
        "input, of SCALE:CODES in hex, a block a line",
    )
    dequantizer.add_argument("--format", metavar="FORMAT", help="format of blocks in text")
    add_dtype(dequantizer)
    add_threads(dequantizer)
    dequantizer.add_argument(
        "--overflow",
        choices=get_args(DequantizeOverflow),
        default="infinity",
        help="a finite value beyond the range of the type (A-23; default infinity)",
    )
    add_output(dequantizer)
    dequantizer.set_defaults(run=_dequantize)


def _quantize(arguments: argparse.Namespace) -> None:
    output = Output(arguments, _SUFFIXES)
    blocks = _blocks(arguments)

    def write(stream: BinaryIO) -> None:
        if output.suffix == ".txt":
            stream.writelines(f"{line}\n".encode("ascii") for line in _lines(blocks))
        else:
            write_blocks(stream, output.suffix, blocks, arguments.layout, arguments.scale_position)

    output.write(blocks.codes.size, write, lambda: _lines(blocks))


def _blocks(arguments: argparse.Namespace) -> Blocks:
    if "/" not in arguments.format:  # before a large input is read
        parse_format(arguments.format)
    values = read_numbers(arguments.input, arguments.bits)
    fmt = parse_format(arguments.format, max(1, rows_of(values.shape, arguments.axis)[1]))
    scale = arguments.tensor_scale
    return quantize(
        values,
        fmt,
        arguments.axis,
        quantize_options(arguments, fmt),
        random=read_random(arguments.random),
        tensor_scale=None if scale is None else read_float32(scale),
        threads=arguments.threads,
    )


def _lines(blocks: Blocks) -> Iterator[str]:
    """Yield a block a line, as `refmodel.explain.source.read_blocks` takes it."""
    scales = hex_words(blocks.scales, blocks.format.scale.bits)
    rows = blocks.codes.reshape(-1, blocks.format.block_size)
    for scale, codes in zip(scales, rows, strict=True):
        yield f"{scale}:{','.join(hex_words(codes, blocks.format.element.bits))}"


def _dequantize(arguments: argparse.Namespace) -> None:
    output = Output(arguments)
    if arguments.format is None:
        blocks = read_blocks(arguments.input)
    else:
        blocks = read_text_blocks(arguments.input, arguments.format)
    values = dequantize(blocks, arguments.dtype, overflow=arguments.overflow, threads=arguments.threads)
    output.array("values", values, as_bits=arguments.hex)
