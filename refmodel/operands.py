"""Operands without block scales: plain element codes, for the rules of machines that take such."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refmodel.blocks import Blocks, as_tensor_scale
from refmodel.elements import as_codes
from refmodel.errors import ShapeError, unknown_name
from refmodel.formats import (
    BFLOAT16,
    E2M1,
    E2M3,
    E3M2,
    E4M3,
    E4M3FNUZ,
    E5M2,
    E5M2FNUZ,
    FLOAT16,
    FLOAT32,
    INT8,
    ElementFormat,
    FloatFormat,
    IntegerFormat,
)

OPERAND_FORMATS: dict[str, ElementFormat] = {
    fmt.name: fmt
    for fmt in (
        E5M2,
        E4M3,
        E3M2,
        E2M3,
        E2M1,
        INT8,
        E5M2FNUZ,
        E4M3FNUZ,
        FLOAT16,
        BFLOAT16,
        FLOAT32,
    )
}
"""Element formats that have a name as operands of a dot product."""


@dataclass(frozen=True, slots=True, eq=False)
class Elements:
    """An array of element codes without block scales.

    Attributes:
        format: Element format of at most 16 bits, or Float32.
        codes: [..., K] codes, uint8, uint16 (float16, bfloat16) or uint32 (float32).
        tensor_scale: Float32 that multiplies every element, applied after the sum; None for none.

    Raises:
        UnknownNameError: If there is no such format.
        DtypeError: If codes is not an integer array.
        CodeRangeError: If a code does not fit its format.
        ShapeError: If codes has no axis.
        DefinitionError: If tensor_scale is not a positive finite Float32.
    """

    format: ElementFormat
    codes: NDArray[Any] = field(repr=False)
    tensor_scale: np.float32 | None = None

    def __init__(
        self, format: str | ElementFormat, codes: ArrayLike, tensor_scale: float | np.float32 | None = None
    ) -> None:
        if isinstance(format, str):
            if format not in OPERAND_FORMATS:
                raise unknown_name("element format", format, OPERAND_FORMATS)
            format = OPERAND_FORMATS[format]
        elif not isinstance(format, (FloatFormat, IntegerFormat)):
            raise unknown_name("element format", format, OPERAND_FORMATS)
        array = as_codes(format, codes, "element codes")
        if array.ndim < 1:
            raise ShapeError("element codes have no axis; they must be [..., K]")
        scale = None if tensor_scale is None else as_tensor_scale(tensor_scale)
        for name, value in (("format", format), ("codes", array), ("tensor_scale", scale)):
            object.__setattr__(self, name, value)


Operand: TypeAlias = Blocks | Elements
