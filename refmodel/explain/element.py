"""One number on its way to a code."""

from __future__ import annotations

from dataclasses import dataclass

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
    scale_exponent: int,
    divisor_exponent: int,
    options: EncodeOptions,
    random: int | None,
) -> tuple[Encoded, tuple[Step, ...]]:
    """Return the code of an element of a block whose scale is 2**scale_exponent, and all of its steps.

    The input is divided by 2**divisor_exponent, which is the scale but for the lowest one (A-4).
    """
    quotient = prepared.exact.scaled(-divisor_exponent)
    divisor = "the scale " * (divisor_exponent == scale_exponent) + f"2^{divisor_exponent}"
    scale = Step(
        "quotient",
        f"the input divided by {divisor}, exactly"
        + (f": about {about(quotient.signed)}" if quotient.is_finite else ""),
        value=str(quotient),
        ids=("MX-6.3-d", "D-9"),
    )
    encoded = encode_number(fmt, quotient, options, random, _top_fraction(prepared.source))
    code = code_step(fmt, encoded.code)
    element = decode_exact(fmt, encoded.code)
    value = Step(
        "value",
        f"scale times element: 2^{scale_exponent} * {element}"
        if element.is_finite
        else "NaN and infinity pass through whatever the scale is",
        value=str(element.scaled(scale_exponent)),
        ids=("MX-5.1-k",) if element.is_finite else ("MX-5.1-i",),
    )
    error = error_steps(fmt, prepared.source.exact, encoded.code, scale_exponent)
    return encoded, (*prepared.steps, scale, *encoded.steps, code, value, *error)


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


def code_step(fmt: NumberFormat, code: int) -> Step:
    """Return the step that shows a code."""
    kind = class_of(fmt, code)
    ids = ("MX-5.3.4-h",) if isinstance(fmt, IntegerFormat) else ("MX-5.3-c",)
    if isinstance(fmt, FloatFormat) and not fmt.signed:
        ids = ("MX-5.4.1-b",)
    return Step(
        "code", f"{code_text(fmt, code)}, {kind}", fields(fmt, code), str(decode_exact(fmt, code)), ids
    )


def error_steps(fmt: NumberFormat, source: Exact, code: int, scale_exponent: int = 0) -> tuple[Step, ...]:
    """Return the step that compares what the code stands for with the input, where both are finite."""
    result = decode_exact(fmt, code).scaled(scale_exponent)
    if not (source.is_finite and result.is_finite):
        return ()
    error = result.signed - source.signed
    step = power_of_two(locate(fmt, source.scaled(-scale_exponent).magnitude).step_exponent + scale_exponent)
    text = "result equals input"
    if error:
        text = f"result less input: {about(error / step)} steps of {number_text(step)}"
    return (Step("error", text, value=number_text(error)),)


def _top_fraction(source: FloatBits) -> int:
    """Return the fraction field of a number, its leading bit in bit 63."""
    width = source.fmt.mantissa_bits
    return (source.bits & ((1 << width) - 1)) << (64 - width)
