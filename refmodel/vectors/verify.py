"""Check the results of a vector set against the model, and against the oracle, which shares no code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.errors import FileError
from refmodel.vectors.vectorset import Plane, VectorSet


def check_results(vectors: VectorSet) -> int:
    """Compare every result with the model, and of a large set an even selection with the oracle.

    Returns:
        The number of results that the oracle was asked for.

    Raises:
        FileError: If a result differs; the message names plane and word.
    """
    outputs = {plane.name: plane for plane in vectors.planes() if plane.direction == "output"}
    model = vectors.by_model()
    everything = np.arange(vectors.vectors)
    for name, plane in outputs.items():
        _compare(vectors, plane, everything, model[name], "the model")
    asked = max(1, min(vectors.vectors, vectors.oracle_vectors))
    chosen = np.arange(asked) * vectors.vectors // asked
    answers = [vectors.by_oracle(int(i)) for i in chosen]
    for name, plane in outputs.items():
        expected = np.array([answer[name] for answer in answers], plane.codes.dtype)
        _compare(vectors, plane, chosen, expected, "the oracle")
    return int(chosen.size)


def _compare(vectors: VectorSet, plane: Plane, chosen: NDArray[np.int64], expected: NDArray[Any], judge: str) -> None:
    differs = (plane.codes[chosen] != expected).any(axis=1)
    if not differs.any():
        return
    place = int(np.argmax(differs))
    first = int(chosen[place])
    rows = vectors.rows_of(first)
    seen, wanted = (
        _word(Plane(plane.name, "output", codes[None], plane.code_bits))
        for codes in (plane.codes[first], expected[place])
    )
    raise FileError(
        f"{plane.name}: word {first + 1} is {seen}, {judge} gives {wanted} for {vectors.title} "
        f"(class {vectors.class_of(first).name}, inputs: words {rows.start + 1} to {rows.stop}); "
        f"{np.count_nonzero(differs)} of {chosen.size} differ"
    )


def _word(plane: Plane) -> str:
    """Return the only word of a plane in hex, as the file has it."""
    digits = -(-plane.bits // 4)
    return plane.words()[0, ::-1].tobytes().hex()[-digits:]
