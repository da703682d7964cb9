"""Acceptable results where choices that the documents leave open are not declared: those of every value of them.

The results of a set are those of its options or rule, and where a design declares all of them they alone are right.
Where it leaves some open, as one whose NaN nobody looks at, `acceptable.jsonl` has a line for each vector with more
than one acceptable result: its number and all of them, that of the set first. ``nan_pattern`` undeclared makes every
NaN of the result format acceptable where the result is one, written as ``"nan"``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from refmodel.blocks import Blocks
from refmodel.errors import DefinitionError
from refmodel.options import DequantizeOverflow
from refmodel.vectors.conversions import DequantizeVectors, dequantize_results
from refmodel.vectors.flags import describe_flags
from refmodel.vectors.vectorset import VectorSet

ACCEPTABLE = "acceptable.jsonl"
"""Name of the file."""

MOST = 64
"""Largest number of combinations of values of undeclared choices."""

_NAN = "nan_pattern"

Outputs = Mapping[str, NDArray[Any]]


def check_undeclared(vectors: VectorSet, undeclared: Sequence[str]) -> None:
    """Refuse choices that decide no result of a set.

    Raises:
        DefinitionError: If so, if one is named twice, or if they have more than MOST combinations of values.
    """
    values = _values(vectors)
    for name in undeclared:
        if name not in values:
            known = ", ".join(values) or "none"
            raise DefinitionError(f"undeclared {name!r}: what may be left open for {vectors.title} is {known}")
    if len(set(undeclared)) != len(undeclared):
        raise DefinitionError(f"undeclared {', '.join(undeclared)}: name each once")
    count = int(np.prod([len(values[name]) for name in undeclared], dtype=np.int64))
    if count > MOST:
        raise DefinitionError(f"undeclared {', '.join(undeclared)}: {count} combinations of values, above {MOST}")


def acceptable_lines(vectors: VectorSet, undeclared: Sequence[str], first: int = 0) -> Iterator[str]:
    """Yield the line of each vector with more than one acceptable result; the first vector is number *first*.

    Raises:
        DefinitionError: As `check_undeclared`.
    """
    check_undeclared(vectors, undeclared)
    given = {plane.name: plane.codes for plane in vectors.planes() if plane.direction == "output"}
    alternatives = [given, *_alternatives(vectors, [name for name in undeclared if name != _NAN])]
    several: Any = np.zeros(vectors.vectors, np.bool_)
    for other in alternatives[1:]:
        for name, codes in given.items():
            several = several | (codes != other[name]).any(axis=1)
    any_nan: Any = np.zeros(vectors.vectors, np.bool_)
    if _NAN in undeclared:
        any_nan = _is_nan(given["result"], cast("Any", vectors).rule.result_format).any(axis=1)
    for i in np.flatnonzero(several | any_nan).tolist():
        results = [{name: codes[i].tolist() for name, codes in each.items()} for each in alternatives]
        unique: list[object] = [each for n, each in enumerate(results) if each not in results[:n]]
        if any_nan[i]:
            unique.append("nan")
        yield json.dumps({"vector": first + i, "acceptable": unique}, separators=(",", ":")) + "\n"


def _values(vectors: VectorSet) -> dict[str, tuple[Any, ...]]:
    """Return the choices that decide results of a set, and the values that they can have."""
    _, flags = describe_flags(vectors, [each.name for each in vectors.classes])
    decide = dict.fromkeys(name for flag in flags.values() for name in cast("Any", flag.get("declared", {})))
    if isinstance(vectors, DequantizeVectors):
        return {"overflow": get_args(DequantizeOverflow)} if "overflow" in decide else {}
    source = getattr(vectors, "options", None) or getattr(vectors, "rule", None)
    if source is None:
        return {}
    hints = get_type_hints(type(source))
    found: dict[str, tuple[Any, ...]] = {}
    for name in decide:
        if name == _NAN:
            found[name] = (getattr(source, name),)
        elif get_origin(hints.get(name)) is Literal:
            # Random numbers and refusals have no results to write down.
            found[name] = tuple(each for each in get_args(hints[name]) if each not in ("stochastic", "error"))
        elif hints.get(name) is bool:
            found[name] = (False, True)
    return found


def _alternatives(vectors: VectorSet, undeclared: Sequence[str]) -> Iterator[Outputs]:
    """Yield the results under each combination of values; combinations that contradict each other have none."""
    values = _values(vectors)
    for combination in product(*(values[name] for name in undeclared)):
        chosen = dict(zip(undeclared, combination, strict=True))
        if isinstance(vectors, DequantizeVectors):
            blocks = Blocks(vectors.format, vectors.elements, vectors.scales)
            yield {"values": dequantize_results(blocks, **chosen)}
            continue
        key = "options" if hasattr(vectors, "options") else "rule"
        try:
            changed = replace(cast("Any", vectors), **{key: replace(getattr(vectors, key), **chosen)})
            yield changed.by_model()
        except DefinitionError:
            continue


def _is_nan(codes: NDArray[Any], result_format: str) -> NDArray[np.bool_]:
    infinity, magnitude = {
        "fp32": (0x7F800000, 0x7FFFFFFF),
        "bf16": (0x7F80, 0x7FFF),
        "fp16": (0x7C00, 0x7FFF),
    }[result_format]
    is_nan: NDArray[np.bool_] = (codes & magnitude) > infinity
    return is_nan
