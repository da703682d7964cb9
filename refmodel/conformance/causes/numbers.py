"""Results that are numbers, given in another way: special values, subnormals, signs, a constant factor."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.blocks import Blocks
from refmodel.conformance.causes.case import Case, Cause, Results
from refmodel.conformance.causes.operands import results_of, scale_times
from refmodel.conformance.mismatch import RESULT_FORMATS
from refmodel.formats import FloatFormat
from refmodel.vectors.conversions import DequantizeVectors, dequantize_results
from refmodel.vectors.dotset import DotVectors
from refmodel.vectors.tiles import TileVectors


class Numbers:
    """Bit patterns of a floating-point format, taken apart.

    Attributes:
        codes: The patterns.
        magnitude: Without their signs.
        sign: Their sign bits.
        infinity: The pattern of +Inf.
        smallest: That of the smallest normal number.
    """

    def __init__(self, codes: NDArray[Any], fmt: FloatFormat) -> None:
        self.codes = codes
        self.magnitude = codes & codes.dtype.type(fmt.magnitude_mask)
        self.sign = codes & codes.dtype.type(fmt.sign_mask)
        self.infinity = codes.dtype.type(fmt.max_code + 1)
        self.smallest = codes.dtype.type(1 << fmt.mantissa_bits)

    @property
    def is_nan(self) -> NDArray[np.bool_]:
        """Which are NaN."""
        return np.asarray(self.magnitude > self.infinity)

    @property
    def is_infinite(self) -> NDArray[np.bool_]:
        """Which are infinities."""
        return np.asarray(self.magnitude == self.infinity)

    @property
    def is_zero(self) -> NDArray[np.bool_]:
        """Which are zeros."""
        return np.asarray(self.magnitude == 0)

    @property
    def is_subnormal(self) -> NDArray[np.bool_]:
        """Which are subnormal numbers."""
        return np.asarray((self.magnitude < self.smallest) & ~self.is_zero)


def _plane(case: Case) -> tuple[str, FloatFormat] | None:
    """Return the output plane that holds numbers, and their format."""
    vectors = case.vectors
    if isinstance(vectors, DotVectors | TileVectors):
        return "result", RESULT_FORMATS[vectors.rule.result_format]
    return ("values", RESULT_FORMATS["fp32"]) if isinstance(vectors, DequantizeVectors) else None


def _numbers(function: Callable[[Numbers], NDArray[Any]], case: Case) -> Results | None:
    plane = _plane(case)
    if plane is None:
        return None
    name, fmt = plane
    return {name: function(Numbers(case.expected[name], fmt)).astype(case.expected[name].dtype)}


def _as_seen(function: Callable[[Numbers, Numbers], NDArray[np.bool_]], case: Case) -> Results | None:
    """What was seen where *function* of expected and seen numbers says that the two differ in a convention only."""
    plane = _plane(case)
    if plane is None:
        return None
    name, fmt = plane
    expected, seen = case.expected[name], case.seen[name]
    allowed = function(Numbers(expected, fmt), Numbers(seen, fmt))
    return {name: np.where(allowed, seen, expected)}


def _scaled(case: Case) -> Results | None:
    """The power of two that most wrong results are off by, as one of the scale."""
    plane = _plane(case)
    vectors = case.vectors
    if plane is None or (not isinstance(vectors, DequantizeVectors) and not vectors.scaled):  # type: ignore[attr-defined]
        return None
    name, fmt = plane
    expected, seen = Numbers(case.expected[name], fmt), Numbers(case.seen[name], fmt)
    are_normal = [~(x.is_nan | x.is_infinite) & (x.magnitude >= x.smallest) for x in (expected, seen)]
    fraction = int(expected.smallest) - 1
    same = ((expected.codes ^ seen.codes) & fraction == 0) & (expected.sign == seen.sign)
    chosen = are_normal[0] & are_normal[1] & same & (expected.codes != seen.codes)
    if not chosen.any():
        return None
    exponents = [x.magnitude[chosen].astype(np.int64) // int(x.smallest) for x in (expected, seen)]
    powers, counts = np.unique(exponents[1] - exponents[0], return_counts=True)
    power = int(powers[counts.argmax()])
    change = scale_times(power)
    if isinstance(vectors, DequantizeVectors):
        blocks = change(Blocks(vectors.format, vectors.elements, vectors.scales))
        return None if blocks is None else {"values": dequantize_results(blocks)}
    assert isinstance(vectors, DotVectors | TileVectors), "the other sets have no numbers"
    a = change(vectors.a)
    return None if a is None else results_of(case, a, vectors.b)


def _flushed(x: Numbers) -> NDArray[Any]:
    return np.where(x.is_subnormal, x.sign, x.codes)


def _flushed_to_plus(x: Numbers) -> NDArray[Any]:
    return np.where(x.is_subnormal, 0, x.codes)


def _saturated(x: Numbers) -> NDArray[Any]:
    return np.where(x.is_infinite, x.codes - 1, x.codes)


def _inf_as_nan(x: Numbers) -> NDArray[Any]:
    return np.where(x.is_infinite, x.infinity | (x.smallest >> 1), x.codes)


def _nan_as_inf(x: Numbers) -> NDArray[Any]:
    return np.where(x.is_nan, x.infinity, x.codes)


def _nan_as_zero(x: Numbers) -> NDArray[Any]:
    return np.where(x.is_nan, 0, x.codes)


def _minus_zero_as_plus(x: Numbers) -> NDArray[Any]:
    return np.where(x.is_zero, 0, x.codes)


def _negated(x: Numbers) -> NDArray[Any]:
    sign = x.codes.dtype.type(1 << 8 * x.codes.itemsize - 1)
    return np.where(x.is_nan, x.codes, x.codes ^ sign)


NUMBER_CAUSES: tuple[Cause, ...] = (
    Cause("subnormal-results-flushed", "Subnormal results become zero, sign kept.", partial(_numbers, _flushed)),
    Cause("subnormal-results-as-plus-zero", "Subnormal results become +0.", partial(_numbers, _flushed_to_plus)),
    Cause(
        "nan-pattern", "NaN is NaN with other bits than those agreed on.",
        partial(_as_seen, lambda expected, seen: expected.is_nan & seen.is_nan),
    ),
    Cause("minus-zero-lost", "-0 becomes +0.", partial(_numbers, _minus_zero_as_plus)),
    Cause(
        "sign-of-zero", "Zeros have another sign.",
        partial(_as_seen, lambda expected, seen: expected.is_zero & seen.is_zero),
    ),
    Cause("inf-as-largest", "Inf becomes the largest number.", partial(_numbers, _saturated)),
    Cause("inf-as-nan", "Inf becomes NaN.", partial(_numbers, _inf_as_nan)),
    Cause("nan-as-inf", "NaN becomes Inf.", partial(_numbers, _nan_as_inf)),
    Cause("nan-as-zero", "NaN becomes 0.", partial(_numbers, _nan_as_zero)),
    Cause("negated", "Signs are inverted.", partial(_numbers, _negated)),
    Cause(
        "scale-off-by-a-power-of-two",
        "The sum of the exponents is off by a constant, such as one, or the bias of an element.", _scaled,
    ),
)  # fmt: skip
"""What can be wrong with the numbers that come out, the most specific first."""
