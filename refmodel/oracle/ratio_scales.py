"""Scales with a mantissa, and the scale all blocks of an array share: NV-Q-a to NV-Q-g, A-N1 to A-N10.

`block_conversion` is the same for scales that are powers of two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from refmodel.formats import FLOAT32, BlockFormat, FloatFormat, NumberFormat
from refmodel.options import EncodeOptions, QuantizeOptions
from refmodel.oracle.codes import canonical_nan, decode
from refmodel.oracle.conversion import Input, encode_input
from refmodel.oracle.exact import NAN, Number, infinity, number, power_of_two
from refmodel.oracle.float32 import Extended, divided, in_float32, multiplied

_LARGEST = decode(FLOAT32, FLOAT32.max_code).magnitude
_SMALLEST = decode(FLOAT32, 1).magnitude


class TensorScale(NamedTuple):
    """What values of an array are multiplied by, and what its amax is multiplied by (NV-Q-a)."""

    decode: Fraction
    encode: Fraction


NO_TENSOR_SCALE = TensorScale(Fraction(1), Fraction(1))


def given_tensor_scale(scale: Fraction) -> TensorScale:
    """Return a tensor scale that was found elsewhere."""
    return TensorScale(scale, _limited(divided(Fraction(1), scale)))


def select_tensor_scale(fmt: BlockFormat, inputs: Sequence[Input], options: QuantizeOptions) -> TensorScale:
    """Return the tensor scale of an array: its finite amax is mapped to the bounds' product (NV-Q-a)."""
    if options.tensor_infinity == "one" and any(x.exact.kind == "infinite" for x in inputs):  # A-N6
        return NO_TENSOR_SCALE
    amax = max((x.exact.magnitude for x in inputs if x.exact.kind == "finite"), default=Fraction(0))
    bound = _bound(fmt.element, options.element_bound) * _bound(fmt.scale, options.scale_bound)
    if options.quotient == "float32_multiply":
        in_32 = in_float32(amax)
        if in_32 == 0 and options.tensor_zero == "one":
            return NO_TENSOR_SCALE
        encode = _limited(divided(bound, in_32))
        return TensorScale(_limited(divided(Fraction(1), encode)), encode) if encode else NO_TENSOR_SCALE
    scale = _limited(in_float32(amax / bound))
    if scale == 0:  # A-N6
        return NO_TENSOR_SCALE if options.tensor_zero == "one" else given_tensor_scale(_SMALLEST)
    return given_tensor_scale(scale)


def select_ratio_scale(
    fmt: BlockFormat, inputs: Sequence[Input], options: QuantizeOptions, tensor: TensorScale
) -> int:
    """Return the scale code of a block of *inputs* (NV-Q-b)."""
    scale = fmt.scale
    kinds = {x.exact.kind for x in inputs}
    if "nan" in kinds and options.nan_in_block == "nan_scale":  # A-N10, A-6
        return canonical_nan(scale)
    if "infinite" in kinds and options.inf_in_block != "ignore":  # A-N10, A-7
        return canonical_nan(scale) if options.inf_in_block == "nan_scale" else scale.max_code
    amax = max((x.exact.magnitude for x in inputs if x.exact.kind == "finite"), default=Fraction(0))
    first_normal = 1 << scale.mantissa_bits if scale.subnormals else 0
    if amax == 0:  # A-N2
        return {
            "minimum": 0,
            "min_normal": first_normal,
            "one": _rounded(scale, Fraction(1), EncodeOptions()),
            "negative_emax": _rounded(scale, power_of_two(-fmt.element.emax), EncodeOptions()),
        }[options.zero_block]
    rounding = EncodeOptions(rounding=options.scale_rounding)
    ratio = _ratio(amax, _bound(fmt.element, options.element_bound), options, tensor)
    if options.scale_overflow == "nan":  # A-N4; an infinity is not a scale either
        beyond = EncodeOptions(rounding=options.scale_rounding, overflow="overflow")
        if decode(scale, _rounded(scale, ratio, beyond)).kind != "finite":
            return canonical_nan(scale)
    code = _rounded(scale, ratio, rounding)
    if options.scale_underflow == "min_normal":
        return max(code, first_normal)
    if code == 0 and scale.subnormals:  # A-N3
        if options.scale_underflow == "nan":
            return canonical_nan(scale)
        return 1 if options.scale_underflow == "clamp" else 0
    return code


def _ratio(amax: Fraction, bound: Fraction, options: QuantizeOptions, tensor: TensorScale) -> Fraction:
    """The scale before it is rounded to its format (A-N5)."""
    match options.quotient:
        case "exact":
            return amax / (bound * tensor.decode)
        case "float32_multiply":
            factor = multiplied(tensor.encode, divided(Fraction(1), bound))
            return _limited(multiplied(in_float32(amax), factor))
        case "float32_divide":
            return _limited(divided(divided(in_float32(amax), bound), tensor.decode))


def quotient(given: Input, scale: Fraction, options: QuantizeOptions, tensor: TensorScale) -> Input:
    """Return what is rounded to an element: V_i / X of MX-6.3-d, NV-Q-c and NV-Q-d (A-N5)."""
    exact = given.exact
    if exact.kind == "nan":
        return given
    if options.quotient == "exact":
        if exact.kind == "infinite":
            return given
        divisor = scale * tensor.decode
        magnitude = exact.magnitude / divisor if divisor else Fraction(0)  # A-N3: zero outputs
        return Input(Number("finite", exact.negative, magnitude), given.negative)
    factor: Extended
    if options.quotient == "float32_multiply":
        decode_scale = divided(Fraction(1), tensor.encode)
        if scale == 0 and decode_scale == math.inf:
            return Input(NAN, False)
        factor = _limited(divided(Fraction(1), multiplied(scale, decode_scale)))
    else:
        factor = divided(divided(Fraction(1), tensor.decode), scale)
    x: Extended = in_float32(exact.magnitude) if exact.kind == "finite" else math.inf
    if (x == math.inf and factor == 0) or (x == 0 and factor == math.inf):
        return Input(NAN, False)
    product = multiplied(x, factor)
    if isinstance(product, float):
        return Input(infinity(negative=exact.negative), given.negative)
    return Input(Number("finite", exact.negative, product), given.negative)


def _rounded(scale: FloatFormat, value: Fraction, options: EncodeOptions) -> int:
    return encode_input(scale, Input(number(value), False), options)


def _limited(x: Extended) -> Fraction:
    """At most the largest Float32 (NV-Q-g)."""
    return _LARGEST if isinstance(x, float) else min(x, _LARGEST)


def _bound(fmt: NumberFormat, bound: str) -> Fraction:
    """A-N9: the largest value, or the largest power of two."""
    return decode(fmt, fmt.max_code).magnitude if bound == "largest" else power_of_two(fmt.emax)
