"""The numbers of a format in tables, all derived from its description."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from refmodel.errors import DefinitionError
from refmodel.explain.encoding import encode_number
from refmodel.explain.exact import (
    Exact,
    class_of,
    code_text,
    decode_exact,
    fields,
    number_text,
    power_of_two,
)
from refmodel.explain.rounding import decide, locate
from refmodel.explain.tree import Table
from refmodel.formats import FLOAT32, FloatFormat, IntegerFormat, NumberFormat
from refmodel.options import EncodeOptions

_NEAREST = EncodeOptions()
_TO_FLOAT32 = EncodeOptions(overflow="overflow")
_LONGEST_DECIMAL = 9
_MOST_TABLE_BITS = 12


def number_table(formats: Sequence[NumberFormat]) -> Table:
    """Return the limits, special codes and rounding boundaries of formats, one format to a column.

    Formats with a sign show the codes of their positive values. Boundaries are those of roundTiesToEven.
    """
    integers = all(isinstance(fmt, IntegerFormat) for fmt in formats)
    rows: list[tuple[str, Callable[..., str]]] = [
        *(_INTEGER_ROWS if integers else _FLOAT_ROWS),
        *_ROUNDING_ROWS,
    ]
    cells = [(label, *(cell(fmt) for fmt in formats)) for label, cell in rows]
    return Table(("", *(fmt.name for fmt in formats)), tuple(cells))


def code_table(fmt: NumberFormat) -> Table:
    """Return all codes of a format, with their values and where ties go.

    A tie is the midpoint to the neighbour that is farther from zero, or would be if the exponents had no
    upper end; ``goes to`` is the code that it gets under the default options.

    Raises:
        DefinitionError: If there are too many codes for a table.
    """
    if fmt.bits > _MOST_TABLE_BITS:
        raise DefinitionError(
            f"{fmt.name}: 2**{fmt.bits} codes are too many to list; 2**{_MOST_TABLE_BITS} are the most"
        )
    rows = []
    for code in range(1 << fmt.bits):
        exact = decode_exact(fmt, code)
        float32 = encode_number(FLOAT32, exact, _TO_FLOAT32, None, 0).code
        tie, target = "", ""
        if exact.is_finite:
            midpoint = Exact("finite", exact.negative, _midpoint(fmt, exact.magnitude))
            tie = _exact_text(midpoint)
            target = code_text(fmt, encode_number(fmt, midpoint, _NEAREST, None, 0).code)
        row = (code_text(fmt, code), fields(fmt, code), class_of(fmt, code), _exact_text(exact))
        rows.append((*row, f"0x{float32:08x}", tie, target))
    return Table(("code", "fields", "class", "value", "Float32", "tie", "goes to"), tuple(rows))


def _exact_text(exact: Exact) -> str:
    """Return a number, in fewer characters where a power of two is the shorter way."""
    if not exact.is_finite:
        return str(Exact(exact.kind, exact.negative and exact.kind == "infinite"))
    return "-" * exact.negative + number_text(exact.magnitude, _LONGEST_DECIMAL)


def _midpoint(fmt: NumberFormat, magnitude: Fraction) -> Fraction:
    """Return the point half a step above a magnitude of the format."""
    return magnitude + power_of_two(locate(fmt, magnitude).step_exponent - 1)


def _rounded(fmt: NumberFormat, magnitude: Fraction) -> Fraction:
    """Return a magnitude rounded to nearest even on the grid of the format without upper end."""
    position = locate(fmt, magnitude)
    kept = position.kept + decide(position, False, _NEAREST, None).away
    return kept * power_of_two(position.step_exponent)


def _code_and_value(fmt: NumberFormat, code: int) -> str:
    return f"{code_text(fmt, code)} {_exact_text(decode_exact(fmt, code))}"


def _short(value: Fraction) -> str:
    return number_text(value, _LONGEST_DECIMAL)


def _maximum(fmt: NumberFormat) -> Fraction:
    return decode_exact(fmt, fmt.max_code).magnitude


def _smallest(fmt: NumberFormat) -> Fraction:
    smallest = decode_exact(fmt, 1 if isinstance(fmt, IntegerFormat) or fmt.subnormals else 0)
    return smallest.magnitude


def _min_normal(fmt: FloatFormat) -> str:
    return _code_and_value(fmt, 1 << fmt.mantissa_bits if fmt.subnormals else 0)


def _subnormal(fmt: FloatFormat, code: int) -> str:
    return _code_and_value(fmt, code) if fmt.subnormals and fmt.mantissa_bits else "none"


def _largest_power(fmt: NumberFormat) -> str:
    power = power_of_two(fmt.emax)
    return f"{code_text(fmt, locate(fmt, power).code)} {_short(power)}"


def _infinity(fmt: FloatFormat) -> str:
    return "none" if fmt.infinity_code is None else code_text(fmt, fmt.infinity_code)


def _nan(fmt: FloatFormat) -> str:
    if not fmt.nan_codes:
        return "none"
    first, last = (code_text(fmt, code) for code in (fmt.nan_codes[0], fmt.nan_codes[-1]))
    return first if first == last else f"{first}-{last}"


def _counts(fmt: FloatFormat) -> str:
    each = (1 + fmt.signed) << fmt.ignored_bits  # codes that share a magnitude
    infinities, nans = each * (fmt.infinity_code is not None), each * len(fmt.nan_codes)
    return f"{(1 << fmt.bits) - infinities - nans}/{infinities}/{nans}"


def _half_min(fmt: NumberFormat) -> str:
    return _short(_smallest(fmt) / 2)


def _half_min_rounded(fmt: NumberFormat) -> str:
    return _short(_rounded(fmt, _smallest(fmt) / 2))


def _top_tie(fmt: NumberFormat) -> str:
    return _short(_midpoint(fmt, _maximum(fmt)))


def _top_tie_rounded(fmt: NumberFormat) -> str:
    return _short(_rounded(fmt, _midpoint(fmt, _maximum(fmt))))


def _overflow(fmt: NumberFormat) -> str:
    """From where on a magnitude overflows, and to what where the format has something to overflow to."""
    tie = _midpoint(fmt, _maximum(fmt))
    relation = ">=" if _rounded(fmt, tie) > _maximum(fmt) else ">"
    if isinstance(fmt, IntegerFormat) or fmt.specials == "none":
        return f"{relation} {_short(tie)}"
    return f"{relation} {_short(tie)} {'NaN' if fmt.infinity_code is None else 'Inf'}"


_FLOAT_ROWS: tuple[tuple[str, Callable[[FloatFormat], str]], ...] = (
    ("sign/exp/mant", lambda fmt: f"{int(fmt.signed)}/{fmt.exponent_bits}/{fmt.mantissa_bits}"),
    ("bias", lambda fmt: str(fmt.bias)),
    ("emax", lambda fmt: str(fmt.emax)),
    ("emin", lambda fmt: str(fmt.emin)),
    ("zero", lambda fmt: code_text(fmt, 0) if fmt.subnormals else "none"),
    ("min subnormal", lambda fmt: _subnormal(fmt, 1)),
    ("max subnormal", lambda fmt: _subnormal(fmt, (1 << fmt.mantissa_bits) - 1)),
    ("min normal", _min_normal),
    ("largest 2^n", _largest_power),
    ("max normal", lambda fmt: _code_and_value(fmt, fmt.max_code)),
    ("max / 2^emax", lambda fmt: _short(_maximum(fmt) / power_of_two(fmt.emax))),
    ("Inf", _infinity),
    ("NaN", _nan),
    ("finite/Inf/NaN", _counts),
)
_INTEGER_ROWS: tuple[tuple[str, Callable[[IntegerFormat], str]], ...] = (
    ("bits", lambda fmt: str(fmt.bits)),
    ("fraction bits", lambda fmt: str(fmt.fraction_bits)),
    ("emax", lambda fmt: str(fmt.emax)),
    ("zero", lambda fmt: code_text(fmt, 0)),
    ("smallest", lambda fmt: _code_and_value(fmt, 1)),
    ("largest 2^n", _largest_power),
    ("max", lambda fmt: _code_and_value(fmt, fmt.max_code)),
    ("min, symmetric", lambda fmt: _code_and_value(fmt, fmt.min_code + 1)),
    ("min, full", lambda fmt: _code_and_value(fmt, fmt.min_code)),
)
_ROUNDING_ROWS: tuple[tuple[str, Callable[[NumberFormat], str]], ...] = (
    ("half min", _half_min),
    ("  goes to", _half_min_rounded),
    ("tie above max", _top_tie),
    ("  rounds to", _top_tie_rounded),
    ("  overflow", _overflow),
)
