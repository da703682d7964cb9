"""Files of results, from wherever they come: hex as `$readmemh` reads it, raw bytes, CSV, NumPy and safetensors.

A word is what a plane of the vector directory has on a line: a row of codes without gaps, code 0 in the least
significant bits. Each file holds every word of its planes, once.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.arrayfiles import StoredArray, open_arrays, printable
from refmodel.errors import DefinitionError, FileError
from refmodel.vectors.forms import read_bytes
from refmodel.vectors.vectorset import PlaneShape, code_type, unpack_words

_INDEX = "index"
_TOKEN = re.compile(rb"//[^\n]*|/\*.*?\*/|/\*|[^\s/]+|/|\n", re.DOTALL)
_ADDRESS = re.compile(r"@[0-9a-f_]+\Z")
_WORD = re.compile(r"(?:0x)?([0-9a-fxz?_]+)\Z")


def read_results(given: Sequence[str], shapes: Mapping[str, PlaneShape]) -> dict[str, NDArray[Any]]:
    """Return the codes [rows, codes in a word] of every plane.

    Args:
        given: Files, each FILE or PLANE=FILE. A file for one plane is needed to be named if there are several;
            ``.csv``, ``.npz`` and ``.safetensors`` may hold all of them by name.
        shapes: The planes.

    Raises:
        DefinitionError: If a plane is given twice or not at all, or there is no such plane.
        FileError: If a file is missing, damaged or of unknown suffix, has too few or too many words, one that is
            not of its width, or an unknown digit; the message names file and line or index.
    """
    found: dict[str, NDArray[Any]] = {}
    for each in given:
        name, path = _split(each, shapes)
        wanted = dict(shapes) if name is None else {name: shapes[name]}
        suffix = Path(path).suffix.lower()
        if suffix not in _READERS:
            raise FileError(f"{printable(path)}: unknown suffix {suffix!r}; known are {', '.join(_READERS)}")
        for plane, codes in _READERS[suffix](path, wanted).items():
            if plane in found:
                raise DefinitionError(f"results {plane!r} are given twice, the second time in {printable(path)}")
            found[plane] = codes
    missing = [name for name in shapes if name not in found]
    if missing:
        raise DefinitionError(f"no results {missing[0]!r}; give them as --results {missing[0]}=FILE")
    return found


def _split(given: str, shapes: Mapping[str, PlaneShape]) -> tuple[str | None, str]:
    name, equals, path = given.partition("=")
    if equals and re.fullmatch(r"\w+", name):
        if name not in shapes:
            raise DefinitionError(f"--results {printable(given)}: the results are {', '.join(shapes)}")
        return name, path
    return None, given


def _only(path: str, wanted: Mapping[str, PlaneShape]) -> tuple[str, PlaneShape]:
    if len(wanted) > 1:
        names = " or ".join(f"--results {name}=FILE" for name in wanted)
        raise DefinitionError(f"{printable(path)} can hold one of the results only; write {names}")
    ((name, shape),) = wanted.items()
    return name, shape


# ---------------------------------------------------------------------------------------------------------
# Text
# ---------------------------------------------------------------------------------------------------------


def _read_hex(path: str, wanted: Mapping[str, PlaneShape]) -> dict[str, NDArray[Any]]:
    """Words between white space and comments of Verilog, ``_`` among the digits, ``@`` before an address."""
    name, shape = _only(path, wanted)
    words = _Words(printable(path), shape)
    place = 0
    for line, token in _tokens(read_bytes(path), printable(path)):
        if token.startswith("@"):
            if not _ADDRESS.match(token):
                raise FileError(f"{printable(path)}: line {line} has '{token[:40]}', which is no address")
            place = int(token[1:], 16)
        else:
            words.put(place, token, f"line {line}")
            place += 1
    return {name: words.codes()}


def _tokens(data: bytes, where: str) -> Iterator[tuple[int, str]]:
    """Yield line number and text of whatever is neither white space nor a comment."""
    line = 1
    for match in _TOKEN.finditer(data):
        token = match.group()
        if token == b"/*":
            raise FileError(f"{where}: line {line} begins a comment that does not end")
        if not token.startswith((b"//", b"/*")) and token != b"\n":
            yield line, token.decode("ascii", "backslashreplace").lower()
        line += token.count(b"\n")


def _read_csv(path: str, wanted: Mapping[str, PlaneShape]) -> dict[str, NDArray[Any]]:
    """A number of a vector, from 0, and words in hex; a first line names the columns if there are several."""
    where = printable(path)
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{where}: not UTF-8 text: {error.reason} at byte {error.start}") from error
    rows = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    names = [_INDEX, *wanted]
    all_words = {name: _Words(where, shape) for name, shape in wanted.items()}
    try:
        for row in rows:
            cells = [cell.strip().lower() for cell in row]
            if not any(cells):
                continue
            line = rows.line_num
            if line == 1 and not cells[0].isdecimal():
                names = _columns(cells, wanted, where)
                continue
            if len(cells) != len(names):
                raise FileError(f"{where}: line {line} has {len(cells)} fields; expected {', '.join(names)}")
            by_name = dict(zip(names, cells, strict=True))
            if not by_name[_INDEX].isdecimal() or len(by_name[_INDEX]) > 18:
                raise FileError(f"{where}: line {line} has index {by_name[_INDEX][:40]!r}; expected a number from 0")
            for name, words in all_words.items():
                words.put(int(by_name[_INDEX]), by_name[name], f"line {line}")
    except csv.Error as error:
        raise FileError(f"{where}: line {rows.line_num}: {error}") from error
    return {name: words.codes() for name, words in all_words.items()}


def _columns(cells: list[str], wanted: Mapping[str, PlaneShape], where: str) -> list[str]:
    needed = [_INDEX, *wanted]
    if sorted(cells) != sorted(needed):
        raise FileError(f"{where}: line 1 names {', '.join(cells)[:80]!r}; expected {', '.join(needed)}")
    return cells


class _Words:
    """Words of a plane that come one by one, each at its place."""

    def __init__(self, where: str, shape: PlaneShape) -> None:
        self._where, self._shape = where, shape
        self._digits = -(-shape.bits // 4)
        self._words: dict[int, str] = {}

    def put(self, place: int, text: str, line: str) -> None:
        match = _WORD.match(text)
        if match is None:
            raise FileError(f"{self._where}: {line} has '{text[:40]}'; expected hex digits")
        digits = match[1].replace("_", "")
        unknown = next((digit for digit in digits if digit in "xz?"), None)
        if unknown is not None:
            raise FileError(f"{self._where}: {line} has '{text[:40]}': digit {unknown!r} is unknown or not driven")
        if len(digits) != self._digits or int(digits, 16) >> self._shape.bits:
            raise FileError(
                f"{self._where}: {line} has '{text[:40]}', {len(digits)} digits; expected words of "
                f"{self._shape.bits} bits in {self._digits} digits"
            )
        if place >= self._shape.rows:
            raise FileError(
                f"{self._where}: {line} is the result of vector {place}, of which there are {self._shape.rows}: "
                "too many results"
            )
        if place in self._words:
            raise FileError(f"{self._where}: {line} is a second result of vector {place}")
        self._words[place] = digits

    def codes(self) -> NDArray[Any]:
        rows = self._shape.rows
        if len(self._words) < rows:
            first = next(place for place in range(rows) if place not in self._words)
            raise FileError(
                f"{self._where}: has {len(self._words)} results of {rows}: too few; the first that is missing is "
                f"that of vector {first}"
            )
        width = 2 * (-(-self._shape.bits // 8))
        data = bytes.fromhex("".join(self._words[place].rjust(width, "0") for place in range(rows)))
        words = np.frombuffer(data, np.uint8).reshape(rows, -1)[:, ::-1]
        return unpack_words(np.ascontiguousarray(words), self._shape.codes, self._shape.code_bits)


# ---------------------------------------------------------------------------------------------------------
# Bytes and arrays
# ---------------------------------------------------------------------------------------------------------


def _read_raw(path: str, wanted: Mapping[str, PlaneShape]) -> dict[str, NDArray[Any]]:
    """Words one after the other, each in whole bytes, the least significant first."""
    name, shape = _only(path, wanted)
    data, size = read_bytes(path), -(-shape.bits // 8)
    if len(data) != shape.rows * size:
        few = "few" if len(data) < shape.rows * size else "many"
        raise FileError(
            f"{printable(path)}: {len(data)} bytes, {len(data) / size:g} words of {size} bytes; expected {shape.rows} "
            f"words: too {few} results"
        )
    words = np.frombuffer(data, np.uint8).reshape(shape.rows, size)
    spare = 8 * size - shape.bits
    if spare and (words[:, -1] >> (8 - spare)).any():
        index = int(np.argmax(words[:, -1] >> (8 - spare) != 0))
        raise FileError(f"{printable(path)}: word {index} does not fit {shape.bits} bits")
    return {name: unpack_words(words, shape.codes, shape.code_bits)}


def _read_arrays(path: str, wanted: Mapping[str, PlaneShape]) -> dict[str, NDArray[Any]]:
    """Arrays by the names of planes; where one is wanted and one is there, whatever its name is."""
    where = printable(os.fspath(path))
    with open_arrays(path) as contents:
        names = list(contents.arrays)
        if len(wanted) == 1 and len(names) == 1:
            sources = dict(zip(wanted, names, strict=True))
        else:
            missing = [name for name in wanted if name not in names]
            if missing:
                raise FileError(f"{where}: holds {', '.join(names)[:80]}; expected an array {missing[0]!r}")
            sources = {name: name for name in wanted}
        return {name: _codes(contents.arrays[sources[name]](), shape, where) for name, shape in wanted.items()}


def _codes(stored: StoredArray, shape: PlaneShape, where: str) -> NDArray[Any]:
    """Return the codes of an array of codes, or of floating-point numbers as wide as a code."""
    allowed = [(shape.rows, shape.codes), *([(shape.rows,)] if shape.codes == 1 else [])]
    if stored.shape not in allowed:
        counts = f"{shape.rows} vectors" + (f" of {shape.codes} codes" if shape.codes > 1 else "")
        raise FileError(f"{where}: array of shape {list(stored.shape)}; expected {counts}, {list(allowed[-1])}")
    if stored.kind not in ("integer", "byte", "float"):
        raise FileError(f"{where}: array of {stored.dtype}; expected codes in unsigned integers, or numbers")
    values = stored.read().reshape(shape.rows, shape.codes)
    dtype = code_type(shape.code_bits)
    if values.dtype.kind == "f":
        if values.dtype.itemsize * 8 != shape.code_bits:
            raise FileError(f"{where}: array of {stored.dtype}; expected codes of {shape.code_bits} bits")
        return np.ascontiguousarray(values).view(dtype)
    outside = (values < 0) | (values >> shape.code_bits > 0)
    if outside.any():
        index = int(np.argmax(outside.any(axis=1)))
        raise FileError(f"{where}: index {index} holds a code that does not fit {shape.code_bits} bits")
    return values.astype(dtype)


_READERS: dict[str, Callable[[str, Mapping[str, PlaneShape]], dict[str, NDArray[Any]]]] = {
    ".hex": _read_hex,
    ".mem": _read_hex,
    ".bin": _read_raw,
    ".csv": _read_csv,
    ".npy": _read_arrays,
    ".npz": _read_arrays,
    ".safetensors": _read_arrays,
}
RESULT_SUFFIXES = tuple(_READERS)
"""Suffixes of the files that `read_results` reads."""
