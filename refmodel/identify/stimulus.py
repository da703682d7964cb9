"""Random inputs aimed at what rules differ in: bits around the alignment, ties, cancellation, the ends of the range."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.elements import decode, decode_table
from refmodel.formats import FLOAT32, ElementFormat, FloatFormat, IntegerFormat, ScaleFormat
from refmodel.identify.probes import Interface, Probes, code_type, initial_bits

Codes = NDArray[np.int64]


def random_probes(interface: Interface, rng: np.random.Generator) -> Iterator[Probes]:
    """Yield random probes of each length, fewer of the longer ones."""
    for length in interface.lengths:
        yield stimulus(interface, rng, max(16, min(400, 16000 // length)), length)


def stimulus(interface: Interface, rng: np.random.Generator, n: int, length: int) -> Probes:
    """Return *n* random probes of *length*: half plain, half at the ends of the range or with special values."""
    exponents, zero = _product_exponents(interface, rng, n, length)
    a, b = _split(interface, rng, exponents)
    signs = rng.integers(0, 2, (n, length)) * (rng.random((n, 1)) < 0.8)
    a = _with_sign(interface.a, a, signs)
    b = _with_sign(interface.b, b, rng.integers(0, 2, (n, length)) * (rng.random((n, 1)) < 0.3))
    _cancel(interface.a, rng, a, b, zero)
    keep_sign = 0 if isinstance(interface.a, IntegerFormat) or interface.a.specials == "fnuz" else ~0
    a = np.where(zero, a & _sign_mask(interface.a) & keep_sign, a)
    _specials(interface, rng, a, b)
    scales = _scales(interface, rng, n, length)
    products = _products(interface, a, b, scales)
    c = _initial(interface, rng, products)
    return Probes(
        interface,
        a.astype(code_type(interface.a)),
        b.astype(code_type(interface.b)),
        c,
        None if scales is None else scales[0].astype(np.uint8),
        None if scales is None else scales[1].astype(np.uint8),
        ("random",) * n,
    )


def _product_exponents(
    interface: Interface, rng: np.random.Generator, n: int, length: int
) -> tuple[Codes, NDArray[np.bool_]]:
    """Return for each product an exponent, at random distances below a row's largest, and which are zero."""
    low = _low(interface.a) + _low(interface.b)
    high = interface.a.emax + interface.b.emax
    top = rng.integers(low, high + 1, (n, 1))
    ends = rng.random((n, 1))
    top = np.where(ends < 0.35, min(max(4, low), high), np.where(ends < 0.45, high, top))
    if low < -150:  # where a lower bound of the alignment and subnormal results show
        top = np.where((ends > 0.8) | (ends < 0.1), rng.integers(-160, -110, (n, 1)), top)
    boundary = rng.integers(3, 40, (n, 1))
    near = rng.integers(-2, 3, (n, length)) + boundary
    wide = rng.integers(0, 44, (n, length))
    narrow = rng.integers(0, 4, (n, length))
    style = rng.integers(0, 5, (n, 1))
    mixed = np.where(rng.random((n, length)) < 0.5, near, narrow)
    below = np.choose(np.broadcast_to(style, near.shape), [near, wide, narrow, mixed, np.zeros_like(near)])
    largest = rng.random((n, length)) < rng.choice([0.02, 0.1, 0.5], (n, 1))
    density = rng.choice([0.0, 0.05, 0.4, 0.85, 0.95], (n, 1))
    zero = rng.random((n, length)) < density
    return top - np.where(largest, 0, below), zero


def _low(element: ElementFormat) -> int:
    return element.quantum_exponent if isinstance(element, FloatFormat) else -element.fraction_bits


def _split(interface: Interface, rng: np.random.Generator, exponents: Codes) -> tuple[Codes, Codes]:
    """Return codes without sign of factors whose exponents add up to *exponents*, as far as the formats go."""
    a, b = interface.a, interface.b
    half = exponents // 2 + rng.integers(-2, 3, exponents.shape)
    first = np.clip(half, _low(a), a.emax)
    second = np.clip(exponents - first, _low(b), b.emax)
    first = np.clip(exponents - second, _low(a), a.emax)
    simple = rng.random((len(exponents), 1)) < 0.3
    return _magnitude(a, rng, first, simple), _magnitude(b, rng, second, simple)


def _magnitude(element: ElementFormat, rng: np.random.Generator, exponent: Codes, simple: Any) -> Codes:
    """Return codes of magnitude about 2**exponent: with any significand, or 1, 1.5 and the largest."""
    if isinstance(element, IntegerFormat):
        one = exponent + element.fraction_bits
        above = rng.integers(0, 1 << 20, one.shape) % (1 << one)
        magnitude: Codes = np.minimum((1 << one) + above, element.max_code)
        return magnitude
    bits = element.mantissa_bits
    any_significand = rng.integers(0, 1 << bits, exponent.shape)
    half = 1 << bits >> 1
    few = np.choose(rng.integers(0, 3, exponent.shape), [0, half, (1 << bits) - 1])
    mantissa = np.where(simple, few, any_significand)
    field = exponent + element.bias
    normal = (np.maximum(field, 1) << bits) | mantissa
    subnormal = ((1 << bits) | mantissa) >> np.clip(1 - field, 1, 40)
    return np.clip(np.where(field >= 1, normal, subnormal), 0, element.max_code)


def _sign_mask(element: ElementFormat) -> int:
    return element.sign_mask if isinstance(element, FloatFormat) else 0


def _with_sign(element: ElementFormat, codes: Codes, negative: Codes) -> Codes:
    if isinstance(element, IntegerFormat):
        return np.where(negative == 1, -codes, codes) & ((1 << element.bits) - 1)
    is_zero = (codes == 0) & (element.specials == "fnuz")
    return np.where(is_zero, 0, codes | negative * element.sign_mask)


def _cancel(element: ElementFormat, rng: np.random.Generator, a: Codes, b: Codes, zero: NDArray[np.bool_]) -> None:
    """In half of the rows, let some elements be others with the other sign."""
    n, length = a.shape
    if length < 2:
        return
    rows = np.flatnonzero(rng.random(n) < 0.5)
    for _ in range(min(8, length // 2)):
        i, j = rng.integers(0, length, (2, len(rows)))
        own, i, j = rows[i != j], i[i != j], j[i != j]
        if isinstance(element, IntegerFormat):
            a[own, j] = -a[own, i] & ((1 << element.bits) - 1)
        else:
            opposite = a[own, i] ^ element.sign_mask
            a[own, j] = np.where((a[own, i] == 0) & (element.specials == "fnuz"), 0, opposite)
        b[own, j] = b[own, i]
        zero[own, j] = zero[own, i] = False
        own = own[rng.random(len(own)) < 0.6]
        rows = own


def _specials(interface: Interface, rng: np.random.Generator, a: Codes, b: Codes) -> None:
    """In one row of 25, put any code somewhere, so also NaN and infinities."""
    n, length = a.shape
    for element, codes in ((interface.a, a), (interface.b, b)):
        rows = np.flatnonzero(rng.random(n) < 0.02)
        places = rng.integers(0, length, len(rows))
        top = 1 << element.bits
        high = rng.integers(0, min(top, 8), len(rows))
        special = np.where(rng.random(len(rows)) < 0.5, rng.integers(0, top, len(rows)), top // 2 - 1 - high)
        codes[rows, places] = special


def _scales(interface: Interface, rng: np.random.Generator, n: int, length: int) -> tuple[Codes, Codes] | None:
    if interface.scale is None:
        return None
    scale, blocks = interface.scale, length // interface.block
    top = (1 << scale.bits) - 1
    one = scale.bias << scale.mantissa_bits
    centre = rng.integers(0, top + 1, (2, n, 1))
    total = np.where(rng.random((n, 1)) < 0.5, rng.integers(-160, -110, (n, 1)), rng.integers(-160, 131, (n, 1)))
    kind = rng.random((n, 1))
    first = rng.integers(-20, 21, (n, 1)) + total // 2
    balanced = np.stack([one + first, one + total - first])
    small_part = one + rng.integers(-12, 13, (2, n, 1)) * (rng.random((n, 1)) < 0.6)
    centre = np.where(kind < 0.45, small_part, np.where(kind < 0.8, balanced, centre))
    spread = rng.choice([0, 2, 6, 20, 36], (1, n, 1))
    codes = centre + rng.integers(-spread, spread + 1, (2, n, blocks))
    codes = np.clip(codes, 0, scale.max_code)
    odd = rng.random((2, n, blocks)) < 0.1 / blocks
    codes = np.where(odd, rng.integers(0, top + 1, codes.shape), codes)
    if scale.ignored_bits:
        codes |= (rng.random(codes.shape) < 0.05).astype(np.int64) << (scale.bits - 1)
    return codes[0], codes[1]


def _values(fmt: ElementFormat | ScaleFormat, codes: Codes) -> NDArray[np.float64]:
    if fmt == FLOAT32:
        return np.asarray(decode(fmt, codes.astype(np.uint32)), np.float64)
    return np.asarray(decode_table(fmt)[codes], np.float64)


def _products(interface: Interface, a: Codes, b: Codes, scales: tuple[Codes, Codes] | None) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", over="ignore"):
        products = _values(interface.a, a) * _values(interface.b, b)
        if scales is not None and interface.scale is not None:
            factor = _values(interface.scale, scales[0]) * _values(interface.scale, scales[1])
            products = products * np.repeat(factor, interface.block, axis=1)
    return products


def _initial(interface: Interface, rng: np.random.Generator, products: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Initial values: zeros; at any distance from the largest product; cancelling; subnormal, huge, special."""
    n = len(products)
    with np.errstate(all="ignore"):
        finite = np.where(np.isfinite(products), products, 0.0)
        largest = np.max(np.abs(finite), axis=1, initial=0.0)
        significand = 1 + rng.integers(0, 256, n) / 256 * (rng.random(n) < 0.7)
        fine = 1 + rng.integers(0, 1 << 23, n) / (1 << 23)
        sign = rng.choice([-1.0, 1.0], n)
        power = np.exp2(np.floor(np.log2(np.where(largest > 0, largest, 1.0))))
        near = power * np.exp2(rng.integers(-40, 41, n)) * significand * sign
        close = power * np.exp2(rng.integers(-3, 4, n)) * fine * sign
        against = -np.sum(finite, axis=1) * (1 + rng.choice([0, 0, 1, -1], n) * 2.0**-20)
        tiny = rng.integers(1, 1 << 24, n) * 2.0**-149 * sign
        limits = rng.choice(np.array([np.inf, -np.inf, np.nan, 3.4e38, -3.4e38, 65504.0, -65504.0]), n)
        zeros = np.copysign(0.0, sign)
    kinds = [zeros, near, close, against, tiny, limits]
    kind = rng.choice(len(kinds), n, p=[0.25, 0.3, 0.22, 0.13, 0.06, 0.04])
    return initial_bits(interface, np.choose(kind, kinds))
