"""The second algorithm: rounding as a table of thresholds, computed with exact rationals.

For one format, mode and sign the code is a step function of the magnitude, and Float32 magnitudes order as
their bits do. So a list of *steps* (first Float32 magnitude bits, code) holds the whole behaviour, and the
codes of consecutive bit patterns are runs of equal bytes.

It shares with the model the descriptions of formats (`refmodel.formats`) and nothing else: no float, no
rounding function, no table.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refmodel.formats import E8M0, ElementFormat, FloatFormat, IntegerFormat, NumberFormat

INFINITY = 0x7F800000
"""Float32 bits; whatever is above is NaN."""

END = 1 << 31


class Step(NamedTuple):
    """From the Float32 magnitude *first* on, up to the next step, the code is *code*."""

    first: int
    code: int


class StepFunction:
    """Codes by Float32 magnitude bits, 0 to 0x7FFFFFFF.

    Args:
        steps: In order of their first magnitudes, the first from 0 on; of several from one magnitude on the
            last counts.
    """

    def __init__(self, steps: Iterable[Step]) -> None:
        kept: list[Step] = []
        for step in steps:
            if kept and kept[-1].first == step.first:
                kept.pop()
            if not kept or kept[-1].code != step.code:
                kept.append(step)
        self._firsts = [step.first for step in kept]
        self._codes = [step.code for step in kept]

    def __call__(self, bits: int) -> int:
        """Return the code of one magnitude."""
        return self._codes[bisect_right(self._firsts, bits) - 1]

    def runs(self) -> list[tuple[int, int, int]]:
        """Return (first magnitude, end, code) of every run of equal codes."""
        return list(zip(self._firsts, [*self._firsts[1:], END], self._codes, strict=True))

    def fill(self, first: int, count: int) -> NDArray[np.uint8]:
        """Return the codes of *count* consecutive magnitudes from *first* on, uint8 [count]."""
        codes = np.empty(count, np.uint8)
        index = bisect_right(self._firsts, first) - 1
        last = bisect_left(self._firsts, first + count)
        ends = [*self._firsts[index + 1 : last], first + count]
        for end, code in zip(ends, self._codes[index:last], strict=True):
            codes[max(self._firsts[index] - first, 0) : end - first] = code
            index += 1
        return codes


class Threshold(NamedTuple):
    """Where a code begins: at the number *at*, or at whatever is above it if *strict*."""

    at: Fraction
    strict: bool
    code: int


def power_of_two(exponent: int) -> Fraction:
    """Return 2**exponent."""
    return Fraction(1 << exponent) if exponent >= 0 else Fraction(1, 1 << -exponent)


def floor_log2(x: Fraction) -> int:
    """Return the exponent of the largest power of two that is at most *x* (> 0)."""
    guess = x.numerator.bit_length() - x.denominator.bit_length()
    return guess if power_of_two(guess) <= x else guess - 1


def magnitude(fmt: NumberFormat, code: int) -> Fraction:
    """Return the value of a code without sign, also of one above the largest, as if the field had no end."""
    if isinstance(fmt, IntegerFormat):
        return code * power_of_two(-fmt.fraction_bits)
    exponent, mantissa = divmod(code, 1 << fmt.mantissa_bits)
    if fmt.subnormals and exponent == 0:
        return mantissa * power_of_two(1 - fmt.bias - fmt.mantissa_bits)
    return (mantissa + (1 << fmt.mantissa_bits)) * power_of_two(exponent - fmt.bias - fmt.mantissa_bits)


def float32_bits(x: Fraction, *, strict: bool) -> int:
    """Return the bits of the smallest Float32 that is at least *x* >= 0, or above it if *strict*.

    What no finite Float32 reaches gives `INFINITY`.
    """
    if x == 0:
        return int(strict)
    exponent = max(floor_log2(x), -126)
    steps = x / power_of_two(exponent - 23)
    count = -(-steps.numerator // steps.denominator)
    # A count of 2**24 carries into the exponent field, a subnormal one of less than 2**23 leaves it 0.
    bits = ((exponent + 126) << 23) + count
    return min(bits + (strict and count == steps), INFINITY)


def encode_thresholds(fmt: NumberFormat, rounding: str, negative: bool) -> list[Threshold]:
    """Return where each magnitude code begins under *rounding*, the first code beyond the range included."""
    ties_go_up = isinstance(fmt, FloatFormat) and fmt.mantissa_bits == 0  # no digit to be even
    away, toward = ("rdn", "rup") if negative else ("rup", "rdn")
    thresholds = [Threshold(Fraction(0), False, 0)]
    for code in range(fmt.max_code + 1):
        low, high = magnitude(fmt, code), magnitude(fmt, code + 1)
        odd = code % 2 == 1
        if rounding == "rne":
            at, strict = (low + high) / 2, not (odd or ties_go_up)
        elif rounding == "rna":
            at, strict = (low + high) / 2, False
        elif rounding == away or (rounding == "rto" and not odd):
            at, strict = low, True
        elif rounding in (toward, "rtz", "rto"):
            at, strict = high, False
        else:
            raise ValueError(f"rounding {rounding!r} has no thresholds")
        thresholds.append(Threshold(at, strict, code + 1))
    return thresholds


def encode_steps(fmt: NumberFormat, rounding: str, overflow: str, negative: bool) -> StepFunction:
    """Return the codes of all Float32 of one sign under options that are otherwise the defaults."""
    if negative and isinstance(fmt, FloatFormat) and not fmt.signed:
        return StepFunction([Step(0, 0), Step(1, nan_code(fmt))])  # A-11: -0 is the smallest value
    *inside, beyond = encode_thresholds(fmt, rounding, negative)
    steps = [Step(float32_bits(each.at, strict=each.strict), each.code) for each in inside]
    if overflow == "overflow":
        # a mode that goes toward zero stays at the largest finite value; only infinity leaves.
        leaves = rounding in ("rne", "rna", "rdn" if negative else "rup")
        steps.append(Step(float32_bits(beyond.at, strict=beyond.strict) if leaves else INFINITY, beyond.code))
    signed = [Step(first, signed_code(fmt, code, negative)) for first, code in steps]
    return StepFunction([*signed, Step(INFINITY + 1, nan_code(fmt))])


def signed_code(fmt: NumberFormat, code: int, negative: bool) -> int:
    """Return the code of that magnitude and sign; an integer zero has no sign."""
    if isinstance(fmt, IntegerFormat):
        return -code % (1 << fmt.bits) if negative else code
    return code + (1 << fmt.exponent_bits + fmt.mantissa_bits) if negative else code


def nan_code(fmt: NumberFormat) -> int:
    """Return what NaN becomes (A-13, A-15): the positive quiet NaN, or the largest positive value."""
    if isinstance(fmt, IntegerFormat) or fmt.specials == "none":
        return fmt.max_code
    if fmt.specials == "fn":
        return fmt.max_code + 1
    return fmt.max_code + 1 + (1 << fmt.mantissa_bits - 1)


def scale_steps(element: ElementFormat, rule: str) -> StepFunction:
    """Return the E8M0 codes of blocks by their largest magnitude, under a scale rule (A-1)."""
    at, strict = _scale_threshold(element, rule)
    # The exponent of the scale is at least k from at * 2**k on.
    codes = range(1, E8M0.max_code + 1)
    above = [Step(float32_bits(at * power_of_two(code - E8M0.bias), strict=strict), code) for code in codes]
    return StepFunction([Step(0, 0), *above, Step(INFINITY, nan_code(E8M0))])


def _scale_threshold(element: ElementFormat, rule: str) -> tuple[Fraction, bool]:
    """Return from which amax on, or above which, the scale is at least 1."""
    largest = magnitude(element, element.max_code)
    beyond = magnitude(element, element.max_code + 1)
    power = power_of_two(floor_log2(largest))  # 2**emax
    if rule == "floor":  # floor(log2 amax) >= emax
        return power, False
    if rule == "ceil":  # ceil(log2 amax) > emax - 1
        return power / 2, True
    if rule == "rceil":  # log2(amax / largest) > -1
        return largest / 2, True
    if rule == "even":  # half a step below 2**emax, a step being that of the binade below
        bits = element.bits - 2 if isinstance(element, IntegerFormat) else element.mantissa_bits
        return power - power / 2 * power_of_two(-bits) / 2, False
    if rule == "midmax":  # above the midpoint, at the scale 1/2
        return (largest + beyond) / 4, True
    raise ValueError(f"scale rule {rule!r} has no thresholds")


def element_steps(element: ElementFormat, rule: str, negative: bool) -> StepFunction:
    """Return the element codes of the largest magnitude of its block, rounded to nearest even, saturated."""
    *inside, _ = encode_thresholds(element, "rne", negative)
    steps: list[Step] = []
    for first, end, scale in scale_steps(element, rule).runs():
        if scale == nan_code(E8M0):
            steps.append(Step(first, 0))
            continue
        factor = power_of_two(scale - E8M0.bias)
        for at, strict, code in inside:
            begins = max(first, float32_bits(at * factor, strict=strict))
            if begins < end:
                steps.append(Step(begins, signed_code(element, code, negative)))
    return StepFunction(steps)
