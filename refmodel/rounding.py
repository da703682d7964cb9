"""Rounding, once, for every place that rounds.

Two kinds of rounding occur. Values become element codes on a grid given by the format: that is
`round_to_integer`, applied to a magnitude already divided by the spacing of its binade. And exact
sums, held as several float64 terms, become one Float32: that is `round_to_odd` followed by a
conversion, which together round exactly once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refmodel.options import Rounding


def floor_log2(x: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return floor(log2 x) of positive finite x from its bits (A-2, D-15); 0, Inf and NaN give any number."""
    exponent: NDArray[np.int32] = np.frexp(x)[1]  # frexp gives 0.5 <= fraction < 1
    return exponent - 1


def round_to_integer(
    magnitude: NDArray[np.float64],
    rounding: Rounding,
    negative: NDArray[np.bool_],
    odd: NDArray[np.bool_] | bool = False,
    random: NDArray[np.float64] | None = None,
    random_bits: int = 0,
) -> NDArray[np.float64]:
    """Round non-negative float64 magnitudes to integers, which float64 represents exactly.

    Args:
        magnitude: Finite values >= 0, any shape.
        rounding: Rounding mode.
        negative: Whether each value stands for a negative number; matters to rup and rdn.
        odd: Whether the code of an even integer is odd and the code is to decide in place of the integer;
            so it can be only in formats without mantissa.
        random: For stochastic rounding, an integer below 2**random_bits each.
        random_bits: How many leading bits of the dropped fraction the random integer is added to.
    """
    floor = np.floor(magnitude)
    fraction = magnitude - floor  # exact, so every comparison below is
    floor_is_odd = (floor % 2 == 1) ^ odd
    away: NDArray[np.bool_]
    match rounding:
        case "rne":
            away = (fraction > 0.5) | ((fraction == 0.5) & floor_is_odd)
        case "rna":
            away = fraction >= 0.5
        case "rnz":
            away = fraction > 0.5
        case "rtz":
            away = np.zeros(magnitude.shape, np.bool_)
        case "rup":
            away = (fraction > 0) & ~negative
        case "rdn":
            away = (fraction > 0) & negative
        case "rto":
            away = (fraction > 0) & ~floor_is_odd
        case "stochastic":
            assert random is not None
            away = np.floor(np.ldexp(fraction, random_bits)) + random >= 2.0**random_bits
    rounded: NDArray[np.float64] = floor + away
    return rounded


def two_sum(
    a: NDArray[np.float64], b: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (s, e) with s = roundTiesToEven(a + b) and s + e = a + b exactly (Knuth, TAOCP 4.2.2).

    Exact for all finite operands whose sum does not overflow.
    """
    s = a + b
    b_part = s - a
    a_part = s - b_part
    return s, (a - a_part) + (b - b_part)


def add_exactly(partials: list[NDArray[np.float64]], term: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Add *term* to the exact sum held in *partials*, smallest magnitude first, and return the new partials.

    Shewchuk's grow-expansion (Discrete Comput. Geom. 18, 1997), one element of every array being an
    independent sum. The list grows only when some sum needs another float64, so narrow data stays at one
    or two arrays and any data stays exact.
    """
    grown: list[NDArray[np.float64]] = []
    for partial in partials:
        term, error = two_sum(term, partial)
        if error.any():
            grown.append(error)
    grown.append(term)
    return grown


def divide_to_odd(
    numerator: NDArray[np.float64] | np.float64, divisor: NDArray[np.float64] | np.float64
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return (q, e) with q * 2**e the quotient rounded to odd at 53 bits, whatever its exponent.

    For finite numerators and finite divisors that are not zero. Rounding q to at most 51 bits, in any mode,
    gives what one rounding of the exact quotient would (see `round_to_odd`).
    """
    (a, exponent_a), (b, exponent_b) = np.frexp(numerator), np.frexp(divisor)
    q = a / b
    # q * b without error (Dekker, Numer. Math. 18, 1971): significands from 1/2 to 1 neither overflow nor
    # underflow when they are split into halves of at most 26 bits.
    q_high, b_high = _upper_half(q), _upper_half(b)
    q_low, b_low = q - q_high, b - b_high
    product = q * b
    error = ((q_high * b_high - product) + q_high * b_low + q_low * b_high) + q_low * b_low
    # a and the product are within an ulp of each other, so their difference is exact (Sterbenz), and the
    # sign of the last difference is that of what q lacks.
    lacking = ((a - product) - error) * np.sign(b)
    inexact_even = (lacking != 0) & (q.view(np.int64) & 1 == 0)
    q = np.where(inexact_even, np.nextafter(q, np.copysign(np.inf, lacking)), q)
    return q, exponent_a - exponent_b


def _upper_half(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the upper 26 bits of a significand, rounded (Veltkamp)."""
    shifted = x * (2.0**27 + 1)
    return shifted - (shifted - x)


def exact_sum(terms: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Sum the finite float64 *terms* [n, ...] over the first axis exactly, as partials of shape [...].

    A long axis is first folded into about sqrt(n) independent sums so that the number of numpy calls
    grows with sqrt(n) and not with n.
    """
    n = terms.shape[0]
    if n > 64:
        columns = int(np.sqrt(n))
        whole = n - n % columns
        folded = exact_sum(terms[:whole].reshape(-1, columns, *terms.shape[1:]))
        return exact_sum(np.concatenate([*folded, terms[whole:]]))
    partials: list[NDArray[np.float64]] = []
    for term in terms:
        partials = add_exactly(partials, term)
    return partials or [np.zeros(terms.shape[1:])]


def round_to_odd(partials: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Round the exact sum of *partials* (from `add_exactly`) to float64 by round-to-odd.

    Round-to-odd keeps the fact that something was cut off in the last bit. Rounding the result again to
    at most 51 significant bits, in any mode, gives what one rounding of the exact sum would (Boldo and
    Melquiond, IEEE Trans. Computers 57(4), 2008), so a conversion to Float32 or narrower rounds once.
    """
    total = partials[-1]
    error = np.zeros_like(total)
    for partial in reversed(partials[:-1]):
        # Partials do not overlap and fall in magnitude, so the first non-zero error decides the
        # direction in which the exact sum lies; the later ones cannot reverse it.
        total, new_error = two_sum(total, np.where(error == 0, partial, 0.0))
        error = np.where(error == 0, new_error, error)
    inexact_even = (error != 0) & (total.view(np.int64) & 1 == 0)
    return np.where(inexact_even, np.nextafter(total, np.copysign(np.inf, error)), total)
