"""``mxref encode`` and ``mxref decode``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from refmodel.cli.arrays import (
    CODES_HELP,
    NUMBERS_HELP,
    SOURCE_HELP,
    Output,
    add_input_bits,
    add_output,
    add_random,
    read_codes,
    read_numbers,
    read_random,
)
from refmodel.cli.common import add_options, encode_options
from refmodel.descriptions import parse_number_format
from refmodel.elements import as_codes, decode, encode
from refmodel.encoding import code_dtype
from refmodel.errors import ShapeError
from refmodel.formats import NumberFormat
from refmodel.layouts import list_layouts
from refmodel.options import EncodeOptions
from refmodel.packing import pack, unpack

if TYPE_CHECKING:
    from refmodel.cli import Commands

# Numbers worked on at a time, so that no temporary is as large as the array.
_CHUNK = 1 << 20

FORMAT_HELP = (
    "element or scale format of `mxref formats`, or a description: eXmY:none, :fn or :ieee, then :bias=N, "
    ":unsigned; intN, then :fraction=N"
)


def add(commands: Commands) -> None:
    """Add the commands."""
    encoder = commands.add_parser(
        "encode",
        help="numbers to codes",
        description="Round numbers to the codes of an element or scale format, one code an item.",
        epilog="examples: mxref encode e4m3 x.npy -o codes.npy; echo 1.5 nan 0x1p-3 | mxref encode e2m1 -",
    )
    encoder.add_argument("format", metavar="FORMAT", help=FORMAT_HELP)
    encoder.add_argument("input", metavar="FILE[:NAME]", help=f"{SOURCE_HELP}; {NUMBERS_HELP}")
    add_input_bits(encoder)
    add_random(encoder)
    _add_layout(encoder, "pack the codes along the last axis into bytes in this layout")
    add_output(encoder)
    add_options(encoder, EncodeOptions)
    encoder.set_defaults(run=_encode)

    decoder = commands.add_parser(
        "decode",
        help="codes to numbers",
        description="Return the numbers that codes of an element or scale format stand for.",
        epilog="examples: mxref decode e4m3 codes.npy -o values.npy; echo 3f 0x80 | mxref decode e4m3 -",
    )
    decoder.add_argument("format", metavar="FORMAT", help=FORMAT_HELP)
    decoder.add_argument("input", metavar="FILE[:NAME]", help=f"{SOURCE_HELP}; {CODES_HELP}")
    add_dtype(decoder)
    _add_layout(decoder, "the input is bytes, with codes packed along the last axis in this layout")
    add_output(decoder)
    decoder.set_defaults(run=_decode)


def add_dtype(parser: argparse.ArgumentParser) -> None:
    """Add what is said of the floats that come out."""
    parser.add_argument(
        "--dtype",
        choices=("float16", "float32", "float64"),
        default="float32",
        help="type of the numbers; those that it does not hold are rounded to nearest even (default float32)",
    )
    parser.add_argument("--hex", action="store_true", help="print the bits of the numbers in hex")


def _add_layout(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--layout", choices=list_layouts(), help=f"{text} (default: a code an item)")


def _encode(arguments: argparse.Namespace) -> None:
    output = Output(arguments)
    fmt = parse_number_format(arguments.format)
    options = encode_options(arguments, fmt)
    values = read_numbers(arguments.input, arguments.bits)
    codes = _encode_all(fmt, values, options, read_random(arguments.random))
    if arguments.layout is None:
        output.array("codes", codes, fmt.bits)
    else:
        output.array("codes", pack(codes, fmt, arguments.layout))


def _encode_all(
    fmt: NumberFormat, values: NDArray[Any], options: EncodeOptions, random: NDArray[Any] | None
) -> NDArray[Any]:
    """Encode an array of any size in the order it lies in memory."""
    order: Literal["C", "F"] = "F" if values.flags.f_contiguous and not values.flags.c_contiguous else "C"
    if random is not None and random.ndim:
        try:
            random = np.broadcast_to(random, values.shape).ravel(order)
        except ValueError:
            raise ShapeError(
                f"random has shape {random.shape}; it must broadcast to {values.shape}"
            ) from None
    codes = np.empty(values.shape, code_dtype(fmt), order)
    flat, out = values.ravel(order), codes.ravel(order)
    for start in range(0, max(1, values.size), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        drawn = random if random is None or not random.ndim else random[chunk]
        out[chunk] = encode(fmt, flat[chunk], options=options, random=drawn)
    return codes


def _decode(arguments: argparse.Namespace) -> None:
    output = Output(arguments)
    fmt = parse_number_format(arguments.format)
    if arguments.layout is None:
        codes = as_codes(fmt, read_codes(arguments.input, fmt))
    else:
        codes = unpack(read_codes(arguments.input), fmt, arguments.layout)
    values = np.empty(codes.shape, arguments.dtype)
    flat, out = codes.reshape(-1), values.reshape(-1)
    with np.errstate(over="ignore"):
        for start in range(0, codes.size, _CHUNK):
            chunk = slice(start, start + _CHUNK)
            out[chunk] = decode(fmt, flat[chunk])
    output.array("values", values, as_bits=arguments.hex)
