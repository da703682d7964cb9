"""What candidates answer, and which probes tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate import AccumulationRule
from refmodel.accumulate.rule import AccumulatorFormat
from refmodel.dot import dot
from refmodel.identify.probes import Probes

NAN = np.uint32(0x7FC00000)


def predicted(rule: AccumulationRule, probes: Probes) -> NDArray[np.uint32]:
    """Return the bits that *rule* gives, every NaN as `NAN`."""
    return one_nan(dot(*probes.operands(), rule, probes.c.view(np.float32)).view(np.uint32))


def one_nan(bits: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return *bits* with every NaN as `NAN`."""
    return np.where(is_nan(bits), NAN, bits)


def is_nan(bits: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return which Float32 bits are NaN."""
    return (bits & np.uint32(0x7FFFFFFF)) > np.uint32(0x7F800000)


def holds(format: AccumulatorFormat, bits: NDArray[np.uint32]) -> bool:
    """Return whether all numbers among Float32 bits are numbers of a narrower format."""
    numbers = bits[~is_nan(bits)]
    if format == "bf16":
        return not (numbers & np.uint32(0xFFFF)).any()
    with np.errstate(over="ignore"):
        half = numbers.view(np.float32).astype(np.float16).astype(np.float32)
    return format == "fp32" or (format == "fp16" and bool((half.view(np.uint32) == numbers).all()))


def predictions(rules: Sequence[AccumulationRule], probes: Probes) -> NDArray[np.uint32]:
    """Return the bits that each rule gives, [rules, probes]."""
    return np.stack([predicted(rule, probes) for rule in rules])


def classes(answers: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return for each row a number that rows with equal answers share."""
    found = np.unique(answers, axis=0, return_inverse=True)[1]
    return np.asarray(found, np.int64).reshape(-1)


def splitting(answers: NDArray[np.uint32], most: int) -> list[int]:
    """Choose up to *most* columns that split the rows into the most even classes, one after the other.

    Every column chosen splits a class that those before it left whole; so with room enough the columns together
    tell apart all rows that any column does.
    """
    rows, columns = answers.shape
    coded = np.stack([np.unique(column, return_inverse=True)[1].reshape(-1) for column in answers.T], axis=1)
    differing = np.flatnonzero((coded != coded[:1]).any(axis=0)) if rows else np.array([], np.int64)
    coded = coded[:, differing].astype(np.int64)
    labels = np.zeros(rows, np.int64)
    chosen: list[int] = []
    while len(chosen) < min(most, columns) and len(differing):
        joint = labels[:, None] * (rows + 1) + coded
        entropies = np.array([_entropy(column) for column in joint.T])
        best = int(np.argmax(entropies))
        if entropies[best] <= _entropy(labels) + 1e-12:
            break
        chosen.append(int(differing[best]))
        labels = np.unique(joint[:, best], return_inverse=True)[1].reshape(-1)
    return chosen


def _entropy(labels: NDArray[Any]) -> float:
    counts = np.unique(labels, return_counts=True)[1]
    share = counts / counts.sum()
    return float(-(share * np.log2(share)).sum())
