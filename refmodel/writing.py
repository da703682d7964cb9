"""Arrays to files, each complete or absent.

The suffix decides the form: ``.npy``, ``.npz`` and ``.safetensors`` hold arrays with dtype and shape;
``.bin`` their bytes alone, little-endian in C order; ``.hex`` one item a line in lower-case hex digits, as
``$readmemh`` reads it; ``.txt`` a row of the last axis a line.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from refmodel.arrayfiles import printable
from refmodel.errors import FileError

_SAFETENSORS = {
    f"{kind}{n}": f"{letter}{n}" for kind, letter in (("uint", "U"), ("float", "F")) for n in (8, 16, 32, 64)
}
_CHUNK_ITEMS = 1 << 16


def check_new_file(path: str | os.PathLike[str], accepted: Iterable[str], *, replace: bool = False) -> Path:
    """Return the path of the file that *path* leads to, if it may be written.

    Raises:
        FileError: If its suffix is not among the *accepted* ones, if there is no such folder, or if something
            is there already that is no regular file, or that *replace* does not allow to replace.
    """
    where, accepted = printable(os.fspath(path)), list(accepted)
    suffix = PurePath(path).suffix
    if suffix.lower() not in accepted:
        what = f"unknown suffix {suffix!r}" if suffix else "no suffix"
        raise FileError(f"{where}: {what}; the suffix decides the form: {', '.join(accepted)}")
    try:
        target = Path(path).resolve()
        if target.exists() and not target.is_file():
            raise FileError(f"{where}: exists and is not a regular file; it is left as it is")
        if target.exists() and not replace:
            raise FileError(f"{where}: exists; --force replaces it")
        if not target.parent.is_dir():
            raise FileError(f"{where}: there is no folder {printable(str(PurePath(path).parent))}")
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{where}: cannot be written: {error.strerror}") from error
    except (ValueError, RuntimeError) as error:  # a null character, a loop of links
        raise FileError(f"{where}: not a path: {printable(str(error))}") from error
    return target


def write_file(target: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let *write* fill a file that takes the name *target* when it is complete.

    Raises:
        OSError: If the system refuses; nothing is left behind then, as after any other error.
    """
    temporary = target.with_name(f".mxref-{secrets.token_hex(8)}.new")
    try:
        with open(temporary, "xb") as stream:
            write(stream)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(target: Path, text: str) -> None:
    """Write a text file, complete or not at all.

    Raises:
        OSError: As `write_file`.
    """
    write_file(target, lambda stream: stream.write(text.encode()))


def write_json(target: Path, content: object) -> None:
    """Write JSON for people to read as well, complete or not at all; the folder is made if need be.

    Raises:
        OSError: As `write_file`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, json.dumps(content, indent=1) + "\n")


def write_array(stream: BinaryIO, suffix: str, name: str, array: NDArray[Any], bits: int) -> None:
    """Write one array in the form of *suffix*.

    Args:
        stream: Binary file, open for writing.
        suffix: One of `ARRAY_SUFFIXES`, without regard to case.
        name: Its name in ``.npz`` and ``.safetensors``.
        array: float16, float32, float64 or unsigned integers.
        bits: Width of an item, for the digits of ``.hex`` and of integers in ``.txt``.
    """
    match suffix.lower():
        case ".npy":
            npy_format.write_array(stream, np.asanyarray(array), allow_pickle=False)
        case ".bin":
            for chunk in _chunks(array):
                stream.write(chunk.astype(chunk.dtype.newbyteorder("<"), copy=False).tobytes())
        case ".hex":
            for chunk in _chunks(array):
                stream.write("".join(f"{word}\n" for word in hex_words(chunk, bits)).encode("ascii"))
        case ".txt":
            stream.writelines(f"{line}\n".encode("ascii") for line in text_lines(array, bits))
        case _:
            write_arrays(stream, suffix, {name: array})


ARRAY_SUFFIXES = (".npy", ".npz", ".safetensors", ".bin", ".hex", ".txt")
"""What `write_array` writes."""


def write_arrays(
    stream: BinaryIO,
    suffix: str,
    arrays: Mapping[str, NDArray[Any]],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write named arrays, with texts beside them, as ``.npz`` or ``.safetensors``.

    In ``.npz`` the texts are arrays of one string.
    """
    metadata = {} if metadata is None else metadata
    if suffix.lower() == ".npz":
        texts = {name: np.array(text) for name, text in metadata.items()}
        np.savez(stream, **cast("dict[str, Any]", {**arrays, **texts}))
        return
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    # The package lays the widest items first, so that each array is aligned to its items.
    ordered = sorted(arrays.items(), key=lambda item: -item[1].dtype.itemsize)
    for name, array in ordered:
        begin, end = end, end + array.nbytes
        dtype = _SAFETENSORS[array.dtype.name]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)
    stream.write(len(text).to_bytes(8, "little") + text)
    for _, array in ordered:
        write_array(stream, ".bin", "", array, 8)


def text_lines(array: NDArray[Any], bits: int) -> Iterator[str]:
    """Yield a line for each row of the last axis.

    Floats are the shortest decimals that read back as the same number; integers are codes of *bits* bits in
    hex digits.
    """
    for row in array.reshape(-1, array.shape[-1]) if array.size and array.ndim else array.reshape(-1, 1):
        items = map(str, row) if array.dtype.kind == "f" else hex_words(row, bits)
        yield " ".join(items)


def hex_words(array: NDArray[Any], bits: int) -> Iterator[str]:
    """Yield each item in C order in lower-case hex digits, floats by their bits."""
    if array.dtype.kind == "f":
        array = np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}")
    digits = -(-bits // 4)
    return (f"{word:0{digits}x}" for word in array.reshape(-1).tolist())


def _chunks(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    flat = array.reshape(-1)
    return (flat[start : start + _CHUNK_ITEMS] for start in range(0, flat.size, _CHUNK_ITEMS))
