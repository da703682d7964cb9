"""Pairs of matrices from the user's files, whose rows meet in dot products."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from refmodel.errors import ShapeError
from refmodel.tensors import parse_source, read_tensors

WEIGHT_SUFFIX, INPUT_SUFFIX = ".weight", ".input"


class TensorPair(NamedTuple):
    """Two matrices that share their last axis; every row of one meets every row of the other.

    Attributes:
        label: What the pair is, for people and for the manifest; no folder in it.
        a: float [M, K].
        b: float [N, K].
    """

    label: str
    a: NDArray[Any]
    b: NDArray[Any]

    def describe(self) -> dict[str, object]:
        """Return what identifies the data: label, and dtype, shape and SHA-256 of each matrix."""
        return {"label": self.label, "a": _identify(self.a), "b": _identify(self.b)}


def load_pairs(source: str, source_b: str | None = None) -> list[TensorPair]:
    """Read pairs of matrices from one file or two.

    With one source: every pair `NAME.weight` and `NAME.input` in it; where it has none, each tensor
    against itself. With two: every tensor of the first with every tensor of the second that has the
    same last axis. A tensor of one axis is one row; leading axes of a larger one are rows.

    Args:
        source: FILE or FILE:NAME, see `refmodel.tensors.parse_source`; its tensors become A.
        source_b: The same for B.

    Raises:
        FileError, DtypeError, ShapeError: As `refmodel.tensors.read_tensors`; ShapeError also if no two
            tensors share their last axis.
    """
    tensors_a = _read_matrices(source)
    if source_b is not None:
        return _cross(source, tensors_a, source_b, _read_matrices(source_b))
    file = _file_name(source)
    met = {name: _input_name(name) for name in tensors_a if name.endswith(WEIGHT_SUFFIX)}
    met = {name: input_name for name, input_name in met.items() if input_name in tensors_a}
    if not met:
        return [TensorPair(f"{file}:{name}", tensor, tensor) for name, tensor in tensors_a.items()]
    pairs = []
    for name, input_name in met.items():
        weight, activation = tensors_a[name], tensors_a[input_name]
        if weight.shape[1] != activation.shape[1]:
            raise ShapeError(
                f"{source}: {name} has rows of {weight.shape[1]} and {input_name} rows of "
                f"{activation.shape[1]} elements; a pair must share its last axis"
            )
        pairs.append(TensorPair(f"{file}:{name.removesuffix(WEIGHT_SUFFIX)}", weight, activation))
    return pairs


def _cross(
    source: str, tensors_a: dict[str, NDArray[Any]], source_b: str, tensors_b: dict[str, NDArray[Any]]
) -> list[TensorPair]:
    file_a, file_b = _file_name(source), _file_name(source_b)
    pairs = [
        TensorPair(f"{file_a}:{name_a} x {file_b}:{name_b}", a, b)
        for name_a, a in tensors_a.items()
        for name_b, b in tensors_b.items()
        if a.shape[1] == b.shape[1]
    ]
    if not pairs:
        shapes_a, shapes_b = (
            ", ".join(f"{name} {list(t.shape)}" for name, t in tensors.items())
            for tensors in (tensors_a, tensors_b)
        )
        raise ShapeError(
            f"no tensor of {source} shares its last axis with one of {source_b}, as dot products need: "
            f"{shapes_a} against {shapes_b}"
        )
    return pairs


def _read_matrices(source: str) -> dict[str, NDArray[Any]]:
    tensors = read_tensors(*parse_source(source))
    return {name: tensor.reshape(-1, tensor.shape[-1]) for name, tensor in tensors.items()}


def _input_name(weight_name: str) -> str:
    """Return the name that the activations have that meet this weight."""
    return weight_name.removesuffix(WEIGHT_SUFFIX) + INPUT_SUFFIX


def _file_name(source: str) -> str:
    return Path(parse_source(source)[0]).name


def _identify(tensor: NDArray[Any]) -> dict[str, object]:
    little_endian = np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<"))
    return {
        "dtype": tensor.dtype.name,
        "shape": list(tensor.shape),
        "sha256": hashlib.sha256(little_endian.tobytes()).hexdigest(),
    }
