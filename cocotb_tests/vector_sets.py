"""Vector sets on disk for the bench: made by the model, and reused while nothing about them has changed."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections import defaultdict
from functools import cache
from pathlib import Path

import refmodel
from cocotb_tests.operations import FAMILIES
from cocotb_tests.operations.base import VectorRequest
from refmodel.conformance import Configuration, Description

_locks: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)


def obtain_vectors(description: Description, configuration: Configuration, request: VectorRequest, root: Path) -> Path:
    """Return the directory, under *root*, of the vector set for a configuration; it is made if need be.

    Configurations that differ in nothing that vectors depend on share a set.

    Raises:
        MxError: If the request is out of range, or there is no such set.
    """
    operation = description.operation.name
    key = vector_key(description, configuration, request)
    directory = root / f"{operation}-{configuration.format_name.replace('*', '-x-')}-{key[:16]}"
    with _locks[directory]:
        stamp = directory / "complete.key"
        if stamp.is_file() and stamp.read_text() == key:
            return directory
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        FAMILIES[operation].make(description, configuration, request, directory)
        stamp.write_text(key)
    return directory


def vector_key(description: Description, configuration: Configuration, request: VectorRequest) -> str:
    """Return a digest of the call and of the model's source: a changed model is never compared with old results."""
    call = [
        description.operation.name,
        FAMILIES[description.operation.name].call(description, configuration),
        request.count,
        request.seed,
        [tensors.describe() for tensors in request.tensors],
    ]
    return hashlib.sha256(json.dumps(call).encode() + _model()).hexdigest()


@cache
def _model() -> bytes:
    digest = hashlib.sha256()
    package = Path(refmodel.__file__).parent
    for root in (package, Path(__file__).parent / "operations"):
        for path in sorted(root.rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.digest()
