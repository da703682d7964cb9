"""The scale of a block, from its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from refmodel.explain.element import Prepared, Scaling, amax_step
from refmodel.explain.exact import (
    Exact,
    about,
    binary_text,
    class_of,
    code_text,
    decode_exact,
    fields,
    floor_log2,
    number_text,
    power_of_two,
)
from refmodel.explain.ratio_scale import TensorScale, ratio_code, ratio_scaling, zero_block_code
from refmodel.explain.rounding import locate
from refmodel.explain.tree import Step
from refmodel.formats import BlockFormat, IntegerFormat
from refmodel.options import QuantizeOptions
from refmodel.scales import float32_exponent


def choose_scale(
    fmt: BlockFormat,
    prepared: Sequence[Prepared],
    options: QuantizeOptions,
    tensor: TensorScale,
    steps: list[Step],
) -> int:
    """Append the steps from the block's numbers to its scale code, and return the code."""
    scale, is_power = fmt.scale, fmt.scale.is_power_of_two
    code, why = _special_code(fmt, prepared, options, steps)
    if not why:
        amax = power_of_two(128)  # inf_in_block="power"
        if options.inf_in_block != "power" or all(each.exact.kind != "infinite" for each in prepared):
            amax, step = amax_step("amax", prepared, "MX-6.3-b" if is_power else "NV-Q-b")
            steps.append(step)
        if is_power:
            code = _clamped(fmt, _exponent_steps(fmt, amax, prepared, options, steps), options, steps)
        elif amax:
            code = ratio_code(fmt, amax, options, tensor, steps)
        else:
            code = zero_block_code(fmt, options)
            value = str(decode_exact(scale, code))
            steps.append(_zero_block_step(options, value, "A-N2"))
    ids: tuple[str, ...] = ("MX-5.4.1-b",) if is_power else ("NV-Q-b",)
    if code is None:
        assert scale.quiet_nan_code is not None  # the model has refused options that ask for it
        code, why = scale.quiet_nan_code, why or "out of range"
        ids = (*ids, "MX-5.1-h", *(("MX-5.4.1-c",) if is_power else ()))
        why += "; every value of the block is NaN, the element codes mean nothing"
    elif not why:
        why = f"exponent plus bias {scale.bias}" if is_power else class_of(scale, code)
    text = f"{code_text(scale, code)}: {why}"
    steps.append(Step("scale", text, fields(scale, code), str(decode_exact(scale, code)), ids))
    return code


def choose_scaling(
    fmt: BlockFormat, code: int, options: QuantizeOptions, tensor: TensorScale, steps: list[Step]
) -> Scaling:
    """Append the steps from a scale, not NaN, to what the inputs are divided by; return how they are."""
    scale = decode_exact(fmt.scale, code)
    if not fmt.scale.is_power_of_two:
        return ratio_scaling(fmt, scale, options, tensor, steps)
    exponent = floor_log2(scale.magnitude)
    divisor = exponent
    if code == 0:
        divisor = {"scale": exponent, "double": exponent + 1, "one": 0}[options.lowest_divisor]
    if divisor != exponent:
        text = f"the elements are divided by 2^{divisor} (lowest_divisor={options.lowest_divisor!r})"
        steps.append(Step("divisor", text, value=str(divisor), ids=("A-4",)))
    name = "the scale " * (divisor == exponent) + f"2^{divisor}"

    def divide(x: Exact) -> tuple[Exact, tuple[Step, ...]]:
        quotient = x.times(power_of_two(-divisor))
        text = f"the input divided by {name}, exactly"
        if x.is_finite:
            text += f": about {about(quotient.signed)}"
        return quotient, (Step("quotient", text, value=str(quotient), ids=("MX-6.3-d", "D-9")),)

    return Scaling(scale.magnitude, f"scale times element: 2^{exponent}", divide)


def _special_code(
    fmt: BlockFormat, prepared: Sequence[Prepared], options: QuantizeOptions, steps: list[Step]
) -> tuple[int | None, str]:
    """Append the steps for NaN and infinity; where they decide, return the code, None for NaN, and why."""
    nans = [i for i, each in enumerate(prepared) if each.exact.kind == "nan"]
    infinities = [i for i, each in enumerate(prepared) if each.exact.kind == "infinite"]
    in_block = options.inf_in_block
    if in_block == "power" and not fmt.scale.is_power_of_two:
        in_block = "max_scale"
    if nans:
        keeps = options.nan_in_block == "per_element"
        what = "left out of amax, encoded as elements" if keeps else "the scale becomes NaN"
        text = f"NaN at {listed(nans)}: {what} (nan_in_block={options.nan_in_block!r})"
        steps.append(Step("nan", text, ids=("A-6",)))
    if infinities:
        what = {
            "nan_scale": "the scale becomes NaN",
            "max_scale": "the largest scale; the infinity is encoded as an element",
            "power": "amax is 2^128; the infinity is encoded as an element",
            "ignore": "left out of amax; encoded as an element",
        }[in_block]
        text = f"infinity at {listed(infinities)}: {what} (inf_in_block={options.inf_in_block!r})"
        steps.append(Step("infinity", text, ids=("A-7",)))
    if nans and options.nan_in_block == "nan_scale":
        return None, "there is a NaN"
    if infinities and in_block in ("nan_scale", "max_scale"):
        return None if in_block == "nan_scale" else fmt.scale.max_code, "there is an infinity"
    return None, ""


def listed(indices: Sequence[int]) -> str:
    """Return the first few of the numbers of elements as text."""
    shown = ", ".join(map(str, indices[:8]))
    return f"{shown} and {len(indices) - 8} more" if len(indices) > 8 else shown


def _zero_block_step(options: QuantizeOptions, value: str, identifier: str) -> Step:
    text = f"no number but zero counts (zero_block={options.zero_block!r})"
    return Step("zero block", text, value=value, ids=(identifier,))


def _exponent_steps(
    fmt: BlockFormat,
    amax: Fraction,
    prepared: Sequence[Prepared],
    options: QuantizeOptions,
    steps: list[Step],
) -> int:
    """Append the steps from amax to the exponent of a power of two, and return it, before clamping."""
    source, element, rule = prepared[0].source.fmt, fmt.element, options.scale_rule
    if amax == 0:
        sexp = {
            "minimum": fmt.scale.emin,
            "min_normal": fmt.scale.emin,
            "one": 0,
            "negative_emax": -element.emax,
        }[options.zero_block]
        steps.append(_zero_block_step(options, str(sexp), "A-3"))
        return sexp
    if options.scale_arithmetic != "exact" and rule not in ("even", "midmax"):
        sexp = float32_exponent(np.array(float(amax)), element, options).item()
        text = f"scale_rule={rule!r} in Float32 arithmetic (scale_arithmetic={options.scale_arithmetic!r})"
        steps.append(Step("sexp", text, value=str(sexp), ids=("A-1", "A-2", "D-15", "D-16")))
        return sexp
    field = locate(source, amax).code >> source.mantissa_bits
    exponent = floor_log2(amax)
    text = f"floor(log2 amax) from the bits: exponent field {field} - {source.bias}"
    if field == 0:
        text = f"floor(log2 amax) from the bits: a subnormal, its leading one stands for 2^{exponent}"
    steps.append(Step("exponent", text, value=str(exponent), ids=("A-2", "D-15")))
    significand = amax / power_of_two(exponent)
    mantissa_bits = element.bits - 2 if isinstance(element, IntegerFormat) else element.mantissa_bits
    largest = decode_exact(element, element.max_code).magnitude / power_of_two(element.emax)
    half_step = power_of_two(-mantissa_bits - 1)
    # rule -> threshold, whether the threshold itself counts, what the threshold is
    thresholds = {
        "ceil": (Fraction(1), False, "a power of two"),
        "rceil": (largest, False, f"largest element / 2^{element.emax}"),
        "even": (2 - half_step, True, f"what rounds up to 2 with {mantissa_bits} fraction bits"),
        "midmax": (largest + half_step, False, f"half a step above largest element / 2^{element.emax}"),
    }
    up = False
    if rule == "floor":
        text = "the exponent as it is"
        bits = ""
    else:
        threshold, inclusive, meaning = thresholds[rule]
        up = significand > threshold or (inclusive and significand == threshold)
        relation = "at least" if inclusive else "above"
        text = (
            f"significand {number_text(significand)} is {'' if up else 'not '}{relation} "
            f"{number_text(threshold)}, {meaning}: {'one more' if up else 'the exponent as it is'}"
        )
        bits = binary_text(significand)
    ids = ("MX-6.3-b", "A-1", "D-1") if rule == "floor" else ("MX-6.3-f", "A-1")
    steps.append(Step("rule", f"scale_rule={rule!r}: {text}", bits, str(exponent + up), ids))
    sexp = exponent + up - element.emax
    text = f"less emax of {element.name}: {exponent + up} - {element.emax}"
    steps.append(Step("sexp", text.replace("- -", "+ "), value=str(sexp), ids=("D-1", "D-3")))
    return sexp


def _clamped(fmt: BlockFormat, sexp: int, options: QuantizeOptions, steps: list[Step]) -> int | None:
    """Append the step that compares the exponent with the scale's range; return the code, None for NaN."""
    scale = fmt.scale
    clamped = min(max(sexp, scale.emin), scale.emax)
    where = f"{scale.emin} to {scale.emax}, the exponents of {scale.name}"
    if clamped == sexp:
        steps.append(Step("clamp", f"within {where}", value=str(sexp), ids=("MX-5.4.1-b",)))
        return sexp + scale.bias
    name, identifier = ("scale_underflow", "A-4") if sexp < clamped else ("scale_overflow", "A-5")
    choice = getattr(options, name)
    value = "NaN" if choice == "nan" else str(clamped)
    text = f"{sexp} is outside {where} ({name}={choice!r})"
    steps.append(Step("clamp", text, value=value, ids=("MX-5.4.1-b", identifier)))
    return None if choice == "nan" else clamped + scale.bias
