"""Numbers and scales as bins of the coverage model."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.elements import decode_table
from refmodel.formats import FloatFormat, IntegerFormat, NumberFormat, ScaleFormat

ZERO, SUBNORMAL, NORMAL, LARGEST, INF, NAN = 0, 2, 4, 6, 8, 10
"""Bins of numbers; the bin of a negative one is one higher."""

SCALE_ZERO, SCALE_LEAST, SCALE_BELOW, SCALE_ONE, SCALE_ABOVE, SCALE_LARGEST, SCALE_NAN = range(7)


def number_bins(fmt: NumberFormat, codes: NDArray[Any]) -> NDArray[np.int64]:
    """Return the bin of every code of *fmt*; of an integer the most negative one is the largest below zero."""
    codes = codes.astype(np.int64)
    if isinstance(fmt, IntegerFormat):
        top = 1 << (fmt.bits - 1)
        negative = (codes & top) != 0
        kind = np.select([codes == 0, codes == top, codes == top - 1], [ZERO, LARGEST, LARGEST], NORMAL)
        return np.asarray(kind + negative, np.int64)
    assert isinstance(fmt, FloatFormat)
    magnitude = codes & fmt.magnitude_mask
    negative = (codes & fmt.sign_mask) != 0
    nan = magnitude > fmt.max_code
    if fmt.infinity_code is not None:
        nan &= magnitude != fmt.infinity_code
    kind = np.select(
        [nan, magnitude > fmt.max_code, magnitude == 0, magnitude == fmt.max_code, magnitude >> fmt.mantissa_bits == 0],
        [NAN, INF, ZERO, LARGEST, SUBNORMAL],
        NORMAL,
    )
    return np.asarray(kind + (negative & (kind != NAN)), np.int64)


@cache
def _scale_table(fmt: ScaleFormat) -> NDArray[np.int64]:
    values = decode_table(fmt)
    finite = values[np.isfinite(values) & (values > 0)]
    conditions = [
        np.isnan(values),
        values == 0,
        values == finite.min(),
        values == finite.max(),
        values == 1,
        values < 1,
    ]
    bins = [SCALE_NAN, SCALE_ZERO, SCALE_LEAST, SCALE_LARGEST, SCALE_ONE, SCALE_BELOW]
    return np.select(conditions, bins, SCALE_ABOVE)


def scale_bins(fmt: ScaleFormat, codes: NDArray[Any]) -> NDArray[np.int64]:
    """Return the bin of every scale code."""
    bins: NDArray[np.int64] = _scale_table(fmt)[codes]
    return bins
