"""Right results in the wrong place: bytes, bits, the order of codes in a word, the order of vectors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.conformance.causes.case import Case, Cause, Results
from refmodel.vectors.tiles import TileVectors

_Function = Callable[[NDArray[Any], int], NDArray[Any] | None]


def _each(function: _Function, case: Case) -> Results | None:
    """Every output plane changed by *function* of codes and their bits, where it has something to say."""
    bits = {plane.name: plane.code_bits for plane in case.vectors.planes()}
    changed = {name: function(codes, bits[name]) for name, codes in case.expected.items()}
    if all(codes is None for codes in changed.values()):
        return None
    return {name: case.expected[name] if codes is None else codes for name, codes in changed.items()}


def _bytes_reversed(codes: NDArray[Any], bits: int) -> NDArray[Any] | None:
    return codes.byteswap() if bits in (16, 32) else None


def _bits_reversed(codes: NDArray[Any], bits: int) -> NDArray[Any]:
    result = np.zeros_like(codes)
    for place in range(bits):
        result |= (codes >> codes.dtype.type(place) & codes.dtype.type(1)) << codes.dtype.type(bits - 1 - place)
    return result


def _codes_reversed(codes: NDArray[Any], bits: int) -> NDArray[Any] | None:
    return codes[:, ::-1] if codes.shape[1] > 1 else None


def _codes_swapped(codes: NDArray[Any], bits: int) -> NDArray[Any] | None:
    rows, count = codes.shape
    return codes.reshape(rows, -1, 2)[..., ::-1].reshape(rows, count) if count % 2 == 0 else None


def _transposed(case: Case) -> Results | None:
    vectors = case.vectors
    if not isinstance(vectors, TileVectors) or vectors.rows != vectors.columns:
        return None
    square = vectors.results.reshape(-1, vectors.rows, vectors.columns)
    return {"result": square.swapaxes(1, 2).reshape(len(square), -1)}


def _constant(case: Case) -> Results | None:
    """The word that came most often, always."""
    made = {}
    for name, codes in case.seen.items():
        words, counts = np.unique(codes, axis=0, return_counts=True)
        made[name] = np.broadcast_to(words[counts.argmax()], codes.shape)
    return made


WORD_CAUSES: tuple[Cause, ...] = (
    Cause("bytes-reversed", "The bytes of results are in the opposite order.", partial(_each, _bytes_reversed)),
    Cause("bits-reversed", "The bits of results are in the opposite order.", partial(_each, _bits_reversed)),
    Cause("codes-reversed", "The codes of a word are in the opposite order.", partial(_each, _codes_reversed)),
    Cause("codes-swapped", "Neighbouring codes of a word are exchanged.", partial(_each, _codes_swapped)),
    Cause("tile-transposed", "Rows and columns of tiles are exchanged.", _transposed),
    Cause("one-late", "Results are those of the vector before.", lambda case: case.before),
    Cause("one-early", "Results are those of the vector after.", lambda case: case.after),
    Cause("constant", "All results are the same.", _constant),
)
"""What can be wrong with the form of results, the most specific first."""
