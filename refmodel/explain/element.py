"""One number on its way to a code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from refmodel.elements import encode
from refmodel.errors import ExplanationError, ShapeError
from refmodel.explain.encoding import Encoded, encode_number
from refmodel.explain.exact import (
    INPUT_FORMATS,
    Exact,
    FloatBits,
    about,
    as_bits,
    class_of,
    code_text,
    decode_exact,
    fields,
    number_text,
    power_of_two,
    to_array,
)
from refmodel.explain.rounding import locate
from refmodel.explain.tree import Explanation, Step
from refmodel.formats import FloatFormat, IntegerFormat, NumberFormat, get_number_format
from refmodel.options import EncodeOptions


@dataclass(frozen=True, slots=True)
class Prepared:
    """An input after what options do to it before it is rounded (A-17, A-20).

    Attributes:
        source: The input.
        exact: The number that is rounded.
        steps: How it came about.
    """

    source: FloatBits
    exact: Exact
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Scaling:
    """What an input is divided by before it becomes an element, and what an element is multiplied by.

    Attributes:
        factor: The scale, times the tensor scale if there is one.
        text: The same in words and numbers.
        divide: Returns the quotient of an input, and how it came about.
    """

    factor: Fraction
    text: str
    divide: Callable[[Exact], tuple[Exact, tuple[Step, ...]]]


def explain_element(
    fmt: str | NumberFormat,
    value: float | np.floating | FloatBits,
    options: EncodeOptions | None = None,
    *,
    random: int | None = None,
) -> Explanation:
    """Explain how `refmodel.encode` makes a code of a number.

    Args:
        fmt: Element or scale format, by name or description.
        value: A float (taken as Float64), a NumPy or ml_dtypes scalar, or `FloatBits`.
        options: The choices the specifications leave open; the defaults when None.
        random: The random integer of stochastic rounding.

    Raises:
        ShapeError: If value is more than one number.
        ExplanationError: If the stages do not lead to the model's code, which is a defect of refmodel.
        MxError: What `refmodel.encode` raises.
    """
    number_format = get_number_format(fmt)
    options = EncodeOptions() if options is None else options
    inputs = as_bits(value)
    if len(inputs) != 1 or np.ndim(random if random is not None else 0):
        raise ShapeError("one element is explained at a time; give one value, and at most one random integer")
    array = to_array(inputs)
    model = int(encode(number_format, array, options=options, random=random)[0])
    source, prepared = inputs[0], prepare(inputs[0], options)
    encoded = encode_number(number_format, prepared.exact, options, random, _top_fraction(source))
    code, model_code = code_text(number_format, encoded.code), code_text(number_format, model)
    if encoded.code != model:
        raise ExplanationError(
            f"{source} to {number_format.name}: the stages lead to {code}, the model gives {model_code} "
            f"with {options}"
        )
    steps = (*prepared.steps, *encoded.steps, code_step(number_format, encoded.code))
    error = error_steps(number_format, source.exact, encoded.code)
    title = f"{source} ({source.format}) to {number_format.name}: {code}"
    return Explanation(title, code, (*steps, *error))


def explain_scaled(
    fmt: NumberFormat,
    prepared: Prepared,
    scaling: Scaling,
    options: EncodeOptions,
    random: int | None,
) -> tuple[Encoded, tuple[Step, ...]]:
    """Return the code of an element of a block, and all of its steps."""
    quotient, quotient_steps = scaling.divide(prepared.exact)
    encoded = encode_number(fmt, quotient, options, random, _top_fraction(prepared.source))
    code = code_step(fmt, encoded.code)
    element = decode_exact(fmt, encoded.code)
    value = Step(
        "value",
        f"{scaling.text} * {element}"
        if element.is_finite
        else "NaN and infinity pass through whatever the scale is",
        value=str(element.times(scaling.factor)),
        ids=("MX-5.1-k",) if element.is_finite else ("MX-5.1-i",),
    )
    error = error_steps(fmt, prepared.source.exact, encoded.code, scaling.factor)
    return encoded, (*prepared.steps, *quotient_steps, *encoded.steps, code, value, *error)


def prepare(source: FloatBits, options: EncodeOptions) -> Prepared:
    """Return an input after what options do to it before it is rounded."""
    exact, fmt = source.exact, source.fmt
    steps = [input_step(source)]
    if options.subnormal_input == "flush" and class_of(fmt, source.bits) == "subnormal":
        exact = Exact("finite", exact.negative)
        text = f"a subnormal of {fmt.name} is taken as zero of its sign (subnormal_input='flush')"
        steps.append(Step("flush", text, value=str(exact), ids=("A-20",)))
    if options.intermediate != "exact":
        target = INPUT_FORMATS[options.intermediate]
        nearest = EncodeOptions(overflow="overflow", nan_sign="keep")
        rounded = encode_number(target, exact, nearest, None, 0)
        exact = decode_exact(target, rounded.code)
        text = f"first rounded to {target.name}, to nearest even: {rounded.words} (a double rounding)"
        steps.append(Step("intermediate", text, fields(target, rounded.code), str(exact), ("A-17",)))
    return Prepared(source, exact, tuple(steps))


def input_step(source: FloatBits) -> Step:
    """Return the step that takes the bits of an input apart."""
    fmt, kind = source.fmt, class_of(source.fmt, source.bits)
    field = source.bits >> fmt.mantissa_bits & ((1 << fmt.exponent_bits) - 1)
    detail = {
        "normal": f"exponent field {field} - {fmt.bias} = {field - fmt.bias}",
        "subnormal": f"exponent field 0, so the exponent is {fmt.emin} and there is no leading one",
        "zero": f"sign {'-' if source.exact.negative else '+'}",
        "infinity": "exponent field all ones, fraction 0",
        "NaN": "exponent field all ones, fraction not 0",
    }[kind]
    shown = f"{source}, {kind}" if source.exact.is_finite else kind
    return Step(
        "input",
        f"{fmt.name} {code_text(fmt, source.bits)}, {shown}: {detail}",
        fields(fmt, source.bits),
        str(source.exact),
        {"normal": ("MX-4.1-d",), "subnormal": ("MX-4.1-e",), "NaN": ("MX-4.1-f",)}.get(kind, ()),
    )


def amax_step(name: str, prepared: Sequence[Prepared], identifier: str) -> tuple[Fraction, Step]:
    """Return the largest finite magnitude of inputs, zero if there is none, and the step that names it."""
    finite = {i: each.exact.magnitude for i, each in enumerate(prepared) if each.exact.is_finite}
    amax = max(finite.values(), default=Fraction(0))
    fmt = prepared[0].source.fmt
    bits = fields(fmt, locate(fmt, amax).code)
    text = "there is no finite value"
    if finite:
        i = next(i for i, magnitude in finite.items() if magnitude == amax)
        source = prepared[i].source
        text = f"largest magnitude, that of element {i}, {source}; as {fmt.name} without its sign"
    return amax, Step(name, text, bits, number_text(amax), (identifier,))


def code_step(fmt: NumberFormat, code: int) -> Step:
    """Return the step that shows a code."""
    kind = class_of(fmt, code)
    ids = ("MX-5.3.4-h",) if isinstance(fmt, IntegerFormat) else ("MX-5.3-c",)
    if isinstance(fmt, FloatFormat) and not fmt.subnormals:
        ids = ("MX-5.4.1-b",)
    return Step(
        "code", f"{code_text(fmt, code)}, {kind}", fields(fmt, code), str(decode_exact(fmt, code)), ids
    )


def error_steps(
    fmt: NumberFormat, source: Exact, code: int, factor: Fraction = Fraction(1)
) -> tuple[Step, ...]:
    """Return the step that compares what the code stands for with the input, where both are finite."""
    result = decode_exact(fmt, code).times(factor)
    if not (source.is_finite and result.is_finite):
        return ()
    error = result.signed - source.signed
    text = "result equals input"
    if error:
        text = "result less input"
        if factor:  # no scale of zero
            step = power_of_two(locate(fmt, source.magnitude / factor).step_exponent) * factor
            text += f": {about(error / step)} steps of {number_text(step)}"
    return (Step("error", text, value=number_text(error)),)


def _top_fraction(source: FloatBits) -> int:
    """Return the fraction field of a NaN, its leading bit in bit 63; 0 for another number."""
    if source.exact.kind != "nan":
        return 0
    width = source.fmt.mantissa_bits
    return (source.bits & ((1 << width) - 1)) << (64 - width)
