"""The forms in which a vector directory holds its planes; any of them alone is the whole set.

* ``hex``    NAME.hex for each plane, as `$readmemh` reads it: a word a line in lower-case digits
* ``bin``    NAME.bin for each plane: words of ceil(bits / 8) bytes, little-endian, one after the other
* ``npz``    vectors.npz: an array [rows, codes] of unsigned integers for each plane
* ``jsonl``  vectors.jsonl: an object for each vector, with codes as numbers
* ``csv``    vectors.csv: a line for each row of the inputs, with words as hex digits

Written piece by piece, so that a set needs the memory of a piece only.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from refmodel.arrayfiles import printable
from refmodel.errors import FileError
from refmodel.vectors.vectorset import PlaneShape, VectorSet, code_type, is_by_step, unpack_words

Planes = Mapping[str, PlaneShape]
Codes = dict[str, NDArray[Any]]

_CHUNK_ROWS = 1 << 15


class Form(ABC):
    """One form: names its files, makes their writers and reads them."""

    name: ClassVar[str]

    @abstractmethod
    def files(self, planes: Planes) -> list[str]:
        """Return the names of the files of a set with these planes."""

    @abstractmethod
    def writer(self, directory: Path) -> Writer:
        """Return what writes the files into *directory*."""

    @abstractmethod
    def read(self, contents: Contents) -> Codes:
        """Return the codes of every plane.

        Raises:
            FileError: If a file is not of the form; the message names file and line.
        """


class Contents:
    """The files of a form in a directory, and what the manifest says of them.

    Attributes:
        planes: Shapes of the planes by name.
    """

    def __init__(self, directory: Path, form: str, planes: Planes, digests: Mapping[str, str]) -> None:
        self.planes = planes
        self._directory, self._form, self._digests = directory, form, digests

    def path(self, file: str) -> Path:
        """Return the path of a file."""
        return self._directory / file

    def read(self, file: str) -> bytes:
        """Return the bytes of a file."""
        return read_bytes(self.path(file))

    def check_digest(self, file: str, data: bytes) -> None:
        """Raise unless *data* are what was written."""
        digest = hashlib.sha256(data).hexdigest()
        if digest != self._digests[file]:
            raise FileError(
                f"{self.path(file)}: SHA-256 is {digest}, but manifest.json field forms.{self._form}.{file} says "
                f"{self._digests[file]}; the file was changed after it was written, make the vectors again"
            )


class Writer(ABC):
    """Writes the pieces of a set into the files of a form."""

    @abstractmethod
    def append(self, part: VectorSet) -> None:
        """Write a piece."""

    @abstractmethod
    def finish(self) -> dict[str, str]:
        """Complete the files; return the SHA-256 of each by name."""

    @abstractmethod
    def close(self) -> None:
        """Close what is open, whatever happened."""


class _File:
    """A new file and the digest of what is written into it."""

    def __init__(self, path: Path) -> None:
        self._stream, self._digest = open(path, "xb"), hashlib.sha256()  # noqa: SIM115

    def write(self, data: bytes | memoryview) -> None:
        self._digest.update(data)
        self._stream.write(data)

    def finish(self) -> str:
        self.close()
        return self._digest.hexdigest()

    def close(self) -> None:
        self._stream.close()


class LineFile:
    """A new file of lines.

    Attributes:
        lines: How many there are so far.
    """

    def __init__(self, path: Path) -> None:
        self._file, self.lines = _File(path), 0

    def write(self, lines: Iterable[str]) -> None:
        """Append lines, each with its newline."""
        for line in lines:
            self._file.write(line.encode("ascii"))
            self.lines += 1

    def finish(self) -> str:
        """Complete the file and return its SHA-256."""
        return self._file.finish()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


# A file a plane


class _PlaneFiles(Form):
    """A file for each plane."""

    def files(self, planes: Planes) -> list[str]:
        return [f"{plane}.{self.name}" for plane in planes]

    def writer(self, directory: Path) -> Writer:
        return _PlaneWriter(directory, self.name, self.encode)

    def read(self, contents: Contents) -> Codes:
        return {
            name: unpack_words(self.decode(contents, f"{name}.{self.name}", shape), shape.codes, shape.code_bits)
            for name, shape in contents.planes.items()
        }

    @abstractmethod
    def encode(self, words: NDArray[np.uint8], bits: int) -> bytes | memoryview:
        """Return little-endian words [N, bytes] of so many bits as the bytes of a file."""

    @abstractmethod
    def decode(self, contents: Contents, file: str, shape: PlaneShape) -> NDArray[np.uint8]:
        """Return the words of a file, little-endian bytes [rows, bytes]."""


class _PlaneWriter(Writer):
    def __init__(
        self, directory: Path, suffix: str, encode: Callable[[NDArray[np.uint8], int], bytes | memoryview]
    ) -> None:
        self._directory, self._suffix, self._encode = directory, suffix, encode
        self._files: dict[str, _File] = {}

    def append(self, part: VectorSet) -> None:
        for plane in part.planes():
            file = f"{plane.name}.{self._suffix}"
            if file not in self._files:
                self._files[file] = _File(self._directory / file)
            for start in range(0, len(plane.codes), _CHUNK_ROWS):
                self._files[file].write(self._encode(plane.words(slice(start, start + _CHUNK_ROWS)), plane.bits))

    def finish(self) -> dict[str, str]:
        return {name: file.finish() for name, file in self._files.items()}

    def close(self) -> None:
        for file in self._files.values():
            file.close()


class _Hex(_PlaneFiles):
    name = "hex"

    def encode(self, words: NDArray[np.uint8], bits: int) -> bytes:
        return hex_lines(words, -(-bits // 4))

    def decode(self, contents: Contents, file: str, shape: PlaneShape) -> NDArray[np.uint8]:
        path, data = contents.path(file), contents.read(file)
        digits = -(-shape.bits // 4)
        if len(data) != shape.rows * (digits + 1):
            raise _wrong_size(path, data, digits, shape.rows)
        lines = np.frombuffer(data, np.uint8).reshape(shape.rows, digits + 1)
        values = _DIGIT_VALUES[lines[:, :digits]]
        # The top digit of a word whose width is no multiple of four has fewer values.
        top_limit = 1 << (shape.bits - 4 * (digits - 1))
        bad = (lines[:, digits] != ord("\n")) | (values == 255).any(axis=1) | (values[:, 0] >= top_limit)
        if bad.any():
            row = int(np.argmax(bad))
            raise FileError(
                f"{path}: line {row + 1} is {_quote(lines[row].tobytes())}; expected a {shape.bits}-bit word in "
                f"{digits} lower-case hex digits and a newline"
            )
        contents.check_digest(file, data)
        nibbles = np.zeros((shape.rows, digits + digits % 2), np.uint8)
        nibbles[:, :digits] = values[:, ::-1]
        words: NDArray[np.uint8] = nibbles[:, 0::2] | nibbles[:, 1::2] << np.uint8(4)
        return words


class _Binary(_PlaneFiles):
    name = "bin"

    def encode(self, words: NDArray[np.uint8], bits: int) -> memoryview:
        return np.ascontiguousarray(words).data.cast("B")

    def decode(self, contents: Contents, file: str, shape: PlaneShape) -> NDArray[np.uint8]:
        path, data = contents.path(file), contents.read(file)
        size = -(-shape.bits // 8)
        if len(data) != shape.rows * size:
            raise FileError(
                f"{path}: has {len(data)} bytes; {shape.rows} words of {size} bytes are {shape.rows * size}"
            )
        words = np.frombuffer(data, np.uint8).reshape(shape.rows, size)
        if shape.bits % 8 and (bad := words[:, -1] >> np.uint8(shape.bits % 8)).any():
            row = int(np.argmax(bad))
            raise FileError(
                f"{path}: word {row + 1} is {words[row, ::-1].tobytes().hex()}; expected a {shape.bits}-bit word"
            )
        contents.check_digest(file, data)
        return words


def hex_lines(words: NDArray[np.uint8], digits: int) -> bytes:
    """Return little-endian words [N, bytes] as N lines of so many hex digits."""
    text = np.frombuffer(words[:, ::-1].tobytes().hex().encode(), np.uint8).reshape(len(words), -1)
    lines = np.full((len(words), digits + 1), ord("\n"), np.uint8)
    lines[:, :digits] = text[:, text.shape[1] - digits :]
    return lines.tobytes()


# Value of each hex digit that a plane may hold, 255 for every other byte.
_DIGIT_VALUES = np.full(256, 255, np.uint8)
_DIGIT_VALUES[list(b"0123456789abcdef")] = range(16)


def _wrong_size(path: Path, data: bytes, digits: int, rows: int) -> FileError:
    """Return the error for a plane that is not *rows* lines of *digits* digits; it names the first bad."""
    lines = data.split(b"\n")
    complete = len(lines) - 1
    for number, line in enumerate(lines[: min(rows, complete)], start=1):
        if len(line) != digits:
            return FileError(f"{path}: line {number} is {_quote(line)}, {len(line)} characters; expected {digits}")
    if complete < rows:
        where = f"in the middle of line {complete + 1}" if lines[-1] else f"after line {complete}"
        return FileError(f"{path}: ends {where}; manifest.json says {rows} rows")
    return FileError(f"{path}: line {rows + 1} is one too many; manifest.json says {rows} rows")


# One file


class _Npz(Form):
    name = "npz"

    def files(self, planes: Planes) -> list[str]:
        return ["vectors.npz"]

    def writer(self, directory: Path) -> Writer:
        return _NpzWriter(directory)

    def read(self, contents: Contents) -> Codes:
        path, data = contents.path("vectors.npz"), contents.read("vectors.npz")
        contents.check_digest("vectors.npz", data)
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                codes = {name: arrays[name] for name in arrays.files}
        except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise FileError(f"{path}: not an .npz file of arrays: {error}") from error
        if list(codes) != list(contents.planes):
            raise FileError(f"{path}: holds {', '.join(codes)}; expected {', '.join(contents.planes)}")
        for name, shape in contents.planes.items():
            found, dtype = codes[name], code_type(shape.code_bits)
            if found.shape != (shape.rows, shape.codes) or found.dtype != dtype:
                raise FileError(
                    f"{path}: {name} is {found.dtype.name} {list(found.shape)}; expected {dtype.name} "
                    f"[{shape.rows}, {shape.codes}]"
                )
            _check_codes(str(path), name, found, shape)
        return codes


class _NpzWriter(Writer):
    """Planes wait in files of their own until the number of rows is known, with which an array begins."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._waiting: dict[str, IO[bytes]] = {}
        self._shapes: dict[str, PlaneShape] = {}

    def append(self, part: VectorSet) -> None:
        for plane in part.planes():
            name, shape = plane.name, plane.shape
            if name not in self._waiting:
                self._waiting[name] = open(self._directory / f"{name}.part", "x+b")  # noqa: SIM115
                self._shapes[name] = replace(shape, rows=0)
            self._shapes[name] = replace(shape, rows=self._shapes[name].rows + shape.rows)
            self._waiting[name].write(np.ascontiguousarray(plane.codes, code_type(shape.code_bits)).data.cast("B"))

    def finish(self) -> dict[str, str]:
        path = self._directory / "vectors.npz"
        with zipfile.ZipFile(path, "x") as archive:
            for name, stream in self._waiting.items():
                shape = self._shapes[name]
                member = zipfile.ZipInfo(f"{name}.npy")  # of a fixed date
                member.create_system = 3
                header = {
                    "descr": np.lib.format.dtype_to_descr(code_type(shape.code_bits)),
                    "fortran_order": False,
                    "shape": (shape.rows, shape.codes),
                }
                stream.seek(0)
                with archive.open(member, "w", force_zip64=True) as inside:
                    np.lib.format.write_array_header_1_0(inside, header)
                    shutil.copyfileobj(stream, inside)
        self.close()
        for name in self._waiting:
            (self._directory / f"{name}.part").unlink()
        with open(path, "rb") as written:
            return {"vectors.npz": hashlib.file_digest(written, "sha256").hexdigest()}

    def close(self) -> None:
        for stream in self._waiting.values():
            stream.close()


class _Lines(Form):
    """One text file of lines."""

    def files(self, planes: Planes) -> list[str]:
        return [f"vectors.{self.name}"]

    def writer(self, directory: Path) -> Writer:
        return _LineWriter(directory / f"vectors.{self.name}", self.head, self.lines)

    @abstractmethod
    def head(self, part: VectorSet) -> str:
        """Return what stands before the lines."""

    @abstractmethod
    def lines(self, part: VectorSet, first: int) -> Iterator[str]:
        """Yield the text of each vector; the first is number *first*."""


class _LineWriter(Writer):
    def __init__(
        self, path: Path, head: Callable[[VectorSet], str], lines: Callable[[VectorSet, int], Iterator[str]]
    ) -> None:
        self._name, self._head, self._lines = path.name, head, lines
        self._file, self._made = _File(path), 0

    def append(self, part: VectorSet) -> None:
        if not self._made:
            self._file.write(self._head(part).encode("ascii"))
        for line in self._lines(part, self._made):
            self._file.write(line.encode("ascii"))
        self._made += part.vectors

    def finish(self) -> dict[str, str]:
        return {self._name: self._file.finish()}

    def close(self) -> None:
        self._file.close()


class _JsonLines(_Lines):
    name = "jsonl"

    def head(self, part: VectorSet) -> str:
        return ""

    def lines(self, part: VectorSet, first: int) -> Iterator[str]:
        planes = [(plane.name, plane.codes, is_by_step(plane.name)) for plane in part.planes()]
        for i, stimulus_class in _with_classes(part):
            line: dict[str, object] = {"vector": first + i, "class": stimulus_class}
            for name, codes, by_step in planes:
                words = codes[part.rows_of(i)] if by_step else codes[i : i + 1]
                values = (words[:, 0] if codes.shape[1] == 1 else words).tolist()
                line[name] = values if by_step else values[0]
            yield json.dumps(line, separators=(",", ":")) + "\n"

    def read(self, contents: Contents) -> Codes:
        file = "vectors.jsonl"
        path, data = contents.path(file), contents.read(file)
        contents.check_digest(file, data)
        words: dict[str, list[Any]] = {name: [] for name in contents.planes}
        for number, line in enumerate(data.splitlines(), start=1):
            try:
                members = json.loads(line)
                if list(members) != ["vector", "class", *words]:
                    raise ValueError("its keys are others")
                for name, found in words.items():
                    found += members[name] if is_by_step(name) else [members[name]]
            except (ValueError, TypeError, RecursionError) as error:
                raise FileError(f"{path}: line {number} is not a vector of this set: {error}") from error
        return {name: _as_codes(path, name, found, contents.planes[name]) for name, found in words.items()}


class _Csv(_Lines):
    name = "csv"

    def head(self, part: VectorSet) -> str:
        return ",".join(["vector", "class", *(plane.name for plane in part.planes())]) + "\n"

    def lines(self, part: VectorSet, first: int) -> Iterator[str]:
        planes = [
            (hex_lines(plane.words(), -(-plane.bits // 4)).decode().split(), is_by_step(plane.name))
            for plane in part.planes()
        ]
        for i, stimulus_class in _with_classes(part):
            rows = part.rows_of(i)
            for row in range(rows.start, rows.stop):
                is_last = row == rows.stop - 1
                words = [column[row] if by_step else column[i] if is_last else "" for column, by_step in planes]
                yield ",".join([str(first + i), stimulus_class, *words]) + "\n"

    def read(self, contents: Contents) -> Codes:
        file = "vectors.csv"
        path, data = contents.path(file), contents.read(file)
        contents.check_digest(file, data)
        head, *lines = csv.reader(io.StringIO(data.decode("ascii", "replace")))
        if head != ["vector", "class", *contents.planes]:
            raise FileError(f"{path}: its columns are {', '.join(head)}; those of this set are others")
        codes: Codes = {}
        for column, (name, shape) in enumerate(contents.planes.items(), start=2):
            words = [line[column] for line in lines if len(line) > column and line[column]]
            digits = 2 * -(-shape.bits // 8)
            try:
                packed = bytes.fromhex("".join(word.zfill(digits) for word in words))
            except ValueError as error:
                raise FileError(f"{path}: column {name}: not hex digits: {error}") from error
            if len(words) != shape.rows or len(packed) != shape.rows * digits // 2:
                raise FileError(
                    f"{path}: column {name} has {len(words)} words; expected {shape.rows} of {shape.bits} bits"
                )
            as_bytes = np.frombuffer(packed, np.uint8).reshape(shape.rows, -1)[:, ::-1]
            codes[name] = unpack_words(as_bytes, shape.codes, shape.code_bits)
        return codes


def _with_classes(part: VectorSet) -> Iterator[tuple[int, str]]:
    for each in part.classes:
        for i in each.dots:
            yield i, each.name


def _as_codes(path: Path, name: str, words: list[Any], shape: PlaneShape) -> NDArray[Any]:
    try:
        array = np.array(words, np.int64).reshape(len(words), -1)
    except (ValueError, OverflowError, TypeError) as error:
        raise FileError(f"{path}: {name} does not hold rows of {shape.codes} codes") from error
    if array.shape != (shape.rows, shape.codes):
        raise FileError(f"{path}: {name} is {list(array.shape)}; expected [{shape.rows}, {shape.codes}]")
    _check_codes(str(path), name, array, shape)
    return array.astype(code_type(shape.code_bits))


def _check_codes(where: str, name: str, codes: NDArray[Any], shape: PlaneShape) -> None:
    bad = (codes < 0) | (codes > (1 << shape.code_bits) - 1)
    if bad.any():
        row = int(np.argmax(bad.any(axis=1)))
        raise FileError(f"{where}: {name}: row {row + 1} has a code that is not of {shape.code_bits} bits")


FORMS: dict[str, Form] = {form.name: form for form in (_Hex(), _Binary(), _Npz(), _JsonLines(), _Csv())}
"""All forms by name."""


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a file.

    Raises:
        FileError: If it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise FileError(f"{printable(os.fspath(path))}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # a null character in the path
        raise FileError(f"{printable(os.fspath(path))}: not a path: {error}") from error


def _quote(text: bytes) -> str:
    """Return bytes of a file for a one-line message."""
    shown = text[:80].decode("ascii", "backslashreplace")
    return repr(shown + "..." if len(text) > 80 else shown)
