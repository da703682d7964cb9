"""Named tensors from files: NumPy ``.npy`` and ``.npz``, and ``.safetensors``.

Float16, Float32 and Float64 come back as they are stored; bfloat16, which only ``.safetensors``
can name, is widened to Float32, which is exact. What the files look like is the concern of
`refmodel.arrayfiles`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from refmodel.arrayfiles import ArrayFile, Kind, StoredArray, open_arrays
from refmodel.errors import DefinitionError, DtypeError, FileError, MxError, ShapeError

Content: TypeAlias = Literal["numbers", "codes"]
"""What an array stands for: ``numbers`` are stored as floats; ``codes`` as integers, or as FP8 types."""

_ACCEPTED = "accepted: float16, float32, float64, and bfloat16 in .safetensors"
_KINDS: dict[Content, tuple[tuple[Kind, ...], str]] = {
    "numbers": (("float",), _ACCEPTED),
    "codes": (("integer", "byte"), "codes are integers, or bytes of an FP8 type"),
}
_MOST_NAMES = 10  # in one message


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


def read_array(source: str, content: Content) -> NDArray[Any]:
    """Return the one array that ``FILE`` or ``FILE:NAME`` means, of any shape.

    The array of a ``.npy`` file is mapped, so that one larger than the memory can be worked through.

    Args:
        source: See `parse_source`; without a name, the file must hold one array of that content alone.
        content: What the array has to hold.

    Returns:
        Array in native byte order unless it is mapped, possibly read-only: float16, float32 or float64 for
        numbers, any integer dtype for codes.

    Raises:
        FileError: As `read_tensors`.
        DtypeError: If the array, or every array, is of another content.
        DefinitionError: If there are several and none is named.
    """
    path, name = parse_source(source)
    kinds, accepted = _KINDS[content]
    with open_arrays(path, mapped=True) as file:
        usable, refused = [], []
        for each, stored in _described(file, name):
            if stored.kind in kinds:
                usable.append((each, stored))
            else:
                refused.append(_refused_dtype(f"{file.where}: tensor {each!r}", stored, accepted))
        if not usable:
            raise _nothing_usable(file.where, refused)
        if len(usable) > 1:
            raise DefinitionError(f"{source}: holds {len(usable)} tensors; name one: {path}:{usable[0][0]}")
        return usable[0][1].read()


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
    with open_arrays(path) as file:
        tensors: dict[str, np.ndarray] = {}
        refused: list[MxError] = []
        for each, stored in _described(file, name):
            refusal = _refusal(f"{file.where}: tensor {each!r}", stored)
            if refusal is None:
                tensors[each] = stored.read()
            else:
                refused.append(refusal)
        if not tensors:
            raise _nothing_usable(file.where, refused)
    return tensors


def _described(file: ArrayFile, name: str | None) -> list[tuple[str, StoredArray]]:
    """Return the descriptions of all arrays of a file, or of the one called *name*."""
    if name is not None and name not in file.arrays:
        raise _no_such_tensor(file.where, name, list(file.arrays))
    names = list(file.arrays) if name is None else [name]
    return [(each, file.arrays[each]()) for each in names]


def _refusal(where: str, stored: StoredArray) -> MxError | None:
    """Return why a tensor is not taken, or None if it is."""
    if stored.kind != "float":
        return _refused_dtype(where, stored, _ACCEPTED)
    if not stored.shape:
        return ShapeError(f"{where} is a single {stored.dtype} without an axis; at least one axis is needed")
    if 0 in stored.shape:
        return ShapeError(f"{where} has shape {list(stored.shape)} and so 0 elements; at least 1 is needed")
    return None


def _refused_dtype(where: str, stored: StoredArray, accepted: str) -> DtypeError:
    return DtypeError(f"{where} is {stored.dtype}{stored.hint}; {accepted}")


def _nothing_usable(where: str, refused: Sequence[MxError]) -> MxError:
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
