"""Vector sets on disk for the bench: made by the model, and reused while nothing about them has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import refmodel
from cocotb_tests.units import FormatPair, Unit
from refmodel.errors import MxError
from refmodel.vectors.dotset import DotVectors, make_dot_vectors
from refmodel.vectors.files import read_dot_vectors, write_vectors
from refmodel.vectors.pairs import TensorPair


@dataclass(frozen=True, slots=True)
class VectorRequest:
    """What a run asks of a vector set: number of dot products, seed, and the matrices to take blocks from."""

    count: int
    seed: int
    tensors: Sequence[TensorPair]


def obtain_vectors(unit: Unit, pair: FormatPair, request: VectorRequest, directory: Path) -> DotVectors:
    """Return the vector set for *unit* and *pair*, and leave it in *directory*.

    What stands there is used if it was made by the same call of the same model and its digests hold.

    Raises:
        MxError: If the request is out of range.
    """
    stamp = directory.with_name(directory.name + ".key")
    key = _key(unit, pair, request)
    if stamp.is_file() and stamp.read_text() == key:
        try:
            return read_dot_vectors(directory)
        except MxError:
            pass  # damaged since: made again below
    stamp.unlink(missing_ok=True)
    vectors = make_dot_vectors(
        pair.a, pair.b, rule=unit.rule, multi_block=unit.marks_blocks, count=request.count, seed=request.seed,
        tensors=request.tensors,
    )  # fmt: skip
    write_vectors(vectors, directory)
    stamp.write_text(key)
    return vectors


def _key(unit: Unit, pair: FormatPair, request: VectorRequest) -> str:
    """Digest of the call and of the model's source: a changed model is never compared with old results."""
    call = [
        unit.rule, unit.marks_blocks, pair.a.name, pair.b.name, request.count, request.seed,
        [tensors.describe() for tensors in request.tensors],
    ]  # fmt: skip
    digest = hashlib.sha256(json.dumps(call).encode())
    package = Path(refmodel.__file__).parent
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
