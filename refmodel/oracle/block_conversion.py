"""Arrays of numbers -> blocks under every option of `QuantizeOptions`.

`blocks.quantize_block` is the same for the default options, in fewer words; tests/test_options.py holds
the two to each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction

from refmodel.errors import ShapeError
from refmodel.formats import BlockFormat, ElementFormat, FloatFormat, IntegerFormat, ScaleFormat
from refmodel.options import QuantizeOptions, ScaleRule
from refmodel.oracle.blocks import Block, need_power_of_two_scale
from refmodel.oracle.codes import canonical_nan, decode
from refmodel.oracle.conversion import Input, encode_input, read
from refmodel.oracle.exact import Number, floor_log2, number, power_of_two
from refmodel.oracle.float32 import divided, from_float32, in_float32, multiplied, to_float32
from refmodel.oracle.ratio_scales import NO_TENSOR_SCALE, TensorScale, quotient, select_ratio_scale
from refmodel.oracle.rounding import spacing


def scale_exponent(element: ElementFormat, amax: Fraction, rule: ScaleRule) -> int:
    """Return log2 of the scale that *rule* (A-1) gives a block of largest magnitude *amax* > 0, unlimited."""
    largest = decode(element, element.max_code).magnitude
    of_floor = floor_log2(amax) - element.emax  # MX-6.3-b, D-1
    match rule:
        case "floor":
            return of_floor
        case "ceil":
            return ceil_log2(amax) - element.emax
        case "rceil":
            return ceil_log2(amax / largest)
        case "even":  # half a step of amax is added, and whatever is below a step dropped; then floor (D-17)
            mantissa_bits = element.bits - 2 if isinstance(element, IntegerFormat) else element.mantissa_bits
            step = power_of_two(floor_log2(amax) - mantissa_bits)
            return floor_log2((amax / step + Fraction(1, 2)) // 1 * step) - element.emax
        case "midmax":
            next_value = largest + spacing(element, largest)
            above = amax / power_of_two(of_floor) > (largest + next_value) / 2
            return of_floor + 1 if above else of_floor


def float32_scale_exponent(element: ElementFormat, amax: Fraction, options: QuantizeOptions) -> float:
    """Return what `scale_exponent` is in Float32 arithmetic (A-2); infinite beyond the range of that."""
    rule, arithmetic = options.scale_rule, options.scale_arithmetic
    ratio = in_float32(amax)
    if rule == "rceil" and isinstance(ratio, Fraction) and ratio:
        largest = in_float32(decode(element, element.max_code).magnitude)
        if arithmetic == "float32_multiply":
            ratio = multiplied(ratio, divided(Fraction(1), largest))
        else:
            ratio = divided(ratio, largest)
    if isinstance(ratio, float):
        return ratio
    if ratio == 0:
        return -math.inf
    floor, ceil = floor_log2(ratio), ceil_log2(ratio)
    if arithmetic == "float32_log2" and floor != ceil:
        floor, ceil = _rounded_log2(ratio)
    if rule == "rceil":
        return ceil
    return (floor if rule == "floor" else ceil) - element.emax


def _rounded_log2(magnitude: Fraction) -> tuple[int, int]:
    """Return floor and ceil of the Float32 nearest to log2 of *magnitude*, which is no power of two.

    Such a logarithm is irrational, so it is never a tie, and 60 digits tell on which side of one it is.
    """
    with localcontext() as context:
        context.prec = 60
        of_ratio = (Decimal(magnitude.numerator) / Decimal(magnitude.denominator)).ln() / Decimal(2).ln()
    rounded = from_float32(to_float32(number(Fraction(of_ratio)))).value
    return math.floor(rounded), math.ceil(rounded)


def ceil_log2(magnitude: Fraction) -> int:
    """Return the exponent of the smallest power of two that is at least *magnitude* (> 0)."""
    exponent = floor_log2(magnitude)
    return exponent if power_of_two(exponent) == magnitude else exponent + 1


def select_scale(fmt: BlockFormat, inputs: Sequence[Input], options: QuantizeOptions) -> int:
    """Return the scale code of a block of *inputs* (A-3 to A-7).

    Raises:
        DefinitionError: If the scales of the format are not plain powers of two.
    """
    if fmt.scale.specials == "fn":
        need_power_of_two_scale(fmt.scale)
    kinds = {x.exact.kind for x in inputs}
    if "nan" in kinds and options.nan_in_block == "nan_scale":
        return canonical_nan(fmt.scale)
    if "infinite" in kinds and options.inf_in_block == "nan_scale":
        return canonical_nan(fmt.scale)
    if "infinite" in kinds and options.inf_in_block == "max_scale":
        return fmt.scale.max_code
    if "infinite" in kinds and options.inf_in_block == "power":
        return _scale_code(fmt.scale, _exponent(fmt.element, power_of_two(128), options), options)
    amax = max((x.exact.magnitude for x in inputs if x.exact.kind == "finite"), default=Fraction(0))
    if amax == 0:
        zero_block = {
            "minimum": fmt.scale.emin,
            "min_normal": fmt.scale.emin,
            "one": 0,
            "negative_emax": -fmt.element.emax,
        }
        return _scale_code(fmt.scale, zero_block[options.zero_block], options)
    return _scale_code(fmt.scale, _exponent(fmt.element, amax, options), options)


def _exponent(element: ElementFormat, amax: Fraction, options: QuantizeOptions) -> float:
    if options.scale_arithmetic == "exact" or options.scale_rule in ("even", "midmax"):
        return scale_exponent(element, amax, options.scale_rule)
    return float32_scale_exponent(element, amax, options)


def _scale_code(scale: ScaleFormat, exponent: float, options: QuantizeOptions) -> int:
    if exponent < scale.emin:
        return canonical_nan(scale) if options.scale_underflow == "nan" else 0
    if exponent > scale.emax:
        return scale.max_code if options.scale_overflow == "clamp" else canonical_nan(scale)
    return int(exponent) + scale.bias


def convert_block(
    fmt: BlockFormat,
    source: FloatFormat,
    values: Sequence[int],
    options: QuantizeOptions,
    randoms: Sequence[int] | None = None,
    tensor_scale: TensorScale = NO_TENSOR_SCALE,
) -> Block:
    """Return *values*, bits of a *source* format, as a block (MX-6.3-b, MX-6.3-d).

    Fewer values than block_size are padded with +0 or refused (A-9). Under a NaN scale element codes are 0.

    Raises:
        ShapeError: If there are no values, too many, or too few and options refuse that.
        DefinitionError, ValueRefusedError: As `conversion.convert` and `select_scale`.
    """
    missing = fmt.block_size - len(values)
    if not values or missing < 0 or (missing and options.partial_block == "refuse"):
        raise ShapeError(f"{len(values)} values for a block of {fmt.name}; it has {fmt.block_size}")
    inputs = [read(source, bits, options) for bits in [*values, *[0] * missing]]
    drawn = [*(randoms or [0] * len(values)), *[0] * missing]
    power_of_two_scale = fmt.scale.mantissa_bits == 0 and not fmt.scale.subnormals
    if power_of_two_scale:
        code = select_scale(fmt, inputs, options)
    else:
        code = select_ratio_scale(fmt, inputs, options, tensor_scale)
    scale = decode(fmt.scale, code)
    if scale.kind == "nan":
        return Block(fmt, code, (0,) * fmt.block_size)
    divisor = scale.magnitude
    if power_of_two_scale and code == 0:
        divisor = {"scale": divisor, "double": 2 * divisor, "one": Fraction(1)}[options.lowest_divisor]
    quotients = [
        _over(x, divisor) if power_of_two_scale else quotient(x, divisor, options, tensor_scale)
        for x in inputs
    ]
    return Block(
        fmt,
        code,
        tuple(
            encode_input(fmt.element, given, options, random)
            for given, random in zip(quotients, drawn, strict=True)
        ),
    )


def _over(given: Input, scale: Fraction) -> Input:
    """V_i / X of MX-6.3-d, exact; what is not finite stays what it is."""
    exact = given.exact
    if exact.kind != "finite":
        return given
    return Input(Number("finite", exact.negative, exact.magnitude / scale), given.negative)
