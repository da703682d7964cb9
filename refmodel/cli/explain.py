"""``mxref explain element``, ``block`` and ``dot``."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from refmodel.blocks import Blocks, check_axis
from refmodel.cli.arrays import read_float32
from refmodel.cli.common import Parser, add_options, encode_options, integer, integers, quantize_options
from refmodel.descriptions import parse_format, parse_number_format
from refmodel.elements import as_float
from refmodel.errors import DefinitionError, ShapeError
from refmodel.explain import Explanation, FloatBits, explain_block, explain_dot, explain_element
from refmodel.explain.source import read_blocks, read_number
from refmodel.formats import BlockFormat
from refmodel.options import EncodeOptions, QuantizeOptions
from refmodel.quantization import find_tensor_scale
from refmodel.ratio_scales import TensorScale
from refmodel.tensors import read_array
from refmodel.vectors.files import read_dot_vectors

if TYPE_CHECKING:
    from refmodel.cli import Commands

_NUMBER = re.compile(r"-(\d|\.\d|inf|nan).*", re.IGNORECASE)
_VALUE = "decimal, inf, nan, hexadecimal float as 0x1.8p-3, or with --bits a bit pattern as 0x3f800000"


def escape_numbers(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with a space before each negative number of ``mxref explain`` or ``dot``.

    argparse would take -1e-3 or -inf for options; what begins with a space it never does.
    """
    if not arguments or arguments[0] not in ("explain", "dot"):
        return list(arguments)
    return [f" {each}" if _NUMBER.fullmatch(each) else each for each in arguments]


def add(commands: Commands) -> None:
    """Add the command."""
    explain = commands.add_parser(
        "explain",
        help="show one conversion or dot product, stage by stage",
        description="Show how the model computes one element, one block or one dot product: every stage with "
        "its bits, and the clauses and options that decide it.",
    )
    kinds = explain.add_subparsers(title="what to explain", metavar="WHAT", required=True)
    _add_element(kinds)
    _add_block(kinds)
    _add_dot(kinds)


def _add_element(kinds: argparse._SubParsersAction[Parser]) -> None:
    element = kinds.add_parser(
        "element",
        help="a number on its way to a code",
        description="Show how a number becomes a code of an element or scale format.",
        epilog="example: mxref explain element e4m3 464 --overflow overflow",
    )
    element.add_argument("format", metavar="FORMAT", help="element or scale format, such as e4m3 or e8m0")
    element.add_argument("value", metavar="VALUE", help=_VALUE)
    _add_input_format(element)
    element.add_argument(
        "--random", type=integer, metavar="N", help="the random integer of stochastic rounding"
    )
    _add_output(element)
    add_options(element, EncodeOptions)
    element.set_defaults(run=_element)


def _add_block(kinds: argparse._SubParsersAction[Parser]) -> None:
    block = kinds.add_parser(
        "block",
        help="numbers on their way to a block",
        description="Show how numbers become a block: the scale, a row for each element, the packed bytes.",
        epilog="example: mxref explain block mxfp4_e2m1 --input x.npy --index 3,0 --detail 5",
    )
    block.add_argument("format", metavar="FORMAT", help="block format, one of `mxref formats`")
    block.add_argument("values", nargs="*", metavar="VALUE", help=f"up to a block of numbers: {_VALUE}")
    _add_input_format(block)
    block.add_argument("--input", metavar="FILE[:NAME]", help="tensor to take the block from instead")
    block.add_argument(
        "--index",
        type=integers,
        metavar="I,...",
        help="which block of the tensor: its index along every axis, in blocks along the blocked one, which "
        "comes last (default: the first block)",
    )
    block.add_argument(
        "--axis", type=integer, default=-1, help="blocked axis of the tensor (default: the last)"
    )
    block.add_argument(
        "--tensor-scale",
        metavar="VALUE",
        help="Float32 scale of the whole array in a format that has one, a number or its bits as 0x3f800000 "
        "(default: from the largest magnitude of the tensor, or of the values given here)",
    )
    block.add_argument("--random", type=integers, metavar="N,...", help="random integers, one or one a value")
    block.add_argument("--detail", metavar="I,...|all", help="elements to explain in full (default: none)")
    _add_output(block)
    add_options(block, QuantizeOptions)
    block.set_defaults(run=_block)


def _add_dot(kinds: argparse._SubParsersAction[Parser]) -> None:
    dot = kinds.add_parser(
        "dot",
        help="blocks on their way to a dot product",
        description="Show how blocks become a Float32, from operands given here or from a vector directory.",
        epilog="examples: mxref explain dot --a-format mxfp8_e4m3 --a 7f:38,40 --b 80:b8 --rule exact_fp32; "
        "mxref explain dot --vectors build/e4m3 --index 17",
    )
    dot.add_argument("--a-format", metavar="FORMAT", help="block format of A")
    dot.add_argument("--b-format", metavar="FORMAT", help="block format of B (default: that of A)")
    for name in ("a", "b"):
        dot.add_argument(
            f"--{name}",
            action="append",
            metavar="SCALE:CODES",
            help=f"a block of {name.upper()} in hex: codes separated by commas, those left out are 0, or one "
            "word as in a vector file, element 0 in the low bits; give one --a and --b for each block",
        )
    dot.add_argument(
        "--rule", help="accumulation rule, one of `mxref rules` (default: that of the directory)"
    )
    dot.add_argument(
        "--c", metavar="VALUE", help="initial value, a Float32: a number, or its bits as 0x3f800000"
    )
    dot.add_argument("--vectors", metavar="DIR", help="vector directory to take the operands from instead")
    dot.add_argument("--index", type=integer, metavar="N", help="which dot product of the directory, from 0")
    _add_output(dot)
    dot.set_defaults(run=_dot)


def _add_input_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bits",
        metavar="TYPE",
        help="format that values are given in: float16, bfloat16, float32 or float64; a decimal is rounded "
        "to it, to nearest even (default float32)",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument(
        "--width",
        type=integer,
        metavar="COLUMNS",
        help="columns of the text (default: those of the terminal)",
    )


def _print(explanation: Explanation, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print(json.dumps(explanation.to_dict(), indent=2))
        return
    width = shutil.get_terminal_size().columns if arguments.width is None else arguments.width
    print(explanation.to_text(width))


def _element(arguments: argparse.Namespace) -> None:
    value = read_number(arguments.value, arguments.bits)
    fmt = parse_number_format(arguments.format.strip())
    options = encode_options(arguments, fmt)
    _print(explain_element(fmt, value, options, random=arguments.random), arguments)


def _block(arguments: argparse.Namespace) -> None:
    block_format = parse_format(arguments.format)
    if (arguments.input is None) == (not arguments.values):
        raise DefinitionError("give either values or a tensor with --input")
    options = quantize_options(arguments, block_format)
    tensor_scale = None if arguments.tensor_scale is None else read_float32(arguments.tensor_scale)
    values: Any
    if arguments.input is None:
        if arguments.index is not None:
            raise DefinitionError("--index chooses a block of a tensor and needs --input")
        values = [read_number(each, arguments.bits) for each in arguments.values]
    else:
        if arguments.bits is not None:
            raise DefinitionError("--bits is the format of values given here; a tensor has its own")
        tensor = read_array(arguments.input, "numbers")
        values = _tensor_block(
            tensor, arguments.input, arguments.index, arguments.axis, block_format.block_size
        )
        if tensor_scale is None and block_format.tensor_scale is not None:
            tensor_scale = _tensor_scale(tensor, arguments.input, block_format, options)
    detail = arguments.detail
    if detail not in (None, "all"):
        try:
            detail = [int(each) for each in detail.split(",")]
        except ValueError:
            raise DefinitionError(
                f"--detail {detail}: give element numbers separated by commas, or all"
            ) from None
    explanation = explain_block(
        values,
        block_format,
        options,
        random=arguments.random,
        tensor_scale=tensor_scale,
        detail=detail or (),
    )
    _print(explanation, arguments)


def _tensor_scale(
    tensor: NDArray[Any], source: str, fmt: BlockFormat, options: QuantizeOptions
) -> np.float32:
    """Return the tensor scale of a whole tensor.

    Under ``float32_multiply`` the encode scale of a tensor comes first, and 1 / tensor scale, which is what
    follows from a given one, may be its neighbour; that is said.
    """
    found = find_tensor_scale(as_float(tensor, source), fmt, options)
    encode = TensorScale.of(found.decode).encode
    if options.quotient == "float32_multiply" and encode != found.encode:
        what = f"has the encode scale {found.encode!s}; explained is 1 / tensor scale, {encode!s}"
        print(f"mxref: {source} {what}", file=sys.stderr)
    return found.decode


def _tensor_block(
    tensor: NDArray[Any], source: str, index: Sequence[int] | None, axis: int, size: int
) -> NDArray[Any]:
    """Return the numbers of one block of a tensor; fewer than *size* at the end of a row."""
    rows = np.moveaxis(tensor, check_axis(tensor.shape, axis), -1)
    shape = (*rows.shape[:-1], -(-rows.shape[-1] // size))
    position = (0,) * len(shape) if index is None else tuple(index)
    if len(position) != len(shape) or not all(0 <= i < n for i, n in zip(position, shape, strict=True)):
        raise ShapeError(f"{source}: there is no block {list(position)}; its blocks have shape {list(shape)}")
    *row, block = position
    values: NDArray[Any] = rows[tuple(row)][block * size : (block + 1) * size]
    return values


def _dot(arguments: argparse.Namespace) -> None:
    operands = (arguments.a_format, arguments.b_format, arguments.a, arguments.b)
    c = None if arguments.c is None else read_number(arguments.c, "float32")
    if arguments.vectors is not None:
        if any(each is not None for each in operands):
            raise DefinitionError(
                "--vectors gives the operands; leave out --a-format, --b-format, --a and --b"
            )
        _dot_of_vectors(arguments, c)
        return
    if arguments.index is not None:
        raise DefinitionError("--index chooses a dot product of a vector directory and needs --vectors")
    if None in (arguments.a_format, arguments.a, arguments.b, arguments.rule):
        raise DefinitionError("give --a-format, --a, --b and --rule, or a directory with --vectors")
    a = read_blocks(parse_format(arguments.a_format), arguments.a)
    b = read_blocks(parse_format(arguments.b_format or arguments.a_format), arguments.b)
    _print(explain_dot(a, b, arguments.rule, c), arguments)


def _dot_of_vectors(arguments: argparse.Namespace, c: FloatBits | None) -> None:
    vectors = read_dot_vectors(arguments.vectors)
    index = 0 if arguments.index is None else arguments.index
    if not 0 <= index < vectors.dots:
        raise ShapeError(
            f"{arguments.vectors}: there is no dot product {index}; it has {vectors.dots}, from 0"
        )
    blocks = vectors.dot_slice(index)
    if not vectors.scaled:
        raise DefinitionError(f"{arguments.vectors}: elements without block scales are not explained")
    a, b = (Blocks(x.format, x.codes[blocks], x.scales[blocks]) for x in (vectors.a, vectors.b))
    own = None if vectors.c is None else FloatBits("float32", int(vectors.c[index]))
    explanation = explain_dot(a, b, arguments.rule or vectors.rule, own if c is None else c)
    _print(explanation, arguments)
    stored = f"0x{int(vectors.results[index]):08x}"
    if arguments.rule in (None, vectors.rule.name) and c is None and stored != explanation.result:
        print(f"mxref: {arguments.vectors} has the result {stored}", file=sys.stderr)
