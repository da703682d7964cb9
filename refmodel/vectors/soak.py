"""Soak: pieces of the largest set there is, each made by the model and judged by the oracle, as long as one likes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from refmodel.errors import FileError
from refmodel.shards import Result
from refmodel.vectors.vectorset import VectorSet
from refmodel.vectors.verify import check_by_oracle

_CHUNK_ROWS = 1 << 15


def judge(vectors: VectorSet) -> Result:
    """Return what there is to say of a piece: vectors by class, judged by the oracle, digest of planes, difference."""
    digest = hashlib.sha256()
    for plane in vectors.planes():
        for start in range(0, len(plane.codes), _CHUNK_ROWS):
            digest.update(np.ascontiguousarray(plane.words(slice(start, start + _CHUNK_ROWS))).data)
    difference, judged = None, 0
    try:
        judged = check_by_oracle(vectors)
    except FileError as error:
        difference = str(error)
    return {
        "vectors": vectors.vectors,
        "classes": {each.name: each.count for each in vectors.classes},
        "judged": judged,
        "sha256": digest.hexdigest(),
        "difference": difference,
    }


def summarise(results: Iterable[Result]) -> dict[str, Any]:
    """Return the sums of the results of shards in their order, and one digest of all of their digests."""
    classes: Counter[str] = Counter()
    digest = hashlib.sha256()
    shards = vectors = judged = 0
    differences = []
    for number, each in enumerate(results):
        shards, vectors, judged = shards + 1, vectors + each["vectors"], judged + each["judged"]
        classes.update(each["classes"])
        digest.update(bytes.fromhex(each["sha256"]))
        if each["difference"] is not None:
            differences.append({"shard": number, "difference": each["difference"]})
    return {
        "shards": shards,
        "vectors": vectors,
        "judged": judged,
        "classes": dict(classes),
        "sha256": digest.hexdigest(),
        "differences": differences,
    }
