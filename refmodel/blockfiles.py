"""Blocks in ``.npz`` and ``.safetensors`` files that say themselves what they hold.

Beside the arrays stands a text, ``mx_blocks``: JSON with the format, described field by field, the shape and
axis of the array that the blocks stand for, the tensor scale if there is one, and how the codes are stored.
In ``.npz`` it is an array of one string, in ``.safetensors`` it is metadata. The arrays:

    scales   uint8, uint16 or uint32 [..., n_blocks]   the scale codes
    codes    uint8 [..., n_blocks, bytes]              the element codes of each block, in a layout
    blocks   uint8 [..., n_blocks, bytes]              instead of both, where the scale is first or last
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, BinaryIO

from numpy.typing import NDArray

from refmodel.arrayfiles import ArrayFile, StoredArray, open_arrays
from refmodel.blocks import Blocks
from refmodel.descriptions import describe_format, format_from_description
from refmodel.errors import FileError, MxError
from refmodel.formats import BlockFormat
from refmodel.layouts import Layout
from refmodel.packing import SCALE_POSITIONS, ScalePosition, pack, pack_blocks, unpack, unpack_blocks
from refmodel.writing import write_arrays

BLOCK_SUFFIXES = (".npz", ".safetensors")
"""The files that can hold blocks."""

KEY = "mx_blocks"
_VERSION = 1
_FIELDS = ("version", "format", "shape", "axis", "tensor_scale", "layout", "scale_position")


@dataclass(frozen=True, slots=True)
class _Description:
    """The text of a block file, every field checked."""

    format: BlockFormat
    shape: tuple[int, ...]
    axis: int | None
    tensor_scale: float | None
    layout: Layout
    scale_position: ScalePosition


def write_blocks(
    stream: BinaryIO,
    suffix: str,
    blocks: Blocks,
    layout: Layout = "byte",
    scale_position: ScalePosition = "apart",
) -> None:
    """Write blocks in the form of *suffix*, one of `BLOCK_SUFFIXES`.

    Args:
        stream: Binary file, open for writing.
        suffix: ".npz" or ".safetensors".
        blocks: The blocks.
        layout: Where the bits of the element codes go, see `refmodel.layouts`.
        scale_position: Where the scale goes, see `refmodel.packing.pack_blocks`.

    Raises:
        UnknownNameError, DefinitionError, ShapeError: As `refmodel.packing.pack_blocks`.
    """
    arrays: dict[str, NDArray[Any]]
    if scale_position == "apart":
        arrays = {"codes": pack(blocks.codes, blocks.format.element, layout), "scales": blocks.scales}
    else:
        arrays = {"blocks": pack_blocks(blocks, layout, scale_position=scale_position)}
    described = {
        "version": _VERSION,
        "format": describe_format(blocks.format),
        "shape": list(blocks.shape),
        "axis": blocks.axis,
        "tensor_scale": None if blocks.tensor_scale is None else float(blocks.tensor_scale),
        "layout": layout,
        "scale_position": scale_position,
    }
    write_arrays(stream, suffix, arrays, {KEY: json.dumps(described)})


def is_block_file(path: str | os.PathLike[str]) -> bool:
    """Return whether a file is one that `write_blocks` wrote, by its description alone.

    Raises:
        FileError: If the file cannot be read or is damaged.
    """
    if PurePath(path).suffix.lower() not in BLOCK_SUFFIXES:
        return False
    with open_arrays(path) as file:
        return KEY in file.metadata or KEY in file.arrays


def read_blocks(path: str | os.PathLike[str]) -> Blocks:
    """Return the blocks that a file holds.

    Raises:
        FileError: If the file cannot be read or is damaged, if it holds no blocks, or if its description and
            its arrays do not fit each other.
    """
    with open_arrays(path) as file:
        if KEY not in file.metadata and KEY not in file.arrays:
            raise FileError(
                f"{file.where}: holds no blocks, for there is no {KEY!r}; mxref quantize makes them"
            )
        described = _parse(_text(file), file.where)
        try:
            return _blocks(file, described)
        except FileError:
            raise
        except MxError as error:
            raise FileError(f"{file.where}: {error}") from error


def _blocks(file: ArrayFile, described: _Description) -> Blocks:
    fmt, layout, position = described.format, described.layout, described.scale_position
    if position == "apart":
        codes, scales = unpack(_array(file, "codes"), fmt.element, layout), _array(file, "scales")
    else:
        blocks = unpack_blocks(_array(file, "blocks"), fmt, layout, scale_position=position)
        codes, scales = blocks.codes, blocks.scales
    return Blocks(fmt, codes, scales, described.shape, described.axis, described.tensor_scale)


def _array(file: ArrayFile, name: str) -> NDArray[Any]:
    stored = _stored(file, name)
    if stored.kind != "integer":
        raise FileError(f"{file.where}: tensor {name!r} is {stored.dtype}; codes are unsigned integers")
    return stored.read()


def _stored(file: ArrayFile, name: str) -> StoredArray:
    if name not in file.arrays:
        raise FileError(f"{file.where}: no tensor {name!r}, which its {KEY!r} asks for")
    return file.arrays[name]()


def _text(file: ArrayFile) -> str:
    if KEY in file.metadata:
        return file.metadata[KEY]
    stored = _stored(file, KEY)
    if stored.kind != "text" or stored.shape != ():
        raise FileError(f"{file.where}: {KEY!r} is not one text")
    try:
        return str(stored.read()[()])
    except ValueError as error:  # no code points of Unicode
        raise FileError(f"{file.where}: {KEY!r} is not one text") from error


def _parse(text: str, where: str) -> _Description:
    def refused(problem: str) -> FileError:
        return FileError(f"{where}: {KEY!r}: {problem}")

    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise refused("not valid JSON") from error
    if not isinstance(values, dict) or sorted(values) != sorted(_FIELDS):
        raise refused(f"must be an object with just the keys {', '.join(_FIELDS)}")
    if values["version"] != _VERSION:
        raise refused(f"version is {json.dumps(values['version'])[:40]}; this reads {_VERSION}")
    shape, axis, layout = values["shape"], values["axis"], values["layout"]
    if not isinstance(shape, list) or not all(type(n) is int and 0 <= n < 1 << 63 for n in shape):
        raise refused("shape must be a list of integers of at least 0")
    if axis is not None and (type(axis) is not int or not -len(shape) <= axis < len(shape)):
        raise refused(f"axis must be null or an integer that is an axis of shape {shape}")
    if values["tensor_scale"] is not None and type(values["tensor_scale"]) is not float:
        raise refused("tensor_scale must be null or a number with a point")
    if values["scale_position"] not in SCALE_POSITIONS:
        raise refused(f"scale_position must be one of {', '.join(SCALE_POSITIONS)}")
    try:
        fmt = format_from_description(values["format"])
    except MxError as error:
        raise refused(str(error)) from error
    return _Description(fmt, tuple(shape), axis, values["tensor_scale"], layout, values["scale_position"])
