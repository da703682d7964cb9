"""Named tensors from files: NumPy ``.npy`` and ``.npz``, and ``.safetensors``.

Float16, Float32 and Float64 come back as they are stored; bfloat16, which only ``.safetensors``
can name, is widened to Float32, which is exact. Nothing is ever unpickled, and only the bytes of
the tensors asked for are read. The package ``safetensors`` is imported when such a file is.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import math
import os
import stat
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from io import BufferedIOBase, BufferedReader
from pathlib import PurePath
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.lib import format as npy_format

from refmodel.errors import DtypeError, FileError, MxError, ShapeError

_ACCEPTED = "accepted: float16, float32, float64, and bfloat16 in .safetensors"
_NUMPY_FLOATS = (np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64))
# What is on disk; BF16 is read as its 16 bits and widened.
_SAFETENSORS_FLOATS: dict[str, np.dtype[Any]] = {
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}
_MOST_NAMES = 10  # in one message


@dataclass(frozen=True, slots=True)
class _Stored:
    """One tensor as its file describes it; *read* fetches the values.

    Attributes:
        dtype: The file's name for the element type.
        usable: Whether the element type is one that is accepted.
        shape: Its shape.
        read: Returns the values: float16, float32 or float64, native byte order, C order.
        hint: Added to the refusal of an element type that is not accepted.
    """

    dtype: str
    usable: bool
    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]
    hint: str = ""


_Contents: TypeAlias = Mapping[str, Callable[[], _Stored]]
"""The tensors of an open file, in file order: name -> function that reads its description."""


def parse_source(text: str) -> tuple[str, str | None]:
    """Split ``"file.safetensors:layer.weight"`` into the path and the tensor name.

    The name follows the last colon. What exists wins: a file whose whole name is *text* is that
    file, and a split further left is taken if only there the left part is a file (so that names
    like ``dense/kernel:0`` work). Nothing is opened.

    Returns:
        The path, and the tensor name or None if *text* names a file only.

    >>> parse_source("model.safetensors:layer0.query.weight")
    ('model.safetensors', 'layer0.query.weight')
    >>> parse_source("x.npy")
    ('x.npy', None)
    """
    if ":" not in text or os.path.isfile(text):
        return text, None
    colons = [i for i, letter in enumerate(text) if letter == ":"][::-1]
    cut = next((i for i in colons if os.path.isfile(text[:i])), colons[0])
    return text[:cut], text[cut + 1 :]


def read_tensors(path: str | os.PathLike[str], name: str | None = None) -> dict[str, np.ndarray]:
    """Return the floating-point tensors of a file, in file order, or only the one called *name*.

    Without *name*, tensors of other element types, with no elements or with no axis are left out,
    as long as one remains. A ``.npy`` file holds one tensor, named like the file less its suffix.

    Args:
        path: A ``.npy``, ``.npz`` or ``.safetensors`` file.
        name: The one tensor wanted.

    Returns:
        Name -> array of float16, float32 or float64 with at least one axis and one element, in
        native byte order and C order, owned by the caller. Values keep their bits (NaN payloads
        too); bfloat16 is widened to float32.

    Raises:
        FileError: If the file is missing, unreadable, truncated, damaged, of unknown suffix or
            empty, if it has no tensor *name*, or if ``safetensors`` is needed and not installed.
        DtypeError: If the tensor *name*, or every tensor, is of an element type that is not accepted.
        ShapeError: If it is accepted, but has no elements or no axis.
    """
    path = os.fsdecode(path)
    where = _printable(path)
    suffix = PurePath(path).suffix
    if suffix.lower() not in _OPENERS:
        what = f"unknown suffix {suffix!r}" if suffix else "no suffix"
        raise FileError(f"{where}: {what}; accepted: {', '.join(_OPENERS)}")
    with _opened(path, where) as stream, contextlib.ExitStack() as stack:
        contents = _OPENERS[suffix.lower()](stream, where, stack)
        if not contents:
            raise FileError(f"{where}: holds no tensor")
        if name is not None:
            if name not in contents:
                raise _no_such_tensor(where, name, list(contents))
            contents = {name: contents[name]}
        tensors: dict[str, np.ndarray] = {}
        refused: list[MxError] = []
        for each, describe in contents.items():
            stored = describe()
            refusal = _refusal(f"{where}: tensor {each!r}", stored)
            if refusal is None:
                tensors[each] = stored.read()
            else:
                refused.append(refusal)
    if not tensors:
        raise _nothing_usable(where, refused)
    return tensors


def _refusal(where: str, stored: _Stored) -> MxError | None:
    """Return why a tensor is not taken, or None if it is."""
    if not stored.usable:
        return DtypeError(f"{where} is {stored.dtype}{stored.hint}; {_ACCEPTED}")
    if not stored.shape:
        return ShapeError(f"{where} is a single {stored.dtype} without an axis; at least one axis is needed")
    if 0 in stored.shape:
        return ShapeError(f"{where} has shape {list(stored.shape)} and so 0 elements; at least 1 is needed")
    return None


def _nothing_usable(where: str, refused: list[MxError]) -> MxError:
    """Return the error for a file, or a named tensor, of which all was *refused*."""
    if len(refused) == 1:
        return refused[0]
    # A shape that does not fit is nearer to what is wanted than an element type that does not.
    first = next((error for error in refused if isinstance(error, ShapeError)), refused[0])
    reason = str(first).removeprefix(f"{where}: ")
    return type(first)(f"{where}: none of its {len(refused)} tensors can be used; for one, {reason}")


def _no_such_tensor(where: str, name: str, known: list[str]) -> FileError:
    """Return the error for a *name* that is not among the *known*, with all of them or the closest."""
    listed, what = known, "it holds"
    if len(known) > _MOST_NAMES:
        parts = [each for each in known if name and name.lower() in each.lower()]
        near = difflib.get_close_matches(name, known, n=_MOST_NAMES)
        if parts or near:
            listed, what = list(dict.fromkeys(parts + near)), f"closest of its {len(known)}"
    names = ", ".join(map(repr, listed[:_MOST_NAMES]))
    more = f" and {len(listed) - _MOST_NAMES} more" if len(listed) > _MOST_NAMES else ""
    return FileError(f"{where}: no tensor {name!r}; {what}: {names}{more}")


# Opening and reading bytes.


def _printable(text: str) -> str:
    """Return a path as it was typed, or quoted if it would break the line or the terminal."""
    return text if text and text.isprintable() else repr(text)


@contextlib.contextmanager
def _opened(path: str, where: str) -> Iterator[BufferedReader]:
    """Open a regular file for reading; every failure of the system becomes a FileError."""
    try:
        # Looked at before it is opened, because opening a pipe would wait for its writer.
        regular = stat.S_ISREG(os.stat(path).st_mode)
        stream = open(path, "rb") if regular else None  # noqa: SIM115 - closed below
    except OSError as error:
        raise FileError(f"{where}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # a null character in the path
        raise FileError(f"{where}: not a path: {error}") from error
    if stream is None:
        raise FileError(f"{where}: not a regular file")
    with stream:
        try:
            yield stream
        except OSError as error:
            raise FileError(f"{where}: cannot be read: {error.strerror or error}") from error
        except MemoryError as error:
            raise FileError(f"{where}: what was asked for does not fit into memory") from error


@contextlib.contextmanager
def _parsing(where: str, kind: str) -> Iterator[None]:
    """Turn whatever a parser raises into a FileError.

    On damaged bytes zipfile, zlib, numpy and safetensors raise some fifteen types with no common
    base (NotImplementedError for a flipped version, RuntimeError for a flipped encryption bit), so
    everything is taken; only the calls that meet the bytes of the file stand under this.
    """
    try:
        yield
    except (MxError, OSError, MemoryError):
        raise
    except Exception as error:
        cause = " ".join(str(error).split())[:160] or type(error).__name__
        raise FileError(f"{where}: not a valid {kind} file, or damaged: {_printable(cause)}") from error


def _read_array(stream: BufferedIOBase, dtype: np.dtype, shape: tuple[int, ...], where: str) -> np.ndarray:
    """Read an array that lies in C order at the stream's position, into native byte order."""
    values = np.empty(math.prod(shape), dtype)
    if stream.readinto(values.data.cast("B")) != values.nbytes:
        raise FileError(f"{where}: truncated: its {values.nbytes} bytes of values are not all there")
    return values.astype(dtype.newbyteorder("="), copy=False).reshape(shape)


# .npy

# Versions 2 and 3 differ in the encoding of field names alone, and fields are refused.
_NPY_HEADERS = {
    (1, 0): npy_format.read_array_header_1_0,
    (2, 0): npy_format.read_array_header_2_0,
    (3, 0): npy_format.read_array_header_2_0,
}


def _open_npy(stream: BufferedReader, where: str, stack: contextlib.ExitStack) -> _Contents:
    name = PurePath(os.fsdecode(stream.name)).stem
    size = os.fstat(stream.fileno()).st_size
    return {name: partial(_stored_npy, stream, size, f"{where}: tensor {name!r}")}


def _stored_npy(stream: BufferedIOBase, size: int, where: str) -> _Stored:
    """Read the header of a .npy file of *size* bytes at the start of *stream*."""
    with _parsing(where, ".npy"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy remarks on headers of Python 2, which are fine
        version = npy_format.read_magic(stream)
        if version not in _NPY_HEADERS:
            raise ValueError(f"unknown format version {version}")
        shape, fortran_order, dtype = _NPY_HEADERS[version](stream)
        if min(shape, default=0) < 0:
            raise ValueError(f"shape {shape}")
    hint = ""
    if dtype.kind == "V" and dtype.names is None and dtype.itemsize <= 2:
        hint = " (so NumPy stores types that it has no name for, such as bfloat16 or FP8)"
    shape = tuple(map(int, shape))
    start = stream.tell()

    def read() -> np.ndarray:
        needed, held = math.prod(shape) * dtype.itemsize, size - start
        if needed != held:
            state = "truncated" if held < needed else "more than one array"
            raise FileError(f"{where}: {state}: {dtype} {list(shape)} takes {needed} bytes, {held} follow")
        stored_shape = shape[::-1] if fortran_order else shape
        with _parsing(where, ".npy"):
            values = _read_array(stream, dtype, stored_shape, where)
            return np.ascontiguousarray(values.T) if fortran_order else values

    return _Stored(dtype.name, dtype.newbyteorder("=") in _NUMPY_FLOATS, shape, read, hint)


# .npz


def _open_npz(stream: BufferedReader, where: str, stack: contextlib.ExitStack) -> _Contents:
    with _parsing(where, ".npz"):
        archive = stack.enter_context(zipfile.ZipFile(stream))
    members = [each for each in archive.infolist() if each.filename.endswith(".npy")]
    contents: dict[str, Callable[[], _Stored]] = {}
    for member in members:
        name = member.filename.removesuffix(".npy")
        if name in contents:
            raise FileError(f"{where}: two tensors are called {name!r}")
        contents[name] = partial(_stored_member, archive, member, f"{where}: tensor {name!r}")
    return contents


def _stored_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> _Stored:
    with _parsing(where, ".npz"):
        stream = cast(BufferedIOBase, archive.open(member))
    return _stored_npy(stream, member.file_size, where)


# .safetensors


def _open_safetensors(stream: BufferedReader, where: str, stack: contextlib.ExitStack) -> _Contents:
    try:
        from safetensors import safe_open
    except ImportError as error:
        raise FileError(f"{where}: needs the package safetensors; run: pip install safetensors") from error

    def members_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(members := dict(pairs)) != len(pairs):
            raise ValueError("a name occurs twice in the header")
        return members

    with _parsing(where, ".safetensors"):
        # The package checks the whole header (types, sizes, offsets without gap or overlap up to the
        # end of the file), but hands out no bfloat16 to numpy; so the values are read here.
        with safe_open(os.fsdecode(stream.name), framework="numpy"):
            pass
        length = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(length), object_pairs_hook=members_once)
        header.pop("__metadata__", None)
    return {
        name: partial(_stored_safetensor, stream, 8 + length, entry, f"{where}: tensor {name!r}")
        for name, entry in header.items()
    }


def _stored_safetensor(stream: BufferedReader, base: int, entry: Mapping[str, Any], where: str) -> _Stored:
    """Describe the tensor of a header *entry*, whose offsets count from *base*."""
    shape = tuple(entry["shape"])
    dtype = _SAFETENSORS_FLOATS.get(entry["dtype"])

    def read() -> np.ndarray:
        assert dtype is not None  # a tensor that is not usable is not read
        stream.seek(base + entry["data_offsets"][0])
        with _parsing(where, ".safetensors"):
            values = _read_array(stream, dtype, shape, where)
        if entry["dtype"] == "BF16":
            # A bfloat16 is the upper half of the Float32 of the same value.
            return (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
        return values

    return _Stored(entry["dtype"], dtype is not None, shape, read)


_OPENERS: dict[str, Callable[[BufferedReader, str, contextlib.ExitStack], _Contents]] = {
    ".npy": _open_npy,
    ".npz": _open_npz,
    ".safetensors": _open_safetensors,
}
