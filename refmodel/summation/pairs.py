"""Pairs of operands: each row with its own, as in dot products, or all with all, as in a matrix product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate.rule import Rounding
from refmodel.summation.decoded import Decoded, Scales
from refmodel.summation.rounder import Array

_F = TypeVar("_F", np.float32, np.float64)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two decoded operands [K, m] and [K, n].

    Attributes:
        a, b: The operands.
        outer: True: results are [m, n]; False: m = n, results are [n]. Either is called the batch.
    """

    a: Decoded
    b: Decoded
    outer: bool

    def join(self, operation: Callable[[Any, Any], Any], a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        """Apply a binary ufunc to arrays [..., m] and [..., n], giving [..., *batch]."""
        result: NDArray[Any] = operation(a[..., :, None], b[..., None, :]) if self.outer else operation(a, b)
        return result

    def contract(self, a: NDArray[_F], b: NDArray[_F]) -> NDArray[_F]:
        """Sum a * b over the first axis: [k, groups, m], [k, groups, n] -> [groups, *batch]."""
        if not self.outer:
            result: NDArray[_F] = np.einsum("kgr,kgr->gr", a, b)
            return result
        product: NDArray[_F] = np.matmul(a.transpose(1, 2, 0), b.transpose(1, 0, 2))
        return product

    @property
    def is_finite(self) -> bool:
        """Whether no value of either operand is NaN or infinite."""
        return self.a.is_finite and self.b.is_finite

    def groups(self, first: int, count: int, size: int) -> Pair:
        """Return *count* groups of *size* elements from group *first* on, as arrays [size, count, rows]."""

        def cut(operand: Decoded) -> Decoded:
            rows = operand.values.shape[-1]
            part = slice(first * size, (first + count) * size)
            values = operand.values[part].reshape(count, size, rows).swapaxes(0, 1)
            exponents = operand.exponents
            if exponents is not None:
                exponents = exponents[part].reshape(count, size, rows).swapaxes(0, 1)
            return replace(operand, values=values, exponents=exponents)

        return Pair(cut(self.a), cut(self.b), self.outer)

    def without_axis(self, axis: int) -> Pair:
        """Return the pair without an axis of length 1."""

        def squeeze(operand: Decoded) -> Decoded:
            exponents = operand.exponents
            return replace(
                operand,
                values=operand.values.squeeze(axis),
                exponents=None if exponents is None else exponents.squeeze(axis),
            )

        return Pair(squeeze(self.a), squeeze(self.b), self.outer)

    def scales(self, first: int, count: int, size: int) -> tuple[Scales, Scales] | None:
        """Return the scales of those groups, [count, rows] each; None if the operands have none."""
        if self.a.scales is None or self.b.scales is None:
            return None
        index = (np.arange(first, first + count) * size) // self.a.block
        return self.a.scales.at(index), self.b.scales.at(index)

    def scales_of_group(self, group: int, size: int) -> tuple[Scales, Scales] | None:
        """Return the scales of one group, [rows] each; None if the operands have none."""
        if self.a.scales is None or self.b.scales is None:
            return None
        index = group * size // self.a.block
        return self.a.scales.at(index), self.b.scales.at(index)

    def elements(self, positions: slice) -> Pair:
        """Return some elements of each group."""

        def cut(operand: Decoded) -> Decoded:
            return replace(operand, values=operand.values[positions], exponents=None)

        return Pair(cut(self.a), cut(self.b), self.outer)

    def zero_is_negative(self, mode: Rounding, running: Array | None = None) -> NDArray[np.bool_]:
        """Return where an exactly zero sum of the products, and *running*, is -0, over the first axis.

        Terms of one sign add up to zero only if all of them are, so the signs alone decide: -0 if all are
        negative, and when rounding down unless all are positive.
        """
        return zero_is_negative(self.signs(), mode, running)

    def signs(self) -> NDArray[np.bool_]:
        """Return where a product is negative or -0."""
        return np.asarray(self.join(np.not_equal, np.signbit(self.a.values), np.signbit(self.b.values)))


def zero_is_negative(
    signs: NDArray[np.bool_], mode: Rounding, running: Array | None = None
) -> NDArray[np.bool_]:
    """Return where an exactly zero sum of terms of such signs, and *running*, is -0, over the first axis."""
    minus = np.asarray(signs.any(axis=0) if mode == "RD" else signs.all(axis=0))
    if running is None:
        return minus
    return minus | np.signbit(running) if mode == "RD" else minus & np.signbit(running)


def split_special(products: Array) -> tuple[Array, Array]:
    """Separate products [k, *batch] into finite ones, and the IEEE 754 sum of the others [*batch]."""
    finite = np.isfinite(products)
    return np.where(finite, products, 0.0), np.where(finite, 0.0, products).sum(axis=0)


def with_special(terms: list[Array], special: Array | None) -> list[Array]:
    """Put the NaN and infinities of *special* in the place of the terms."""
    if special is None or not (special != 0).any():
        return terms
    is_special = special != 0
    return [np.where(is_special, special, terms[0]), *(np.where(is_special, 0.0, t) for t in terms[1:])]
