"""Check the results of a vector set against the model, and against the oracle, which shares no code."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.arrayfiles import printable
from refmodel.errors import FileError
from refmodel.vectors.acceptable import ACCEPTABLE, acceptable_lines
from refmodel.vectors.files import read_manifest, read_vectors
from refmodel.vectors.manifest import MANIFEST
from refmodel.vectors.vectorset import Plane, VectorSet


def verify_directory(directory: str | os.PathLike[str]) -> tuple[VectorSet, int]:
    """Read a vector directory, check everything about it, and compute all results again.

    Returns:
        The vectors, and the number of results that the oracle was asked for.

    Raises:
        FileError: As `refmodel.vectors.files.read_vectors` and `check_results`; also if the directory has a file that
            the manifest does not name, or other acceptable results than the model gives.
    """
    path = Path(directory)
    manifest = read_manifest(path)
    others = sorted({each.name for each in path.iterdir()} - {MANIFEST, *manifest.files})
    if others:
        raise FileError(f"{directory}: also holds {printable(others[0])}, of which {MANIFEST} knows nothing")
    vectors = read_vectors(path)
    try:
        judged = check_results(vectors)
    except FileError as error:
        raise FileError(f"{directory}: {error}") from error
    if manifest.acceptable is not None:
        _check_acceptable(path / ACCEPTABLE, acceptable_lines(vectors, manifest.acceptable.undeclared))
    return vectors, judged


def _check_acceptable(path: Path, lines: Iterable[str]) -> None:
    with open(path, encoding="ascii", errors="replace") as found:
        for number, (line, wanted) in enumerate(zip_longest(found, lines), start=1):
            if line != wanted:
                raise FileError(f"{path}: line {number} is not what the model gives under the choices left open")


def check_results(vectors: VectorSet) -> int:
    """Compare every result with the model, and of a large set an even selection with the oracle.

    Returns:
        The number of results that the oracle was asked for.

    Raises:
        FileError: If a result differs; the message names plane and word.
    """
    outputs = _outputs(vectors)
    model = vectors.by_model()
    everything = np.arange(vectors.vectors)
    for name, plane in outputs.items():
        _compare(vectors, plane, everything, model[name], "the model")
    return check_by_oracle(vectors)


def check_by_oracle(vectors: VectorSet) -> int:
    """Compare the results of a small set, or an even selection of a large one, with the oracle.

    Returns:
        The number of results that the oracle was asked for.

    Raises:
        FileError: As `check_results`.
    """
    asked = max(1, min(vectors.vectors, vectors.oracle_vectors))
    chosen = np.arange(asked) * vectors.vectors // asked
    answers = [vectors.by_oracle(int(i)) for i in chosen]
    for name, plane in _outputs(vectors).items():
        expected = np.array([answer[name] for answer in answers], plane.codes.dtype)
        _compare(vectors, plane, chosen, expected, "the oracle")
    return int(chosen.size)


def _outputs(vectors: VectorSet) -> dict[str, Plane]:
    return {plane.name: plane for plane in vectors.planes() if plane.direction == "output"}


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
