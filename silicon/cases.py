"""Random dot products aimed at the boundaries where accumulation rules differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate import AccumulationRule
from refmodel.blocks import Blocks
from refmodel.elements import decode_table
from refmodel.formats import FLOAT32, BlockFormat, ElementFormat, FloatFormat, ScaleFormat, get_scale
from refmodel.operands import OPERAND_FORMATS, Elements, Operand

LOWEST_EXPONENT = -140
"""Of products next to subnormals, and to the bounds, -131 to -139, that machines put on it."""


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """Dot products of equal length.

    Attributes:
        element_a, element_b: Element formats.
        a, b: Element codes [n, K].
        c: uint32 [n], Float32 bits of the initial values.
        scale: Scale format, or None for operands without block scales.
        block: Elements that share a scale, 0 without scales.
        scales_a, scales_b: Scale codes [n, K / block], or None.
    """

    element_a: ElementFormat
    element_b: ElementFormat
    a: NDArray[Any]
    b: NDArray[Any]
    c: NDArray[np.uint32]
    scale: ScaleFormat | None = None
    block: int = 0
    scales_a: NDArray[np.uint8] | None = None
    scales_b: NDArray[np.uint8] | None = None

    def operands(self) -> tuple[Operand, Operand]:
        """Return a and b as the model takes them."""
        pairs = ((self.element_a, self.a, self.scales_a), (self.element_b, self.b, self.scales_b))
        a, b = (_operand(element, codes, self.scale, scales, self.block) for element, codes, scales in pairs)
        return a, b


def _operand(
    element: ElementFormat,
    codes: NDArray[Any],
    scale: ScaleFormat | None,
    scales: NDArray[np.uint8] | None,
    block: int,
) -> Operand:
    if scale is None or scales is None:
        return Elements(element, codes)
    fmt = BlockFormat(f"{element.name}_{scale.name}_{block}", element, scale, block)
    return Blocks(fmt, codes.reshape(*scales.shape, block), scales)


def draw(
    rng: np.random.Generator,
    rule: AccumulationRule,
    n: int,
    k: int,
    element_a: ElementFormat,
    element_b: ElementFormat,
) -> Cases:
    """Return *n* random dot products of *k* elements that *rule* can take.

    Operands with block scales are drawn for a rule that says where scales enter; *k* is then a multiple of
    the block size.
    """
    a, b = _codes(rng, element_a, n, k), _codes(rng, element_b, n, k)
    _cancel(rng, element_a, a, b)
    _negative_zeros(rng, element_a, a, element_b, b)
    if rule.scale_apply == "epilogue_tensor":
        return Cases(element_a, element_b, a, b, _initial(rng, rule, _products(element_a, a, element_b, b)))
    scale, block = get_scale(rule.scale_format or "e8m0"), rule.block or 32
    scales_a, scales_b = _scales(rng, scale, n, k // block)
    both = [decode_table(scale)[s] for s in (scales_a, scales_b)]
    with np.errstate(invalid="ignore", over="ignore"):
        products = _products(element_a, a, element_b, b) * np.repeat(both[0] * both[1], block, axis=1)
    c = _initial(rng, rule, products)
    return Cases(element_a, element_b, a, b, c, scale, block, scales_a, scales_b)


def formats_of(rule: AccumulationRule) -> list[tuple[ElementFormat, ElementFormat]]:
    """Return the pairs of element formats to try: formats of 8 bits and fewer mix, wider ones do not."""
    names = rule.elements or ("e4m3", "e5m2", "e3m2", "e2m3", "e2m1", "int8")
    formats = [OPERAND_FORMATS[name] for name in names]
    if rule.term_exponent != "none":  # a fixed-point number has no exponent to align by
        formats = [fmt for fmt in formats if isinstance(fmt, FloatFormat)]
    return [(a, b) for a in formats for b in formats if a is b or max(a.bits, b.bits) <= 8]


def _code_type(element: ElementFormat) -> type[np.unsignedinteger[Any]]:
    return np.uint8 if element.bits <= 8 else np.uint16 if element.bits <= 16 else np.uint32


def _codes(rng: np.random.Generator, element: ElementFormat, n: int, k: int) -> NDArray[Any]:
    """Codes a row at a time: any; or of magnitudes within a few binades; among them rows with many zeros."""
    sign = 1 << (element.bits - 1)
    uniform = rng.integers(0, 2 * sign, (n, k), dtype=np.int64)
    mantissa_bits = element.mantissa_bits if isinstance(element, FloatFormat) else element.bits - 3
    spread = rng.choice([1, 2, 6, 16, 40], (n, 1)) << mantissa_bits
    centre = rng.integers(0, element.max_code + 1, (n, 1))
    if isinstance(element, FloatFormat) and element.exponent_bits == 8:  # products near the lowest exponents
        lowest = element.bias + LOWEST_EXPONENT // 2 + rng.integers(-8, 9, (n, 1))
        centre = np.where(rng.random((n, 1)) < 0.15, lowest << mantissa_bits, centre)
    near = centre + rng.integers(-spread, spread + 1, (n, k))
    signs = rng.integers(0, 2, (n, k)) * (rng.random((n, 1)) < 0.8)
    near = np.clip(near, 0, element.max_code) | signs * sign
    codes = np.where(rng.random((n, 1)) < 0.15, uniform, near)
    zeros = rng.choice([0.0, 0.1, 0.9], (n, 1), p=[0.5, 0.3, 0.2])
    codes = np.where(
        rng.random((n, k)) < zeros, codes & sign if isinstance(element, FloatFormat) else 0, codes
    )
    return codes.astype(_code_type(element))


def _cancel(rng: np.random.Generator, element: ElementFormat, a: NDArray[Any], b: NDArray[Any]) -> None:
    """In a third of the rows, let many elements repeat an earlier one with the other sign, somewhere."""
    n, k = a.shape
    if k < 2 or not isinstance(element, FloatFormat):
        return
    rows = np.flatnonzero(rng.random(n) < 0.33)
    for _ in range(k // 2):
        i, j = rng.integers(0, k, (2, len(rows)))
        rows_, i, j = rows[i != j], i[i != j], j[i != j]
        opposite = a[rows_, i] ^ a.dtype.type(element.sign_mask)
        a[rows_, j] = np.where((a[rows_, i] == 0) & (element.specials == "fnuz"), 0, opposite)
        b[rows_, j] = b[rows_, i]


def _negative_zeros(
    rng: np.random.Generator,
    element_a: ElementFormat,
    a: NDArray[Any],
    element_b: ElementFormat,
    b: NDArray[Any],
) -> None:
    """Make every product of a few rows -0."""
    rows = rng.random(len(a)) < 0.02
    if not (isinstance(element_a, FloatFormat) and isinstance(element_b, FloatFormat)):
        return
    if "fnuz" not in (element_a.specials, element_b.specials):
        a[rows] = element_a.sign_mask
        b[rows] = np.minimum(b[rows] & element_b.magnitude_mask, element_b.max_code)


def _scales(
    rng: np.random.Generator, scale: ScaleFormat, n: int, blocks: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Codes close to each other in a row, at any place of the range or at its lower end; some others."""
    top = (1 << scale.bits) - 1
    centre = rng.integers(0, top + 1, (2, n, 1))
    centre = np.where(rng.random((1, n, 1)) < 0.6, scale.bias << scale.mantissa_bits, centre)
    if scale.mantissa_bits == 0:
        lowest = scale.bias + LOWEST_EXPONENT // 2 + rng.integers(-12, 13, (2, n, 1))
        centre = np.where(rng.random((1, n, 1)) < 0.15, lowest, centre)
    spread = rng.choice([0, 3, 12, 40], (1, n, 1))
    near = np.clip(centre + rng.integers(-spread, spread + 1, (2, n, blocks)), 0, scale.max_code)
    codes = np.where(rng.random((2, n, blocks)) < 0.03, rng.integers(0, top + 1, (2, n, blocks)), near)
    return codes[0].astype(np.uint8), codes[1].astype(np.uint8)


def _products(
    element_a: ElementFormat, a: NDArray[Any], element_b: ElementFormat, b: NDArray[Any]
) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", over="ignore"):
        products: NDArray[np.float64] = _values(element_a, a) * _values(element_b, b)
    return products


def _values(element: ElementFormat, codes: NDArray[Any]) -> NDArray[np.float64]:
    if element == FLOAT32:
        with np.errstate(invalid="ignore"):
            return np.asarray(codes.astype(np.uint32).view(np.float32), np.float64)
    return np.asarray(decode_table(element)[codes], np.float64)


def _initial(
    rng: np.random.Generator, rule: AccumulationRule, products: NDArray[np.float64]
) -> NDArray[np.uint32]:
    """Initial values: zeros, close to the largest product, close to minus the sum, any, subnormal, special.

    They are values of the accumulator format.
    """
    n = len(products)
    with np.errstate(all="ignore"):
        finite = np.where(np.isfinite(products), products, 0.0)
        largest = np.max(np.abs(finite), axis=1, initial=0.0)
        exponent = rng.integers(-30, 31, n)
        near = np.ldexp(largest, exponent) * rng.uniform(1, 2, n) * rng.choice([-1.0, 1.0], n)
        cancelling = -np.sum(finite, axis=1) * (1 + rng.choice([0, 0, 1, -1], n) * 2.0**-20)
        anything = rng.integers(0, 1 << 32, n, dtype=np.uint32)
        tiny = rng.integers(0, 1 << 24, n, dtype=np.uint32) | rng.integers(0, 2, n, dtype=np.uint32) << 31
        limits = rng.choice(
            np.array([0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00001, 0xFF800001], np.uint32), n
        )
        zeros = rng.integers(0, 2, n, dtype=np.uint32) << 31
        kinds = [zeros, _bits(near), _bits(cancelling), anything, tiny, limits]
        kind = rng.choice(len(kinds), n, p=[0.25, 0.35, 0.2, 0.1, 0.05, 0.05])
        bits: NDArray[np.uint32] = np.choose(kind, kinds).astype(np.uint32)
        if rule.acc_format == "fp16":
            half = bits.view(np.float32).astype(np.float16).astype(np.float32)
            bits = half.view(np.uint32)
    return bits


def _bits(values: NDArray[np.float64]) -> NDArray[np.uint32]:
    return values.astype(np.float32).view(np.uint32)
