"""The arrays in a file: NumPy ``.npy`` and ``.npz``, and ``.safetensors``; opened, described, read on demand.

Nothing is ever unpickled, only the bytes of the arrays that are read are touched, and what a damaged file
claims never makes more memory used than the file can fill. `refmodel.tensors` and `refmodel.blockfiles`
say what is accepted. The package ``safetensors`` is imported when such a file is opened.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import stat
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from io import BufferedIOBase, BufferedReader
from pathlib import PurePath
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from numpy.lib import format as npy_format

from refmodel.errors import FileError, MxError

Kind: TypeAlias = Literal["float", "integer", "byte", "text", "other"]
"""What the items of an array are.

* ``float``: float16, float32, float64, or bfloat16, which is read as the float32 of the same value.
* ``integer``: two's complement or unsigned, up to 64 bits.
* ``byte``: one byte that NumPy has no name for, such as FP8 or E8M0; read as uint8.
* ``text``: strings of NumPy.
* ``other``: everything that is not read.
"""

_NUMPY_FLOATS = (np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64))
# What is on disk; BF16 is read as its 16 bits and widened.
_SAFETENSORS: dict[str, tuple[Kind, np.dtype[Any]]] = {
    "F16": ("float", np.dtype("<f2")),
    "BF16": ("float", np.dtype("<u2")),
    "F32": ("float", np.dtype("<f4")),
    "F64": ("float", np.dtype("<f8")),
    **{f"U{8 * n}": ("integer", np.dtype(f"<u{n}")) for n in (1, 2, 4, 8)},
    **{f"I{8 * n}": ("integer", np.dtype(f"<i{n}")) for n in (1, 2, 4, 8)},
    **{name: ("byte", np.dtype("u1")) for name in ("F8_E4M3", "F8_E5M2", "F8_E8M0")},
}
# The most that a stored byte of deflate can stand for; a larger claim is damage or an attack.
_DEFLATE_RATIO = 1032


@dataclass(frozen=True, slots=True)
class StoredArray:
    """One array as its file describes it.

    Attributes:
        dtype: The file's name for the element type.
        kind: What its items are.
        shape: Its shape.
        read: Returns the values in native byte order; not for arrays of kind ``other``.
        hint: Added to the refusal of an element type that is not accepted.
    """

    dtype: str
    kind: Kind
    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]
    hint: str = ""


@dataclass(frozen=True, slots=True)
class ArrayFile:
    """An open file of arrays.

    Attributes:
        where: Its name as messages show it.
        arrays: In file order, name -> function that reads the description of the array.
        metadata: The texts that a .safetensors file carries beside its arrays.
    """

    where: str
    arrays: Mapping[str, Callable[[], StoredArray]]
    metadata: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def open_arrays(path: str | os.PathLike[str], *, mapped: bool = False) -> Iterator[ArrayFile]:
    """Open a file by its suffix; arrays can be read as long as the context lasts.

    Args:
        path: A ``.npy``, ``.npz`` or ``.safetensors`` file; a ``.npy`` file holds one array, named like the
            file less its suffix.
        mapped: Whether the array of a ``.npy`` file is mapped into memory, read-only and in the order it is
            stored, instead of being copied in C order; the mapping outlives the context.

    Raises:
        FileError: If the file is missing, unreadable, truncated, damaged, of unknown suffix or empty, or if
            ``safetensors`` is needed and not installed; also while the context lasts.
    """
    path = os.fsdecode(path)
    where = printable(path)
    suffix = PurePath(path).suffix
    if suffix.lower() not in _OPENERS:
        what = f"unknown suffix {suffix!r}" if suffix else "no suffix"
        raise FileError(f"{where}: {what}; accepted: {', '.join(_OPENERS)}")
    with _opened(path, where) as stream, contextlib.ExitStack() as stack:
        contents = _OPENERS[suffix.lower()](stream, where, stack, mapped)
        if not contents.arrays:
            raise FileError(f"{where}: holds no tensor")
        yield contents


def read_npy(stream: BufferedIOBase, size: int, where: str) -> np.ndarray:
    """Return the array of a ``.npy`` file of *size* bytes that *stream* holds.

    Raises:
        FileError: If the file is damaged, or its items are nothing that is read.
    """
    stored = _stored_npy(stream, size, where)
    if stored.kind == "other":
        raise FileError(f"{where} is {stored.dtype}{stored.hint}, which is not read")
    try:
        return stored.read()
    except MemoryError as error:
        raise FileError(f"{where}: what was asked for does not fit into memory") from error


def printable(text: str) -> str:
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
        raise FileError(f"{where}: not a valid {kind} file, or damaged: {printable(cause)}") from error


def _read_values(stream: BufferedIOBase, dtype: np.dtype, shape: tuple[int, ...], where: str) -> np.ndarray:
    """Read an array that lies in C order at the stream's position, into native byte order."""
    values = np.empty(math.prod(shape), dtype)
    if values.size and stream.readinto(values.view(np.uint8).data) != values.nbytes:
        raise FileError(f"{where}: truncated: its {values.nbytes} bytes of values are not all there")
    return values.astype(dtype.newbyteorder("="), copy=False).reshape(shape)


# .npy

# Versions 2 and 3 differ in the encoding of field names alone, and fields are refused.
_NPY_HEADERS = {
    (1, 0): npy_format.read_array_header_1_0,
    (2, 0): npy_format.read_array_header_2_0,
    (3, 0): npy_format.read_array_header_2_0,
}


def _open_npy(stream: BufferedReader, where: str, stack: contextlib.ExitStack, mapped: bool) -> ArrayFile:
    name = PurePath(os.fsdecode(stream.name)).stem
    size = os.fstat(stream.fileno()).st_size
    describe = partial(_stored_npy, stream, size, f"{where}: tensor {name!r}", stream if mapped else None)
    return ArrayFile(where, {name: describe})


def _stored_npy(
    stream: BufferedIOBase, size: int, where: str, to_map: BufferedReader | None = None
) -> StoredArray:
    """Read the header of a .npy file of *size* bytes at the start of *stream*."""
    with _parsing(where, ".npy"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy remarks on headers of Python 2, which are fine
        version = npy_format.read_magic(stream)
        if version not in _NPY_HEADERS:
            raise ValueError(f"unknown format version {version}")
        shape, fortran_order, dtype = _NPY_HEADERS[version](stream)
        if min(shape, default=0) < 0:
            raise ValueError(f"shape {shape}")
    shape = tuple(map(int, shape))
    start = stream.tell()

    def read() -> np.ndarray:
        needed, held = math.prod(shape) * dtype.itemsize, size - start
        if needed != held:
            state = "truncated" if held < needed else "more than one array"
            raise FileError(f"{where}: {state}: {dtype} {list(shape)} takes {needed} bytes, {held} follow")
        stored_shape = shape[::-1] if fortran_order else shape
        with _parsing(where, ".npy"):
            if to_map is not None and needed:
                order: Literal["C", "F"] = "F" if fortran_order else "C"
                values = np.asarray(np.memmap(to_map, dtype, "r", start, shape, order))
            else:
                values = _read_values(stream, dtype, stored_shape, where)
                values = np.ascontiguousarray(values.T) if fortran_order else values
        return values.view(np.uint8) if kind == "byte" else values

    kind, hint = _npy_kind(dtype)
    return StoredArray(dtype.name, kind, shape, read, hint)


def _npy_kind(dtype: np.dtype) -> tuple[Kind, str]:
    """Return what the items of an array are, and a hint for those that NumPy has no name for."""
    if dtype.newbyteorder("=") in _NUMPY_FLOATS:
        return "float", ""
    if dtype.kind in "ui":
        return "integer", ""
    if dtype.kind == "U":
        return "text", ""
    if dtype.kind == "V" and dtype.names is None and dtype.subdtype is None and dtype.itemsize in (1, 2):
        hint = " (so NumPy stores types that it has no name for, such as bfloat16 or FP8)"
        return "byte" if dtype.itemsize == 1 else "other", hint
    return "other", ""


# .npz


def _open_npz(stream: BufferedReader, where: str, stack: contextlib.ExitStack, mapped: bool) -> ArrayFile:
    with _parsing(where, ".npz"):
        archive = stack.enter_context(zipfile.ZipFile(stream))
    members = [each for each in archive.infolist() if each.filename.endswith(".npy")]
    contents: dict[str, Callable[[], StoredArray]] = {}
    for member in members:
        name = member.filename.removesuffix(".npy")
        if name in contents:
            raise FileError(f"{where}: two tensors are called {name!r}")
        contents[name] = partial(_stored_member, archive, member, f"{where}: tensor {name!r}")
    return ArrayFile(where, contents)


def _stored_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> StoredArray:
    with _parsing(where, ".npz"):
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"compression method {member.compress_type}; 0 or 8 is what NumPy writes")
        if member.file_size > _DEFLATE_RATIO * member.compress_size:
            raise ValueError(f"{member.compress_size} bytes cannot hold {member.file_size}")
        stream = cast(BufferedIOBase, archive.open(member))
    return _stored_npy(stream, member.file_size, where)


# .safetensors


def _open_safetensors(
    stream: BufferedReader, where: str, stack: contextlib.ExitStack, mapped: bool
) -> ArrayFile:
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
        metadata = header.pop("__metadata__", None) or {}
    arrays = {
        name: partial(_stored_safetensor, stream, 8 + length, entry, f"{where}: tensor {name!r}")
        for name, entry in header.items()
    }
    return ArrayFile(where, arrays, metadata)


def _stored_safetensor(
    stream: BufferedReader, base: int, entry: Mapping[str, Any], where: str
) -> StoredArray:
    """Describe the array of a header *entry*, whose offsets count from *base*."""
    shape = tuple(entry["shape"])
    kind, dtype = _SAFETENSORS.get(entry["dtype"], ("other", np.dtype("V1")))

    def read() -> np.ndarray:
        stream.seek(base + entry["data_offsets"][0])
        with _parsing(where, ".safetensors"):
            values = _read_values(stream, dtype, shape, where)
        if entry["dtype"] == "BF16":
            # A bfloat16 is the upper half of the Float32 of the same value.
            return (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
        return values

    return StoredArray(entry["dtype"], kind, shape, read)


_OPENERS: dict[str, Callable[[BufferedReader, str, contextlib.ExitStack, bool], ArrayFile]] = {
    ".npy": _open_npy,
    ".npz": _open_npz,
    ".safetensors": _open_safetensors,
}
