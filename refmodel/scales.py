"""Choosing the scale of a block from its largest magnitude (MX-6.3-b)."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from refmodel.errors import unknown_name
from refmodel.formats import ElementFormat, ScaleFormat

ScaleRule: TypeAlias = Literal["floor"]
"""How the scale follows from amax, the largest magnitude of the block (A-1).

* ``floor``: the largest power of two not above amax, divided by the element's largest power of two
  (MX-6.3-b), with the exponent read from the bits and never from a rounded logarithm (A-2, D-15).
"""

SCALE_RULES: tuple[ScaleRule, ...] = ("floor",)


def check_scale_rule(rule: str) -> None:
    """Raise UnknownNameError unless *rule* names a scale rule."""
    if rule not in SCALE_RULES:
        raise unknown_name("scale rule", rule, SCALE_RULES)


def select_scale(amax: NDArray[np.float64], element: ElementFormat, scale: ScaleFormat) -> NDArray[np.uint8]:
    """Return the scale code of each block by the ``floor`` rule.

    Args:
        amax: Largest magnitude of each block, any shape; NaN where the block holds a NaN.
        element: Element format of the blocks.
        scale: Scale format; a power-of-two format such as E8M0.

    Returns:
        uint8 codes, same shape. An exponent outside the format's range is clamped to it (A-4, A-5); an
        all-zero block gets the smallest scale (A-3); a block with NaN or Inf gets NaN (A-6, A-7).
    """
    exponent = np.frexp(amax)[1] - 1 - element.emax  # frexp gives 0.5 <= fraction < 1
    code = np.clip(exponent, scale.emin, scale.emax) + scale.bias
    code = np.where(amax == 0, 0, code)
    return np.where(np.isfinite(amax), code, scale.nan_codes[0]).astype(np.uint8)
