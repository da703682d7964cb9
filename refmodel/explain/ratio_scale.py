"""Scales with a mantissa, and the scale that all blocks of an array share (NV-Q-a to NV-Q-d, A-N1 to A-N10).

`QuantizeOptions.quotient` says which of these stages are exact and which are Float32 operations (A-N5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from refmodel.explain.element import Prepared, Scaling, amax_step
from refmodel.explain.encoding import encode_float32, encode_number
from refmodel.explain.exact import (
    NAN,
    Exact,
    about,
    decode_exact,
    divided,
    fields,
    multiplied,
    number_text,
    power_of_two,
)
from refmodel.explain.tree import Step
from refmodel.formats import FLOAT32, BlockFormat, NumberFormat, ScaleFormat
from refmodel.options import EncodeOptions, Overflow, QuantizeOptions

_ONE = Exact.of(Fraction(1))


@dataclass(frozen=True, slots=True)
class TensorScale:
    """The scale that all blocks of an array share.

    Attributes:
        decode: What values are multiplied by, a positive Float32; 1 in a format without tensor scale.
        encode: What amax of a block is multiplied by under ``float32_multiply``.
        steps: How they came about.
    """

    decode: Exact
    encode: Exact
    steps: tuple[Step, ...]


def choose_tensor_scale(
    fmt: BlockFormat, prepared: Sequence[Prepared], options: QuantizeOptions, given: Fraction | None
) -> TensorScale:
    """Return the tensor scale of an array, or a given one with what follows from it."""
    if fmt.tensor_scale is None:
        return TensorScale(_ONE, _ONE, ())
    steps: list[Step] = []
    if given is not None:
        return _with_encode(_tensor_step(steps, Exact.of(given), "given", ("NV-FMT-d",)), options, steps)
    if options.tensor_infinity == "one" and any(each.exact.kind == "infinite" for each in prepared):
        return _one(steps, "there is an infinity (tensor_infinity='one')", ("A-N6", "A-N10"))
    magnitude, step = amax_step("tensor amax", prepared, "NV-Q-a")
    steps.append(step)
    amax = Exact.of(magnitude)
    bounds = _bound(fmt.element, options.element_bound), _bound(fmt.scale, options.scale_bound)
    shown = f"({number_text(bounds[0])} * {number_text(bounds[1])})"
    bound, ids = Exact.of(bounds[0] * bounds[1]), ("NV-Q-a", "A-N5", "A-N9")
    replaced = f"zero is replaced (tensor_zero={options.tensor_zero!r})"
    if options.quotient == "float32_multiply":
        amax = _in_float32(steps, "tensor amax", amax)
        if amax.is_zero and options.tensor_zero == "one":
            return _one(steps, replaced, ("NV-Q-g", "A-N6"))
        exact = divided(bound, amax)
        encode = _operate(steps, "encode scale", f"{shown} / tensor amax", exact, ids, limited=True)
        if encode.is_zero:
            return _one(steps, "the encode scale is 0, and 1 instead", ("NV-Q-g",))
        decode = _operate(steps, "tensor scale", "1 / encode scale", divided(_ONE, encode), ids)
        return TensorScale(decode, encode, tuple(steps))
    exact = divided(amax, bound)
    decode = _operate(steps, "tensor scale", f"tensor amax / {shown}", exact, ids, limited=True)
    if decode.is_zero:
        if options.tensor_zero == "one":
            return _one(steps, replaced, ("NV-Q-g", "A-N6"))
        decode = _tensor_step(steps, decode_exact(FLOAT32, 1), replaced, ("A-N6",))
    return _with_encode(decode, options, steps)


def _one(steps: list[Step], text: str, ids: tuple[str, ...]) -> TensorScale:
    """Return the tensor scale 1, with a step that says why."""
    return TensorScale(_tensor_step(steps, _ONE, text, ids), _ONE, tuple(steps))


def _tensor_step(steps: list[Step], scale: Exact, text: str, ids: tuple[str, ...]) -> Exact:
    bits = fields(FLOAT32, encode_float32(scale).code)
    steps.append(Step("tensor scale", text, bits, str(scale), ids))
    return scale


def _with_encode(decode: Exact, options: QuantizeOptions, steps: list[Step]) -> TensorScale:
    """Return a tensor scale with the reciprocal that ``float32_multiply`` needs."""
    encode = _ONE
    if options.quotient == "float32_multiply":
        exact, ids = divided(_ONE, decode), ("NV-Q-a", "A-N5")
        encode = _operate(steps, "encode scale", "1 / tensor scale", exact, ids, limited=True)
    return TensorScale(decode, encode, tuple(steps))


def ratio_code(
    fmt: BlockFormat, amax: Fraction, options: QuantizeOptions, tensor: TensorScale, steps: list[Step]
) -> int | None:
    """Append the steps from a positive amax to the code of the scale, and return it; None for NaN."""
    scale = fmt.scale
    ratio = _ratio(fmt, Exact.of(amax), options, tensor, steps)
    overflow: Overflow = "overflow" if options.scale_overflow == "nan" else "saturate"
    rounding = EncodeOptions(rounding=options.scale_rounding, overflow=overflow)
    encoded = encode_number(scale, ratio, rounding, None, 0)
    for each in encoded.steps:  # of the range the options of scales decide
        if each.name in ("binade", "rounding", "carry"):
            ids = ("NV-Q-b", "A-N1") if each.name == "rounding" else each.ids
            steps.append(Step(each.name, each.text, each.bits, each.value, ids))
    return _in_range(scale, encoded.code, encoded.words, options, steps)


def _ratio(
    fmt: BlockFormat, amax: Exact, options: QuantizeOptions, tensor: TensorScale, steps: list[Step]
) -> Exact:
    """Append the steps to the scale before it is rounded to its format, and return that."""
    bound, ids = Exact.of(_bound(fmt.element, options.element_bound)), ("NV-Q-b", "A-N5", "A-N9")
    if options.quotient == "exact":
        ratio = divided(amax, multiplied(bound, tensor.decode))
        divisor = f"({bound} * tensor scale)" if fmt.tensor_scale else str(bound)
        text = f"amax / {divisor}, exactly: about {about(ratio.magnitude)}"
        steps.append(Step("ratio", text, value=str(ratio), ids=ids))
        return ratio
    amax = _in_float32(steps, "amax", amax)
    bound = _in_float32(steps, "the largest element", bound)
    if options.quotient == "float32_multiply":
        reciprocal = _operate(steps, "reciprocal", f"1 / {bound}", divided(_ONE, bound), ids)
        exact = multiplied(tensor.encode, reciprocal)
        if fmt.tensor_scale:
            exact = _operate(steps, "multiplier", "encode scale * reciprocal", exact, ids)
        factor = "multiplier" if fmt.tensor_scale else "reciprocal"
        return _operate(steps, "ratio", f"amax * {factor}", multiplied(amax, exact), ids, limited=True)
    exact = divided(amax, bound)
    if not fmt.tensor_scale:
        return _operate(steps, "ratio", f"amax / {bound}", exact, ids, limited=True)
    block_scale = _operate(steps, "block scale", f"amax / {bound}", exact, ids)
    exact = divided(block_scale, tensor.decode)
    return _operate(steps, "ratio", "block scale / tensor scale", exact, ids, limited=True)


def _in_range(
    scale: ScaleFormat, code: int, words: str, options: QuantizeOptions, steps: list[Step]
) -> int | None:
    """Append the step that compares the rounded scale with the range of its format; return the code."""
    largest = number_text(decode_exact(scale, scale.max_code).magnitude)
    if words in ("overflow", "clamped"):
        is_nan = options.scale_overflow == "nan"
        text = f"beyond {largest}, the largest scale (scale_overflow={options.scale_overflow!r})"
        steps.append(Step("clamp", text, value="NaN" if is_nan else largest, ids=("NV-Q-b", "A-N4")))
        return None if is_nan else scale.max_code
    first_normal = _first_normal(scale)
    choice = options.scale_underflow
    if scale.subnormals and (code == 0 or (choice == "min_normal" and code < first_normal)):
        chosen = {"clamp": 1, "nan": None, "zero": 0, "min_normal": first_normal}[choice]
        what = "the scale rounds to zero" if code == 0 else "the scale is subnormal"
        meaning = {
            "clamp": "the smallest positive scale",
            "nan": "NaN",
            "zero": "zero, and with it all elements",
            "min_normal": "the smallest normal scale",
        }[choice]
        value = "NaN" if chosen is None else str(decode_exact(scale, chosen))
        text = f"{what}: {meaning} (scale_underflow={choice!r})"
        steps.append(Step("clamp", text, value=value, ids=("A-N3",)))
        return chosen
    text = f"not above {largest}, the largest scale of {scale.name}"
    steps.append(Step("clamp", text, value=str(decode_exact(scale, code)), ids=("NV-Q-b",)))
    return code


def zero_block_code(fmt: BlockFormat, options: QuantizeOptions) -> int:
    """Return the code of the scale of a block of zeros."""
    if options.zero_block in ("one", "negative_emax"):
        exponent = 0 if options.zero_block == "one" else -fmt.element.emax
        return encode_number(fmt.scale, Exact.of(power_of_two(exponent)), EncodeOptions(), None, 0).code
    return _first_normal(fmt.scale) if options.zero_block == "min_normal" else 0


def ratio_scaling(
    fmt: BlockFormat, scale: Exact, options: QuantizeOptions, tensor: TensorScale, steps: list[Step]
) -> Scaling:
    """Append the steps from a finite scale to what the inputs are divided by; return how they are."""
    factor = multiplied(scale, tensor.decode)
    text = f"scale times tensor scale times element: {scale} * {tensor.decode}"
    if not fmt.tensor_scale:
        text = f"scale times element: {scale}"
    if options.quotient == "exact":
        if fmt.tensor_scale:
            steps.append(Step("divisor", "scale * tensor scale, exactly", value=str(factor), ids=("NV-Q-c",)))
        return Scaling(factor.magnitude, text, lambda x: _divide_exactly(x, factor))
    scale, ids = _in_float32(steps, "scale", scale), ("NV-Q-c", "A-N5")
    if options.quotient == "float32_multiply":
        product, name = scale, "scale"
        if fmt.tensor_scale:
            exact = divided(_ONE, tensor.encode)
            decode = _operate(steps, "decode scale", "1 / encode scale", exact, ids)
            product = _operate(steps, "product", "scale * decode scale", multiplied(scale, decode), ids)
            name = "product"
        exact = divided(_ONE, product)
        multiplier = _operate(steps, "factor", f"1 / {name}", exact, (*ids, "NV-Q-g"), limited=True)
    elif fmt.tensor_scale:
        exact = divided(_ONE, tensor.decode)
        reciprocal = _operate(steps, "tensor reciprocal", "1 / tensor scale", exact, ids)
        exact = divided(reciprocal, scale)
        multiplier = _operate(steps, "factor", "tensor reciprocal / scale", exact, ids)
    else:
        multiplier = _operate(steps, "factor", "1 / scale", divided(_ONE, scale), ids)
    return Scaling(factor.magnitude, text, lambda x: _multiply_in_float32(x, multiplier))


def _divide_exactly(x: Exact, divisor: Exact) -> tuple[Exact, tuple[Step, ...]]:
    if not x.is_finite:
        text, quotient = "NaN and infinity stay as they are", x
    elif divisor.is_zero:
        text, quotient = "a number divided by a scale of 0 gives zero", Exact("finite", x.negative)
    else:
        quotient = divided(x, divisor)
        text = f"the input divided by {divisor}, exactly: about {about(quotient.signed)}"
    return quotient, (Step("quotient", text, value=str(quotient), ids=("NV-Q-d", "A-N5")),)


def _multiply_in_float32(x: Exact, factor: Exact) -> tuple[Exact, tuple[Step, ...]]:
    if x.kind == "nan":
        return x, (Step("quotient", "NaN stays as it is", value=str(x), ids=("NV-Q-d",)),)
    steps: list[Step] = []
    exact = multiplied(_in_float32(steps, "the input", x), factor)
    quotient = _operate(steps, "quotient", f"the input * {factor}, the factor,", exact, ("NV-Q-d", "A-N5"))
    return quotient, tuple(steps)


def _operate(
    steps: list[Step], name: str, text: str, exact: Exact, ids: tuple[str, ...], *, limited: bool = False
) -> Exact:
    """Append the step that rounds the result of an operation to Float32, and return what it rounds to."""
    encoded = encode_float32(exact)
    code, text = encoded.code, f"{text} in Float32: {encoded.words}"
    if limited and decode_exact(FLOAT32, code).kind == "infinite":
        code, text, ids = FLOAT32.max_code, f"{text}; the largest Float32 instead", (*ids, "NV-Q-g")
    result = decode_exact(FLOAT32, code)
    steps.append(Step(name, text, fields(FLOAT32, code), str(result), tuple(dict.fromkeys(ids))))
    return NAN if result.kind == "nan" else result


def _in_float32(steps: list[Step], what: str, number: Exact) -> Exact:
    """Return a number in Float32, with a step where that changes it."""
    encoded = encode_float32(number)
    if not number.is_finite or encoded.words == "exact":
        return number
    return _operate(steps, "float32", what, number, ("A-N5",))


def _bound(fmt: NumberFormat, bound: str) -> Fraction:
    """Return the largest value of a format, or its largest power of two (A-N9)."""
    return decode_exact(fmt, fmt.max_code).magnitude if bound == "largest" else power_of_two(fmt.emax)


def _first_normal(scale: ScaleFormat) -> int:
    return 1 << scale.mantissa_bits if scale.subnormals else 0
