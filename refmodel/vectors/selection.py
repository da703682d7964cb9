"""Some of the vectors of a set, as a set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from refmodel.blocks import Blocks
from refmodel.vectors.dotset import DotVectors
from refmodel.vectors.tiles import TileVectors
from refmodel.vectors.vectorset import RowSet, StimulusClassRange, VectorSet, rows_of_runs

_Set = TypeVar("_Set", bound=VectorSet)


def select_vectors(vectors: _Set, chosen: NDArray[np.int64]) -> _Set:
    """Return the set of the *chosen* vectors, ascending numbers; its classes are those that it has vectors of."""
    classes = _classes(vectors, chosen)
    if isinstance(vectors, DotVectors | TileVectors):
        rows = rows_of_runs(vectors.bounds, chosen)
        a, b = (
            Blocks(x.format, x.codes[rows], x.scales[rows], tensor_scale=x.tensor_scale)
            for x in (vectors.a, vectors.b)
        )
        c = None if vectors.c is None else vectors.c[chosen]
        last, results = vectors.last[rows], vectors.results[chosen]
        return cast(_Set, replace(vectors, a=a, b=b, last=last, results=results, c=c, classes=classes))
    assert isinstance(vectors, RowSet), "there are no other sets"
    rows_of_arrays = {name: getattr(vectors, name)[chosen] for name in vectors.arrays}
    return cast(_Set, replace(cast("Any", vectors), **rows_of_arrays, classes=classes))


def _classes(vectors: VectorSet, chosen: NDArray[np.int64]) -> tuple[StimulusClassRange, ...]:
    classes, made = [], 0
    for each in vectors.classes:
        first, end = np.searchsorted(chosen, (each.first, each.first + each.count)).tolist()
        if end > first:
            classes.append(replace(each, first=made, count=end - first))
            made += end - first
    return tuple(classes)
