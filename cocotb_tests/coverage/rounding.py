"""What the last rounding of a result cuts off: from exact integers, independent of any RTL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.blocks import Blocks
from refmodel.elements import decode_table
from refmodel.formats import NumberFormat
from refmodel.oracle.fast import add_float32, float32_bits

NONE, EXACT, BELOW_TIE, TIE_DOWN, TIE_UP, ABOVE_TIE = range(6)

QUANTUM, DIGITS, INFINITY_BITS, SIGN_BIT = -149, 24, 0x7F800000, 0x80000000

Scaled = tuple[int, int]
"""(n, e) stands for n * 2**e."""


def situation(n: int, e: int) -> int:
    """Return the bin of the rounding of n * 2**e to Float32, as if its exponents had no upper end."""
    n = abs(n)
    cut = max(n.bit_length() + e - DIGITS, QUANTUM) - e  # bits below the last place
    if cut <= 0:
        return EXACT
    rest, half = n & ((1 << cut) - 1), 1 << (cut - 1)
    if rest == 0:
        return EXACT
    if rest == half:
        return TIE_UP if n >> cut & 1 else TIE_DOWN
    return BELOW_TIE if rest < half else ABOVE_TIE


def block_sums(a: Blocks, b: Blocks) -> tuple[list[int], list[int], NDArray[np.bool_]]:
    """Return of every block pair [N] the exact sum as n and e, and whether it is no number."""
    (ints_a, unit_a, special_a), (ints_b, unit_b, special_b) = (_elements(each.format.element) for each in (a, b))
    (n_a, e_a), (n_b, e_b) = (_scales(each.format.scale) for each in (a, b))
    # Products have up to 64 bits and sums 69: Python's integers, in numpy arrays.
    sums = (ints_a[a.codes] * ints_b[b.codes]).sum(axis=1) * n_a[a.scales] * n_b[b.scales]
    exponents = e_a[a.scales] + e_b[b.scales] + unit_a + unit_b
    special = np.asarray((special_a[a.codes] | special_b[b.codes]).any(axis=1))
    for operand in (a, b):
        special |= np.isnan(decode_table(operand.format.scale))[operand.scales]
    return sums.tolist(), exponents.tolist(), special


def _elements(fmt: NumberFormat) -> tuple[NDArray[Any], int, NDArray[np.bool_]]:
    """Elements as integers by code, the exponent of their unit, and which are no numbers."""
    values = decode_table(fmt)
    special = ~np.isfinite(values)
    integers = np.ldexp(np.where(special, 0.0, values), -fmt.quantum_exponent)
    return np.array([int(each) for each in integers], object), fmt.quantum_exponent, special


def _scales(fmt: NumberFormat) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Scales as (n, e) by code, (0, 0) for NaN."""
    mantissas, exponents = np.frexp(np.nan_to_num(decode_table(fmt)))
    return np.array([int(each) for each in mantissas * 256], object), exponents.astype(np.int64) - 8


def float32_term(bits: int) -> Scaled:
    """Return a finite Float32 as (n, e)."""
    field, n = divmod(bits & ~SIGN_BIT, 1 << 23)
    if field:
        n |= 1 << 23
    return -n if bits & SIGN_BIT else n, max(field, 1) - 150


def added(x: Scaled, y: Scaled) -> Scaled:
    """Return the exact sum."""
    e = min(x[1], y[1])
    return (x[0] << x[1] - e) + (y[0] << y[1] - e), e


def _exact(start: int, terms: Sequence[Scaled]) -> int:
    total = float32_term(start)
    for term in terms:
        total = added(total, term)
    return situation(*total)


def _fused(start: int, terms: Sequence[Scaled]) -> int:
    running = start
    for term in terms[:-1]:
        running = float32_bits(*added(float32_term(running), term))
        if running & ~SIGN_BIT == INFINITY_BITS:
            return NONE
    return situation(*added(float32_term(running), terms[-1]))


def _block_add(start: int, terms: Sequence[Scaled]) -> int:
    rounded = [float32_bits(*term) for term in terms]
    running = start
    for term in rounded[:-1]:
        running = add_float32(running, term)
    if max(running & ~SIGN_BIT, rounded[-1] & ~SIGN_BIT) >= INFINITY_BITS:  # an Inf, or NaN of two
        return NONE
    return situation(*added(float32_term(running), float32_term(rounded[-1])))


RULES: dict[str, Callable[[int, Sequence[Scaled]], int]] = {
    "exact_fp32": _exact,
    "block32_exact_fused": _fused,
    "block32_fp32_add": _block_add,
}
"""Bin of the last rounding of a dot product, from the bits of c and the terms of its blocks, by rule."""


def rounding_bins(
    rule: str, a: Blocks, b: Blocks, bounds: NDArray[np.int64], c: NDArray[np.uint32] | None
) -> NDArray[np.int64]:
    """Return the bin of every dot product: NONE where an operand is no number, or an Inf came before the last step."""
    bin_of = RULES[rule]
    sums, exponents, special = block_sums(a, b)
    starts = [0] * (len(bounds) - 1) if c is None else c.tolist()
    edges = bounds.tolist()
    found = np.empty(len(starts), np.int64)
    for i, start in enumerate(starts):
        rows = slice(edges[i], edges[i + 1])
        if start & ~SIGN_BIT >= INFINITY_BITS or special[rows].any():
            found[i] = NONE
        else:
            found[i] = bin_of(start, list(zip(sums[rows], exponents[rows], strict=True)))
    return found
