"""Arrays in and out of a command: files and text, results that are printed or become a file."""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path, PurePath
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from refmodel.arrayfiles import printable, read_npy
from refmodel.blocks import Blocks
from refmodel.cli.common import integer
from refmodel.descriptions import parse_format
from refmodel.encoding import code_dtype
from refmodel.errors import CodeRangeError, DefinitionError, DtypeError, FileError, ShapeError
from refmodel.explain.exact import to_array
from refmodel.explain.source import read_blocks, read_number
from refmodel.formats import NumberFormat
from refmodel.tensors import Content, read_array
from refmodel.writing import ARRAY_SUFFIXES, check_new_file, text_lines, write_array, write_file

STDIN = "-"
MOST_PRINTED = 1 << 16
_MOST_TEXT = 1 << 26  # bytes; text is for people
_NPY_MAGIC = b"\x93NUMPY"
_CODE = re.compile(r"(0x)?([0-9a-f]{1,16})", re.IGNORECASE)

SOURCE_HELP = (
    ".npy, .npz or .safetensors file, after a colon the name of the tensor where the file holds several; "
    ".txt file; or - for text or .npy on standard input"
)
NUMBERS_HELP = (
    "text is rows of decimals, hexadecimal floats such as 0x1.8p-3, inf and nan, all rounded to the type of "
    "--bits, to nearest even; or of its bit patterns such as 0x3f800000"
)
CODES_HELP = (
    "text is rows of codes in hex, with or without 0x; a .hex file, as for $readmemh, is one axis of them, "
    "and // begins a comment"
)


def add_input_bits(parser: argparse.ArgumentParser) -> None:
    """Add the option that `read_numbers` obeys."""
    parser.add_argument(
        "--bits",
        metavar="TYPE",
        help="type that numbers in text are rounded to, or bit patterns in text are of: float16, bfloat16, "
        "float32 or float64 (default float32; bit patterns need it)",
    )


def add_random(parser: argparse.ArgumentParser) -> None:
    """Add the option that `read_random` obeys."""
    parser.add_argument(
        "--random",
        metavar="N|FILE[:NAME]",
        help="random integers of stochastic rounding, below 2**random_bits: one for all, or an integer array "
        "that broadcasts to the input",
    )


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add how many threads share the work."""
    parser.add_argument(
        "--threads", type=integer, default=1, metavar="N", help="threads that share the work (default 1)"
    )


def axis_or_none(text: str) -> int | None:
    """Return the axis that *text* is, None for ``none``."""
    return None if text == "none" else integer(text)


def read_float32(text: str) -> np.float32:
    """Return the Float32 number that *text* is, or whose bits it is.

    Raises:
        DefinitionError, CodeRangeError, ValueRefusedError: As `read_number`.
    """
    return np.float32(to_array([read_number(text, "float32")])[0])


def add_output(parser: argparse.ArgumentParser, suffixes: Iterable[str] = ARRAY_SUFFIXES) -> None:
    """Add the options that `Output` obeys."""
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help=f"file to make, of the form of its suffix: {', '.join(suffixes)} (default: print)",
    )
    parser.add_argument("--force", action="store_true", help="replace FILE if it is there already")


def read_numbers(source: str, bits: str | None) -> NDArray[Any]:
    """Return the floats of a file or of standard input.

    Raises:
        DefinitionError: If the source is no text and *bits* is given; as `read_number`.
        FileError, DtypeError, ShapeError: If the source is not what it should be.
    """
    found = _read(source, "numbers")
    if isinstance(found, str):
        return _rows(found, lambda tokens: to_array([read_number(each, bits) for each in tokens]))
    if bits is not None:
        raise DefinitionError("--bits is the type of numbers in text; an array has its own")
    return found


def read_codes(source: str, fmt: NumberFormat | None = None) -> NDArray[Any]:
    """Return the codes of a file or of standard input; of text, those that fit the format, if one is given.

    Raises:
        CodeRangeError: If a code in text does not fit.
        FileError, DtypeError, ShapeError, DefinitionError: If the source is not what it should be.
    """

    def from_tokens(tokens: list[str]) -> NDArray[Any]:
        codes = []
        for token in tokens:
            if not (matched := _CODE.fullmatch(token)):
                raise DefinitionError(f"{token[:40]!r} is not a code in hex, such as 3f or 0x3f")
            codes.append(int(matched[2], 16))
            if fmt is not None and codes[-1] >> fmt.bits:
                raise CodeRangeError(f"code {token} does not fit the {fmt.bits} bits of {fmt.name}")
        return np.array(codes, np.uint64).astype(np.uint8 if fmt is None else code_dtype(fmt))

    found = _read(source, "codes")
    if not isinstance(found, str):
        return found
    if PurePath(source).suffix.lower() == ".hex":
        return _rows(" ".join(line.partition("//")[0] for line in found.split("\n")), from_tokens)
    return _rows(found, from_tokens)


def read_text_blocks(source: str, format: str) -> Blocks:
    """Return the blocks [n_blocks] of a text, a block SCALE:CODES a line.

    Raises:
        FileError: If the source is no text.
        UnknownNameError, DefinitionError, ShapeError, CodeRangeError: As `read_blocks` of text.
    """
    found = _read(source, "codes")
    if not isinstance(found, str):
        raise FileError(f"{source}: is no text of blocks, SCALE:CODES in hex a line")
    fmt = parse_format(format)
    lines = [line for line in found.split("\n") if line.strip()]
    if not lines:
        raise ShapeError(f"{_shown(source)}: holds no block")
    return read_blocks(fmt, ["".join(line.split()) for line in lines])


def read_random(text: str | None) -> NDArray[Any] | None:
    """Return the random integers that an option of `add_random` names, or None."""
    if text is None:
        return None
    return np.array(int(text)) if re.fullmatch(r"-?[0-9]{1,18}", text) else read_array(text, "codes")


class Output:
    """Where results go: a file, which is written whole or not at all, or standard output.

    Raises:
        FileError: If the file cannot be made; asked before anything is computed.
    """

    def __init__(self, arguments: argparse.Namespace, suffixes: Iterable[str] = ARRAY_SUFFIXES) -> None:
        self._given: str | None = arguments.output
        self._path: Path | None = None
        if self._given is not None:
            self._path = check_new_file(self._given, suffixes, replace=arguments.force)
            self.suffix = PurePath(self._given).suffix.lower()
        elif arguments.force:
            raise DefinitionError("--force replaces the file of --output and needs it")

    def array(
        self, name: str, array: NDArray[Any], bits: int | None = None, *, as_bits: bool = False
    ) -> None:
        """Write or print an array.

        Args:
            name: Its name in files that have names.
            array: Floats, or unsigned integers.
            bits: Width of an integer, that of the dtype when None.
            as_bits: Whether floats are printed as their bits.
        """
        bits = 8 * array.dtype.itemsize if bits is None else bits
        if as_bits and array.dtype.kind == "f":
            array = np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}").reshape(array.shape)
        self.write(
            array.size,
            lambda stream: write_array(stream, self.suffix, name, array, bits),
            lambda: text_lines(array, bits),
        )

    def write(
        self, size: int, write: Callable[[BinaryIO], object], lines: Callable[[], Iterable[str]]
    ) -> None:
        """Let *write* fill the file, or print *lines*, which stand for *size* items."""
        if self._path is not None:
            try:
                write_file(self._path, write)
            except OSError as error:
                raise FileError(f"{self._given}: cannot be written: {error.strerror or error}") from error
            return
        if size > MOST_PRINTED:
            raise DefinitionError(f"{size} items are too many to print; give a file with --output")
        for line in lines():
            print(line)


def _read(source: str, content: Content) -> NDArray[Any] | str:
    """Return an array, or a text that is to be parsed."""
    if source == STDIN:
        data = b"" if sys.stdin is None else sys.stdin.buffer.read()
        if data.startswith(_NPY_MAGIC):
            array = read_npy(io.BytesIO(data), len(data), "standard input")
            if (array.dtype.kind == "f") != (content == "numbers") or array.dtype.kind == "U":
                raise DtypeError(f"standard input: {array.dtype} holds no {content}")
            return array
    elif (suffix := PurePath(source).suffix.lower()) == ".txt" or (suffix == ".hex" and content == "codes"):
        if not Path(source).is_file():
            raise FileError(f"{printable(source)}: not a regular file")
        with open(source, "rb") as stream:
            data = stream.read(_MOST_TEXT + 1)
    else:
        return read_array(source, content)
    if len(data) > _MOST_TEXT:
        raise FileError(f"{_shown(source)}: text of more than {_MOST_TEXT} bytes; give it as .npy")
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as error:
        raise FileError(f"{_shown(source)}: neither .npy nor ASCII text: byte {error.start}") from error


def _rows(text: str, from_tokens: Callable[[list[str]], NDArray[Any]]) -> NDArray[Any]:
    """Return the array of a text: one axis for a single line, rows and columns for several."""
    rows = [tokens for line in text.split("\n") if (tokens := line.split())]
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        first = next(i for i, row in enumerate(rows) if len(row) != len(rows[0]))
        raise ShapeError(
            f"text: row {first + 1} has {len(rows[first])} items and row 1 {len(rows[0])}; rows must be equal"
        )
    if not rows:
        raise ShapeError("text: holds no items; at least one is needed")
    flat = from_tokens([token for row in rows for token in row])
    return flat if len(rows) == 1 else flat.reshape(len(rows), -1)


def _shown(source: str) -> str:
    return "standard input" if source == STDIN else printable(source)
