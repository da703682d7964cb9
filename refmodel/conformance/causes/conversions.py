"""Numbers made to blocks in another way: another choice, another format, a scale code that is off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.blocks import Blocks
from refmodel.conformance.causes.case import Case, Cause, Results
from refmodel.elements import encode
from refmodel.errors import MxError
from refmodel.formats import E4M3, FloatFormat, IntegerFormat
from refmodel.options import QuantizeOptions, choices
from refmodel.quantization import quantize
from refmodel.vectors.conversions import QuantizeVectors, quantize_results
from refmodel.vectors.numbers import NUMBER_FORMATS


def _results(blocks: Blocks) -> Results:
    return {"elements": blocks.codes, "scale": blocks.scales[:, None]}


def _by_option(name: str, value: str, case: Case) -> Results | None:
    vectors = case.vectors
    if not isinstance(vectors, QuantizeVectors) or getattr(vectors.options, name) == value:
        return None
    try:
        options = replace(vectors.options, **{name: value})  # type: ignore[arg-type]
        return _results(quantize_results(vectors.values, vectors.format, vectors.input_format, options))
    except MxError:  # a choice that this format does not have
        return None


def _as_ieee(case: Case) -> Results | None:
    """E4M3 with Inf: the largest number is 240, and scales are chosen for 128."""
    vectors = case.vectors
    if not isinstance(vectors, QuantizeVectors) or vectors.format.element != E4M3:
        return None
    fmt = replace(vectors.format, element=replace(E4M3, specials="ieee"))
    return _results(quantize_results(vectors.values, fmt, vectors.input_format, vectors.options))


def _requantized(shift: int, case: Case) -> Results | None:
    """The elements fit the scale, which is 2**shift of what it should be."""
    vectors = case.vectors
    if not isinstance(vectors, QuantizeVectors) or not vectors.format.scale.is_power_of_two:
        return None
    scale = vectors.format.scale
    with np.errstate(invalid="ignore"):  # of signalling NaN
        numbers = NUMBER_FORMATS[vectors.input_format].values(vectors.values.astype(np.uint32)).astype(np.float64)
    try:
        scales = quantize(np.ldexp(numbers, shift), vectors.format, options=vectors.options).scales
        is_nan = scales > scale.max_code
        quotients = np.ldexp(np.where(is_nan, 0, numbers), scale.bias - scales.astype(np.int64))
        elements = encode(vectors.format.element, quotients, options=vectors.options)
    except MxError:
        return None
    return {"elements": np.where(is_nan, vectors.elements, elements), "scale": scales}


def _scale_code(shift: int, case: Case) -> Results | None:
    """The elements are right, the code of the scale is off."""
    vectors = case.vectors
    if not isinstance(vectors, QuantizeVectors):
        return None
    is_nan = vectors.scales > vectors.format.scale.max_code
    shifted = (vectors.scales.astype(np.int64) + shift) & 0xFF
    return {"elements": vectors.elements, "scale": np.where(is_nan, vectors.scales, shifted)[:, None]}


def _elements(function: Callable[[NDArray[Any], FloatFormat | IntegerFormat], NDArray[Any] | None]) -> Any:
    def predict(case: Case) -> Results | None:
        vectors = case.vectors
        if not isinstance(vectors, QuantizeVectors):
            return None
        elements = function(vectors.elements, vectors.format.element)
        return None if elements is None else {"elements": elements, "scale": vectors.scales[:, None]}

    return predict


def _flushed(codes: NDArray[Any], fmt: FloatFormat | IntegerFormat) -> NDArray[Any] | None:
    if not isinstance(fmt, FloatFormat):
        return None
    is_subnormal = (codes & fmt.magnitude_mask) < 1 << fmt.mantissa_bits
    return np.where(is_subnormal, codes & fmt.sign_mask, codes)


CONVERSION_CAUSES: tuple[Cause, ...] = (
    Cause("elements-flushed", "Elements that would be subnormal become zero.", _elements(_flushed),
          ("MX-5.3.2-a", "MX-5.3.3-a", "OFP8-5.2.1-i")),
    Cause("scale-code-one-high", "The code of the scale is one too high, the elements are right.",
          partial(_scale_code, 1), ("MX-6.3-b",)),
    Cause("scale-code-one-low", "The code of the scale is one too low, the elements are right.",
          partial(_scale_code, -1), ("MX-6.3-b",)),
    *(
        Cause(f"option-{name}={value}", f"The choice is {name}={value!r}.", partial(_by_option, name, value))
        for name, values in choices(QuantizeOptions).items()
        for value in values
        if value != "stochastic"
    ),
    Cause("encoded-as-ieee", "E4M3 is encoded with the top exponent for Inf and NaN: the largest number is 240.",
          _as_ieee, ("OFP8-5.1-e",)),
    Cause("scale-one-high", "The scale is chosen twice too large, and the elements for it.",
          partial(_requantized, 1), ("MX-6.3-b",)),
    Cause("scale-one-low", "The scale is chosen half as large as it should be, and the elements for it.",
          partial(_requantized, -1), ("MX-6.3-b",)),
)  # fmt: skip
"""What can be wrong with a conversion to blocks, the most specific first."""
