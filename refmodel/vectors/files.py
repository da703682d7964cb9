"""The vector directory: `manifest.json` and one `$readmemh` text file a plane.

A plane is a column of equally wide words, one a line: lower-case hex digits without prefix, most
significant digit first, every line ended by one newline.

    a_elements.hex   per block   the codes of A packed without gaps, element 0 in the least significant bits
    a_scale.hex      per block   the scale code of A
    b_elements.hex, b_scale.hex  the same of B
    last.hex         per block   1 on the last block of a dot product, else 0
    result.hex       per dot     the Float32 bits of the result

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
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from refmodel.blocks import Blocks
from refmodel.errors import FileError, MxError
from refmodel.formats import BlockFormat
from refmodel.vectors.dotset import DotVectors
from refmodel.vectors.manifest import FORMAT, MANIFEST, OPERATION, VERSION, Manifest, parse_manifest

_CHUNK_ROWS = 1 << 15


def write_vectors(vectors: DotVectors, directory: str | os.PathLike[str]) -> Path:
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
        raise FileError(
            f"{directory}: also holds {others[0]!r}, which is no part of the vectors; it is left as it is"
        )
    return target


def read_vectors(directory: str | os.PathLike[str]) -> DotVectors:
    """Read a vector directory and check everything about it but the results.

    Raises:
        FileError: If a file is missing or unreadable, a manifest key is missing, unknown, of the wrong type
            or contradicts another, a plane has too few or too many rows, a row is not of its width or not
            hex, or a digest does not match; the message names file, and line or field.
    """
    path = Path(directory)
    manifest = _read_manifest(path)
    words = {name: _read_plane(path, manifest, name) for name in manifest.planes}
    last = words["last"][:, 0].astype(bool)
    _check_dots(path, manifest, last)
    a, b = (
        Blocks(
            block_format,
            unpack_codes(words[f"{side}_elements"], block_format),
            np.ascontiguousarray(words[f"{side}_scale"][:, 0]),
        )
        for side, block_format in (("a", manifest.a_format), ("b", manifest.b_format))
    )
    return DotVectors(
        a=a,
        b=b,
        last=last,
        results=np.ascontiguousarray(words["result"]).view("<u4")[:, 0].astype(np.uint32),
        rule=manifest.rule,
        classes=manifest.classes,
        call=manifest.call,
    )


def pack_codes(codes: NDArray[np.uint8], block_format: BlockFormat) -> NDArray[np.uint8]:
    """Pack element codes [N, k] into little-endian bytes [N, k * bits / 8], element 0 in the lowest bits."""
    bits = block_format.element.bits
    if bits == 8:
        return codes
    each = np.unpackbits(codes[..., None], axis=-1, count=bits, bitorder="little")
    return np.packbits(each.reshape(len(codes), -1), axis=-1, bitorder="little")


def unpack_codes(packed: NDArray[np.uint8], block_format: BlockFormat) -> NDArray[np.uint8]:
    """Return the element codes [N, k] of `pack_codes`' bytes."""
    bits, size = block_format.element.bits, block_format.block_size
    if bits == 8:
        return np.ascontiguousarray(packed)
    each = np.unpackbits(packed, axis=-1, count=size * bits, bitorder="little")
    return np.packbits(each.reshape(len(packed), size, bits), axis=-1, bitorder="little")[..., 0]


def hex_lines(words: NDArray[np.uint8], digits: int) -> bytes:
    """Return little-endian words [N, bytes] as N lines of so many hex digits."""
    text = np.frombuffer(words[:, ::-1].tobytes().hex().encode(), np.uint8).reshape(len(words), -1)
    lines = np.full((len(words), digits + 1), ord("\n"), np.uint8)
    lines[:, :digits] = text[:, text.shape[1] - digits :]
    return lines.tobytes()


_ToBytes: TypeAlias = Callable[[NDArray[Any]], NDArray[np.uint8]]


def _planes(vectors: DotVectors) -> dict[str, tuple[int, NDArray[Any], _ToBytes]]:
    """Return name -> (bits of a word, rows, function from rows to little-endian bytes [rows, bytes])."""
    planes: dict[str, tuple[int, NDArray[Any], _ToBytes]] = {}
    for side, blocks in (("a", vectors.a), ("b", vectors.b)):
        bits = blocks.format.block_size * blocks.format.element.bits
        planes[f"{side}_elements"] = (bits, blocks.codes, partial(pack_codes, block_format=blocks.format))
        planes[f"{side}_scale"] = (blocks.format.scale.bits, blocks.scales[:, None], _as_bytes)
    planes["last"] = (1, vectors.last[:, None], _as_bytes)
    planes["result"] = (32, vectors.results.astype("<u4")[:, None], _as_bytes)
    return planes


def _as_bytes(rows: NDArray[Any]) -> NDArray[np.uint8]:
    return rows.view(np.uint8)


def _write_files(vectors: DotVectors, directory: Path) -> None:
    described = {}
    for name, (bits, rows, to_bytes) in _planes(vectors).items():
        file = f"{name}.hex"
        digest = hashlib.sha256()
        with open(directory / file, "xb") as stream:
            for start in range(0, len(rows), _CHUNK_ROWS):
                text = hex_lines(to_bytes(rows[start : start + _CHUNK_ROWS]), -(-bits // 4))
                digest.update(text)
                stream.write(text)
        described[name] = {"file": file, "bits": bits, "rows": len(rows), "sha256": digest.hexdigest()}
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "operation": OPERATION,
        "a_format": vectors.a.format.name,
        "b_format": vectors.b.format.name,
        "rule": vectors.rule,
        "call": vectors.call,
        "blocks": vectors.blocks,
        "dots": vectors.dots,
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
            return FileError(
                f"{path}: line {number} is {_quote(line)}, {len(line)} characters; expected {digits}"
            )
    if complete < rows:
        where = f"in the middle of line {complete + 1}" if lines[-1] else f"after line {complete}"
        return FileError(f"{path}: ends {where}; {MANIFEST} says {rows} rows")
    return FileError(f"{path}: line {rows + 1} is one too many; {MANIFEST} says {rows} rows")


def _check_dots(directory: Path, manifest: Manifest, last: NDArray[np.bool_]) -> None:
    path = directory / manifest.planes["last"].file
    dots = int(np.count_nonzero(last))
    if dots != manifest.dots:
        raise FileError(f"{path}: marks {dots} last blocks, but {MANIFEST} field dots says {manifest.dots}")
    if not last[-1]:
        raise FileError(f"{path}: line {last.size} is 0; the last block of the file must end a dot product")


def _quote(text: bytes) -> str:
    """Return bytes of a file for a one-line message."""
    shown = text[:80].decode("ascii", "backslashreplace")
    return repr(shown + "..." if len(text) > 80 else shown)
