"""The vector directory: `manifest.json` and one `$readmemh` text file a plane.

A plane is a column of equally wide words, one a line: lower-case hex digits without prefix, most
significant digit first, every line ended by one newline.

A word is a row of codes without gaps, code 0 in the least significant bits. Which planes there are follows
from the operation: `VectorSet.planes`.

A directory is complete or absent: it is written under another name and renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.blocks import Blocks
from refmodel.errors import FileError, MxError
from refmodel.formats import BlockFormat
from refmodel.vectors.conversions import DequantizeVectors, QuantizeVectors
from refmodel.vectors.dotset import DotVectors, unscaled_blocks
from refmodel.vectors.manifest import FORMAT, MANIFEST, VERSION, Manifest, PlaneFile, parse_manifest
from refmodel.vectors.tiles import TileVectors
from refmodel.vectors.vectorset import VectorSet, unpack_words

_CHUNK_ROWS = 1 << 15


def write_vectors(vectors: VectorSet, directory: str | os.PathLike[str]) -> Path:
    """Write a vector directory and return its path.

    A vector directory of that name is replaced; anything else that stands there is left alone.

    Raises:
        FileError: As `check_destination`.
        OSError: If the system refuses; nothing is left behind then.
    """
    target = check_destination(directory)
    target.parent.mkdir(parents=True, exist_ok=True)
    mark = secrets.token_hex(4)
    temporary, old = (target.with_name(f".{target.name}.{mark}.{kind}") for kind in ("new", "old"))
    temporary.mkdir()
    try:
        _write_files(vectors, temporary)
        if target.exists():
            target.rename(old)
        temporary.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
    return target


def check_destination(directory: str | os.PathLike[str]) -> Path:
    """Return the path that *directory* leads to, if a vector directory may be written there.

    Raises:
        FileError: If something stands there that is not a vector directory with nothing else in it.
    """
    try:
        target = Path(directory).resolve()
    except (ValueError, RuntimeError) as error:  # a null character, a loop of links
        raise FileError(f"{str(directory)!r}: not a path: {error}") from error
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return target
    if not target.is_dir():
        raise FileError(f"{directory}: is a file; give the name of a directory that does not exist yet")
    try:
        manifest = _read_manifest(target)
    except MxError:
        raise FileError(
            f"{directory}: exists and is not a vector directory (no valid {MANIFEST}); it is left as it is"
        ) from None
    ours = {MANIFEST, *(plane.file for plane in manifest.planes.values())}
    others = sorted(entry.name for entry in target.iterdir() if entry.name not in ours)
    if others:
        raise FileError(f"{directory}: also holds {others[0]!r}, which is no part of the vectors; it is left as it is")
    return target


def read_vectors(directory: str | os.PathLike[str]) -> VectorSet:
    """Read a vector directory and check everything about it but the results.

    Raises:
        FileError: If a file is missing or unreadable, a manifest key is missing, unknown, of the wrong type
            or contradicts another, a plane has too few or too many rows, a row is not of its width or not
            hex, or a digest does not match; the message names file, and line or field.
    """
    path = Path(directory)
    manifest = _read_manifest(path)
    codes = {
        name: unpack_words(_read_plane(path, manifest, name), shape.codes, shape.code_bits)
        for name, shape in manifest.shapes.items()
    }
    return _READERS[manifest.operation](path, manifest, codes)


def read_dot_vectors(directory: str | os.PathLike[str]) -> DotVectors:
    """Read a vector directory of dot products.

    Raises:
        FileError: As `read_vectors`, and if it is of another operation.
    """
    vectors = read_vectors(directory)
    if not isinstance(vectors, DotVectors):
        raise FileError(f"{directory}: holds vectors of operation {vectors.operation!r}, not of 'dot'")
    return vectors


def _dot_vectors(path: Path, manifest: Manifest, codes: dict[str, NDArray[Any]]) -> DotVectors:
    last = _last(path, manifest, codes)
    a, b = (_operand(manifest, codes, side, last.shape) for side in ("a", "b"))
    return DotVectors(
        a=a,
        b=b,
        last=last,
        results=codes["result"][:, 0],
        rule=manifest.parameters["rule"],
        classes=manifest.classes,
        call=manifest.call,
        c=codes["c"][:, 0] if "c" in codes else None,
        scaled="a_scale" in codes,
    )


def _tile_vectors(path: Path, manifest: Manifest, codes: dict[str, NDArray[Any]]) -> TileVectors:
    last = _last(path, manifest, codes)
    a, b = (
        _operand(manifest, codes, side, (last.size, manifest.parameters[extent]))
        for side, extent in (("a", "rows"), ("b", "columns"))
    )
    return TileVectors(
        a=a,
        b=b,
        last=last,
        results=codes["result"],
        rule=manifest.parameters["rule"],
        classes=manifest.classes,
        call=manifest.call,
        c=codes.get("c"),
        scaled="a_scale" in codes,
    )


def _last(path: Path, manifest: Manifest, codes: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    last: NDArray[np.bool_] = codes["last"][:, 0].astype(bool)
    _check_last(path, manifest, last)
    return last


def _operand(manifest: Manifest, codes: dict[str, NDArray[Any]], side: str, shape: tuple[int, ...]) -> Blocks:
    """Return the blocks of A or B, of that shape; of elements without scales, those that keep them."""
    fmt = manifest.parameters[f"{side}_format"]
    elements = codes[f"{side}_elements"].reshape(*shape, -1)
    if isinstance(fmt, BlockFormat):
        return Blocks(fmt, elements, codes[f"{side}_scale"].reshape(shape))
    return unscaled_blocks(fmt, elements)


def _quantize_vectors(path: Path, manifest: Manifest, codes: dict[str, NDArray[Any]]) -> QuantizeVectors:
    return QuantizeVectors(
        values=codes["values"],
        elements=codes["elements"],
        scales=codes["scale"][:, 0],
        format=manifest.parameters["block_format"],
        input_format=manifest.parameters["input_format"],
        options=manifest.parameters["options"],
        classes=manifest.classes,
        call=manifest.call,
    )


def _dequantize_vectors(path: Path, manifest: Manifest, codes: dict[str, NDArray[Any]]) -> DequantizeVectors:
    return DequantizeVectors(
        elements=codes["elements"],
        scales=codes["scale"][:, 0],
        values=codes["values"],
        format=manifest.parameters["block_format"],
        classes=manifest.classes,
        call=manifest.call,
    )


_READERS: dict[str, Callable[[Path, Manifest, dict[str, NDArray[Any]]], VectorSet]] = {
    "dot": _dot_vectors,
    "matmul_tile": _tile_vectors,
    "quantize": _quantize_vectors,
    "dequantize": _dequantize_vectors,
}


def hex_lines(words: NDArray[np.uint8], digits: int) -> bytes:
    """Return little-endian words [N, bytes] as N lines of so many hex digits."""
    text = np.frombuffer(words[:, ::-1].tobytes().hex().encode(), np.uint8).reshape(len(words), -1)
    lines = np.full((len(words), digits + 1), ord("\n"), np.uint8)
    lines[:, :digits] = text[:, text.shape[1] - digits :]
    return lines.tobytes()


def _write_files(vectors: VectorSet, directory: Path) -> None:
    described = {}
    for plane in vectors.planes():
        file = f"{plane.name}.hex"
        shape = plane.shape
        digest = hashlib.sha256()
        with open(directory / file, "xb") as stream:
            for start in range(0, shape.rows, _CHUNK_ROWS):
                text = hex_lines(plane.words(slice(start, start + _CHUNK_ROWS)), -(-shape.bits // 4))
                digest.update(text)
                stream.write(text)
        described[plane.name] = asdict(PlaneFile(file, shape.direction, shape.bits, shape.rows, digest.hexdigest()))
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "operation": vectors.operation,
        **vectors.parameters(),
        "call": vectors.call,
        **vectors.counts(),
        "classes": [asdict(each) for each in vectors.classes],
        "planes": described,
    }
    (directory / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="ascii", newline="\n")


def _read_manifest(directory: Path) -> Manifest:
    path = directory / MANIFEST
    return parse_manifest(_read_bytes(path), str(path))


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # a null character in the path
        raise FileError(f"{str(path)!r}: not a path: {error}") from error


# Value of each hex digit that a plane may hold, 255 for every other byte.
_DIGIT_VALUES = np.full(256, 255, np.uint8)
_DIGIT_VALUES[list(b"0123456789abcdef")] = range(16)


def _read_plane(directory: Path, manifest: Manifest, name: str) -> NDArray[np.uint8]:
    """Return the words of a plane as little-endian bytes [rows, bytes]."""
    plane = manifest.planes[name]
    path = directory / plane.file
    data = _read_bytes(path)
    digits = -(-plane.bits // 4)
    if len(data) != plane.rows * (digits + 1):
        raise _wrong_size(path, data, digits, plane.rows)
    lines = np.frombuffer(data, np.uint8).reshape(plane.rows, digits + 1)
    values = _DIGIT_VALUES[lines[:, :digits]]
    # The top digit of a word whose width is no multiple of four has fewer values.
    top_limit = 1 << (plane.bits - 4 * (digits - 1))
    bad = (lines[:, digits] != ord("\n")) | (values == 255).any(axis=1) | (values[:, 0] >= top_limit)
    if bad.any():
        row = int(np.argmax(bad))
        raise FileError(
            f"{path}: line {row + 1} is {_quote(lines[row].tobytes())}; expected a {plane.bits}-bit word in "
            f"{digits} lower-case hex digits and a newline"
        )
    digest = hashlib.sha256(data).hexdigest()
    if digest != plane.sha256:
        raise FileError(
            f"{path}: SHA-256 is {digest}, but {MANIFEST} field planes.{name}.sha256 says {plane.sha256}; "
            "the file was changed after it was written, make the vectors again"
        )
    nibbles = np.zeros((plane.rows, digits + digits % 2), np.uint8)
    nibbles[:, :digits] = values[:, ::-1]
    words: NDArray[np.uint8] = nibbles[:, 0::2] | nibbles[:, 1::2] << np.uint8(4)
    return words


def _wrong_size(path: Path, data: bytes, digits: int, rows: int) -> FileError:
    """Return the error for a plane that is not *rows* lines of *digits* digits; it names the first bad."""
    lines = data.split(b"\n")
    complete = len(lines) - 1
    for number, line in enumerate(lines[: min(rows, complete)], start=1):
        if len(line) != digits:
            return FileError(f"{path}: line {number} is {_quote(line)}, {len(line)} characters; expected {digits}")
    if complete < rows:
        where = f"in the middle of line {complete + 1}" if lines[-1] else f"after line {complete}"
        return FileError(f"{path}: ends {where}; {MANIFEST} says {rows} rows")
    return FileError(f"{path}: line {rows + 1} is one too many; {MANIFEST} says {rows} rows")


def _check_last(directory: Path, manifest: Manifest, last: NDArray[np.bool_]) -> None:
    path = directory / manifest.planes["last"].file
    (rows, _), (what, expected) = manifest.counts.items()
    marked = int(np.count_nonzero(last))
    if marked != expected:
        raise FileError(f"{path}: marks {marked} last {rows}, but {MANIFEST} field {what} says {expected}")
    if not last[-1]:
        raise FileError(f"{path}: line {last.size} is 0; the last of the {rows} of the file must end one of the {what}")


def _quote(text: bytes) -> str:
    """Return bytes of a file for a one-line message."""
    shown = text[:80].decode("ascii", "backslashreplace")
    return repr(shown + "..." if len(text) > 80 else shown)
