"""The number format that results are rounded to, which the aimed stimulus classes aim at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate import AccumulationRule


@dataclass(frozen=True, slots=True)
class Target:
    """A binary format with subnormals.

    Attributes:
        precision: Bits of a significand, the hidden one included.
        emin, emax: Exponents of the smallest and the largest normal numbers.
    """

    precision: int
    emin: int
    emax: int

    @property
    def quantum(self) -> int:
        """Exponent of the smallest subnormal."""
        return self.emin - self.precision + 1

    @property
    def half_quantum(self) -> int:
        """Exponent of half the smallest subnormal: subnormal ties are odd multiples of it."""
        return self.quantum - 1

    @property
    def overflow_tie(self) -> int:
        """The tie between the largest finite value and 2**(emax + 1), in units of 2**(emax - precision)."""
        return (1 << (self.precision + 1)) - 1

    @property
    def is_narrow(self) -> bool:
        """Whether its range is far smaller than Float32's."""
        return self.emax < 64


FLOAT32 = Target(24, -126, 127)
_TARGETS = {"fp32": FLOAT32, "e8m13": Target(14, -126, 127), "bf16": Target(8, -126, 127), "fp16": Target(11, -14, 15)}

_RESULT_BITS = {"fp32": 32, "bf16": 16, "fp16": 16}


def target_of(rule: AccumulationRule) -> Target:
    """Return the format of the last rounding of *rule*."""
    return _TARGETS[rule.out_format or rule.acc_format]


def result_width(rule: AccumulationRule) -> int:
    """Return the bits of a result under *rule*."""
    return _RESULT_BITS[rule.result_format]


def result_codes(values: NDArray[np.float32], rule: AccumulationRule) -> NDArray[np.unsignedinteger]:
    """Return results as the bits of the result format: uint32 for Float32, uint16 for BF16 and Float16.

    *values* are what `refmodel.dot` returns: numbers of that format, and NaN with the rule's pattern.
    """
    if rule.result_format == "fp32":
        return values.view(np.uint32)
    if rule.result_format == "bf16":
        return (values.view(np.uint32) >> np.uint32(16)).astype(np.uint16)
    codes = np.where(np.isnan(values), np.float32(0), values).astype(np.float16).view(np.uint16)
    return np.where(np.isnan(values), np.uint16(rule.nan_pattern), codes)
