"""One number on its way to a code of any format: encode, saturate, round, one step after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from refmodel.errors import ValueRefusedError
from refmodel.explain.exact import (
    Exact,
    binary_text,
    decode_exact,
    fields,
    number_text,
    power_of_two,
)
from refmodel.explain.rounding import Position, decide, locate, overflows
from refmodel.explain.tree import Step
from refmodel.formats import FLOAT32, FloatFormat, IntegerFormat, NumberFormat
from refmodel.options import EncodeOptions

# Section of MX v1.0 that describes an element format.
_FP8, _FP6, _FP4, _INT8 = "5.3.1", "5.3.2", "5.3.3", "5.3.4"
_SECTIONS = {"e5m2": _FP8, "e4m3": _FP8, "e3m2": _FP6, "e2m3": _FP6, "e2m1": _FP4, "int8": _INT8}


@dataclass(frozen=True, slots=True)
class Encoded:
    """A number that became a code.

    Attributes:
        code: The code.
        steps: How.
        words: The decisive step in a few words.
        split: kept|guard|round|sticky, or nothing for NaN and infinity.
    """

    code: int
    steps: tuple[Step, ...]
    words: str
    split: str = ""


def encode_number(
    fmt: NumberFormat, exact: Exact, options: EncodeOptions, random: int | None, top_fraction: int
) -> Encoded:
    """Return the code of a number, with the steps from the number to the code.

    Args:
        fmt: The format, of any width.
        exact: The number.
        options: The choices the specifications leave open.
        random: The random integer of stochastic rounding.
        top_fraction: The fraction of a NaN, its leading bit in bit 63.
    """
    steps: list[Step] = []
    if isinstance(fmt, FloatFormat):
        exact = _without_what_has_no_code(fmt, exact, options, steps)
    if exact.kind == "nan":
        code, step = _encode_nan(fmt, exact.negative, options, top_fraction)
        return Encoded(code, (*steps, step), "NaN")
    if exact.kind == "infinite":
        magnitude, step = _out_of_range(fmt, exact, options, "an infinity")
        return _with_sign(fmt, exact, magnitude, options, Encoded(0, (*steps, step), "infinity"))
    if isinstance(fmt, FloatFormat) and _underflows(fmt, exact, options, random):
        code, step = _encode_nan(fmt, exact.negative, options, 0)
        text = f"rounds to less than 2^{fmt.emin}, the smallest value (unsigned_underflow='nan')"
        steps.append(Step("underflow", text, value="NaN", ids=("A-4", "A-11")))
        return Encoded(code, (*steps, step), "underflow")
    position = locate(fmt, exact.magnitude)
    decision = decide(position, exact.negative, options, random)
    kept = position.kept + decision.away
    steps.append(_grid_step(fmt, exact, position))
    ids = ("A-16", *{"rne": ("MX-4.1-g",), "stochastic": ("A-33",)}.get(options.rounding, ()))
    dropped = f"guard {position.guard}, round {position.round}, sticky {position.sticky}"
    steps.append(
        Step(
            "rounding",
            f"kept {position.bits()}, {dropped}: {decision.words} ({options.rounding}): {decision.text}",
            position.split,
            number_text(kept * power_of_two(position.step_exponent)),
            ids,
        )
    )
    if isinstance(fmt, FloatFormat) and decision.away and kept.bit_count() == 1 and kept > 1:
        steps.append(_carry_step(fmt, position, kept))
    code, words = position.base + kept, decision.words
    rounded = Exact("finite", exact.negative, kept * power_of_two(position.step_exponent))
    if code > fmt.max_code:
        code, step = _out_of_range(fmt, rounded, options, number_text(rounded.magnitude))
        words = "overflow" if code > fmt.max_code and isinstance(fmt, FloatFormat) else "clamped"
        if isinstance(fmt, IntegerFormat) and code > fmt.max_code:  # the code without positive counterpart
            words = decision.words if kept == code else "clamped"
        steps.append(step)
    elif exact.magnitude and not kept:
        ids = ("OFP8-5.2.1-j",) if _section(fmt) == _FP8 else _clause(fmt, "h")
        text = "rounds to zero: below the smallest magnitude of the format"
        steps.append(Step("range", text, value="0", ids=() if isinstance(fmt, IntegerFormat) else ids))
    else:
        text = f"not above the largest magnitude, {number_text(_largest(fmt))}"
        steps.append(Step("range", text, ids=("OFP8-5.2.1-i",) if _section(fmt) == _FP8 else ()))
    encoded = Encoded(0, tuple(steps), words, position.split)
    return _with_sign(fmt, exact, code, options, encoded)


def encode_float32(number: Exact) -> Encoded:
    """Return the Float32 nearest to a number: ties to even, beyond the range infinity (A-30)."""
    return encode_number(FLOAT32, number, EncodeOptions(overflow="overflow"), None, 0)


def _underflows(fmt: FloatFormat, exact: Exact, options: EncodeOptions, random: int | None) -> bool:
    """Return whether a number is NaN for being too small for a format without zero."""
    if fmt.subnormals or options.unsigned_underflow == "minimum" or exact.magnitude == 0:
        return False
    if exact.magnitude < power_of_two(fmt.emin - 1):
        return True  # no mode takes it further than to that
    # The format with twice the exponents, the new ones below: its codes are of the same parity.
    continued = replace(fmt, exponent_bits=fmt.exponent_bits + 1, bias=fmt.bias + (1 << fmt.exponent_bits))
    position = locate(continued, exact.magnitude)
    kept = position.kept + decide(position, exact.negative, options, random).away
    return kept * power_of_two(position.step_exponent) < power_of_two(fmt.emin)


def _without_what_has_no_code(
    fmt: FloatFormat, exact: Exact, options: EncodeOptions, steps: list[Step]
) -> Exact:
    """Return what stands for a zero in a format without zero and a number below zero in one without sign."""
    replaced = exact
    if exact.is_zero and not fmt.subnormals and options.unsigned_zero == "nan":
        replaced = Exact("nan", exact.negative)
        text = f"{fmt.name} has no zero (unsigned_zero='nan')"
        steps.append(Step("zero", text, value=str(replaced), ids=("MX-5.4.1-d", "A-11")))
    elif not fmt.signed and exact.negative and exact.kind != "nan" and not exact.is_zero:
        choice = options.unsigned_negative
        replaced = {
            "nan": Exact("nan", False),
            "magnitude": Exact(exact.kind, False, exact.magnitude),
            "minimum": Exact("finite", False),
        }[choice]
        text = f"{fmt.name} has no sign (unsigned_negative={choice!r})"
        steps.append(Step("unsigned", text, value=str(replaced), ids=("MX-5.4.1-a", "A-11")))
    return replaced


def _grid_step(fmt: NumberFormat, exact: Exact, position: Position) -> Step:
    """Return the step that finds the binade of a number and the spacing there."""
    spacing = f"2^{position.step_exponent}"
    if isinstance(fmt, IntegerFormat):
        steps = number_text(exact.magnitude / power_of_two(position.step_exponent))
        return Step("grid", f"in steps of {spacing}, the same everywhere", value=steps, ids=("MX-5.3.4-h",))
    exponent = position.exponent
    if exponent is None:
        if fmt.subnormals:
            return Step("binade", "zero", value="0", ids=("MX-5.3-b",))
        text = f"{fmt.name} has no zero (unsigned_zero='minimum'): the smallest value takes its place"
        return Step("binade", text, value="0", ids=("MX-5.4.1-d", "A-11"))
    if exponent >= fmt.emin:
        text = f"floor(log2) is {exponent}, not below emin = {fmt.emin}: normal, steps of {spacing}"
        ids: tuple[str, ...] = ("MX-5.3-a",) if fmt.subnormals else ("MX-5.4.1-a",)
    elif fmt.subnormals:
        exponent = fmt.emin
        text = f"floor(log2) is {position.exponent}, below emin = {fmt.emin}: subnormal, steps of {spacing}"
        ids = ("MX-5.3-b", "A-18")
    else:
        text = f"floor(log2) is {exponent}, below emin = {fmt.emin}: the smallest value takes its place"
        ids = ("A-11",)
    significand = binary_text(exact.magnitude / power_of_two(exponent))
    return Step("binade", text, f"{significand} * 2^{exponent}", ids=ids)


def _carry_step(fmt: FloatFormat, position: Position, kept: int) -> Step:
    """Return the step for an increment that went up to a power of two."""
    if kept == 1 << fmt.mantissa_bits + 1:
        text = f"the carry leaves {position.bits()}: the exponent field grows by one, the fraction is 0"
    elif kept == 1 << fmt.mantissa_bits and position.exponent is not None and position.exponent < fmt.emin:
        text = "the carry reaches the leading one: the smallest normal number"
    else:
        text = "the carry runs through all lower bits"
    return Step("carry", text, position.bits(kept), number_text(kept * power_of_two(position.step_exponent)))


def _out_of_range(fmt: NumberFormat, number: Exact, options: EncodeOptions, what: str) -> tuple[int, Step]:
    """Return the magnitude code of what is beyond the range, and the step that says so."""
    what = "-" * (number.negative and number.is_finite) + what
    ids = _clause(fmt, "e") or (("A-11",) if isinstance(fmt, FloatFormat) and not fmt.signed else ())
    if isinstance(fmt, IntegerFormat):
        limit = fmt.max_code + (number.negative and options.integer_minimum == "full")
        value = number_text(limit * power_of_two(-fmt.fraction_bits))
        text = f"{what} is beyond {value}: clamped, sign kept (integer_minimum={options.integer_minimum!r})"
        if number.is_finite and number.magnitude == limit * power_of_two(-fmt.fraction_bits):
            text = f"{what} is the code without positive counterpart, in use (integer_minimum='full')"
        return limit, Step("range", text, value="-" * number.negative + value, ids=(*ids, "A-21"))
    sign, largest = "-" * number.negative, number_text(_largest(fmt))
    text, ids = f"{what} is beyond {largest}; overflow={options.overflow!r}", (*ids, "A-14")
    if not overflows(fmt, options, number.negative, number.is_finite):
        if options.overflow == "overflow":
            text += f", but {options.rounding} stops short of it (directed_overflow='ieee')"
            ids = (*ids, "A-32")
        return fmt.max_code, Step("range", f"{text}: {largest}, sign kept", value=sign + largest, ids=ids)
    if options.overflow == "saturate":
        text, ids = f"an infinity stays one (infinity={options.infinity!r})", (*ids[:-1], "A-8")
    elif options.directed_overflow == "table" and options.rounding in ("rtz", "rup", "rdn", "rto"):
        text, ids = f"{text} (directed_overflow='table')", (*ids, "A-32")
    if fmt.infinity_code is not None:
        return fmt.infinity_code, Step("range", f"{text}: infinity", value=f"{sign}Inf", ids=ids)
    return fmt.max_code + 1, Step("range", f"{text}: NaN, there is no infinity", value="NaN", ids=ids)


def _with_sign(
    fmt: NumberFormat, exact: Exact, magnitude_code: int, options: EncodeOptions, encoded: Encoded
) -> Encoded:
    """Return the code of a number whose magnitude has become magnitude_code."""
    if isinstance(fmt, IntegerFormat):
        code, text, ids = magnitude_code, "", ("MX-5.3.4-g",)
        if exact.negative:
            code = -magnitude_code & ((1 << fmt.bits) - 1)
            text = f"two's complement of {magnitude_code}" if code else "there is no negative zero"
    else:
        code, text, ids = magnitude_code | (fmt.sign_mask if exact.negative else 0), "", ("A-19",)
        if exact.negative and not magnitude_code and fmt.subnormals:
            text = f"a zero of negative sign (negative_zero={options.negative_zero!r})"
            if options.negative_zero == "positive":
                code = 0
    if not text:
        return replace(encoded, code=code)
    step = Step("sign", text, value=str(decode_exact(fmt, code)), ids=ids)
    return replace(encoded, code=code, steps=(*encoded.steps, step))


def _encode_nan(
    fmt: NumberFormat, negative: bool, options: EncodeOptions, top_fraction: int
) -> tuple[int, Step]:
    """Return the code of a NaN and the step to it."""
    sign = "-" if negative else "+"
    if isinstance(fmt, IntegerFormat) or not fmt.nan_codes:
        code = _nan_to_finite(fmt, negative, options)
        text = f"{sign}NaN, and {fmt.name} has none (nan_to_finite={options.nan_to_finite!r})"
        return code, Step("nan", text, value=str(decode_exact(fmt, code)), ids=(*_clause(fmt, "i"), "A-13"))
    code, text = fmt.nan_codes.start, f"{fmt.name} has one NaN"
    if fmt.infinity_code is not None:
        quiet = 1 << (fmt.mantissa_bits - 1)
        kept = top_fraction >> (64 - fmt.mantissa_bits)
        mantissa = {"quiet": quiet, "keep": quiet | kept, "ones": (1 << fmt.mantissa_bits) - 1}
        code = fmt.infinity_code | mantissa[options.nan_payload]
        text = f"mantissa by nan_payload={options.nan_payload!r}"
    if fmt.signed:
        text += f", sign by nan_sign={options.nan_sign!r}"
        if options.nan_sign == "negative" or (options.nan_sign == "keep" and negative):
            code |= fmt.sign_mask
    ids = ("OFP8-5.2.1-e", "OFP8-5.2.1-k", "A-15") if _section(fmt) == _FP8 else ("A-15",)
    return code, Step("nan", f"{sign}NaN: {text}", fields(fmt, code), "NaN", ids)


def _nan_to_finite(fmt: NumberFormat, negative: bool, options: EncodeOptions) -> int:
    choice = options.nan_to_finite
    if choice == "error":  # the model has refused it
        raise ValueRefusedError(f"NaN cannot become {fmt.name}, which has no NaN (nan_to_finite='error')")
    if choice == "positive_max" or (choice == "signed_max" and not negative):
        return fmt.max_code
    if choice == "signed_max":
        if isinstance(fmt, FloatFormat):
            return fmt.max_code | fmt.sign_mask
        return fmt.min_code + (options.integer_minimum == "symmetric")
    if choice == "inverted_zero" and not negative and isinstance(fmt, FloatFormat):
        return fmt.sign_mask
    return 0


def _section(fmt: NumberFormat) -> str:
    return _SECTIONS.get(fmt.name, "")


def _clause(fmt: NumberFormat, letter: str) -> tuple[str, ...]:
    """Return the clause of the format's section with this letter; nothing for FP8 but overflow."""
    section = _section(fmt)
    if not section or (section == _FP8 and letter != "e"):
        return ()
    return (f"MX-{section}-{letter}",)


def _largest(fmt: NumberFormat) -> Fraction:
    return decode_exact(fmt, fmt.max_code).magnitude
