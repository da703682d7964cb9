"""What callers hand in, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refmodel.errors import ShapeError


def as_array(data: ArrayLike, what: str) -> NDArray[Any]:
    """Return *data* as an array, of whatever dtype.

    Raises:
        ShapeError: If it is nested sequences of different lengths, or nothing else that numpy takes.
    """
    try:
        return np.asarray(data)
    except (ValueError, TypeError, OverflowError) as error:
        cause = str(error).partition(". ")[0]
        raise ShapeError(f"{what}: not an array, nor nested sequences of equal lengths: {cause}") from error
