"""Write vectors/breakpoints/: `python -m exhaustive.breakpoints [DIR]`.

Between two neighbouring breakpoints of a format - its values and the midpoints between them - the code of a
number does not depend on the number, whatever the rounding mode. So the codes of all breakpoints and of the
floats next to them are the whole behaviour of an encoder.
"""

from __future__ import annotations

import struct
import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from fractions import Fraction
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from exhaustive.thresholds import Threshold, encode_thresholds, magnitude, nan_code, signed_code
from refmodel.formats import OCP_FORMATS, NumberFormat, get_format
from refmodel.sweeps import IEEE_MODES, overflows

DIRECTORY = Path(__file__).parent.parent / "vectors" / "breakpoints"
MODES = (*IEEE_MODES, "rto")


class Row(NamedTuple):
    """Inputs that have the same codes: Float32 and Float64 magnitude bits, and what they are."""

    kind: str
    float32: int
    float64: int


def rows(fmt: NumberFormat) -> Iterator[Row]:
    """Yield the inputs in ascending order, infinity and NaN last."""
    points: dict[Fraction, str] = {}
    for code in range(fmt.max_code + 1):
        value = magnitude(fmt, code)
        points[value] = "value"
        points[(value + magnitude(fmt, code + 1)) / 2] = "tie"
    points[magnitude(fmt, fmt.max_code + 1)] = "beyond"
    for point, kind in sorted(points.items()):
        single, double = _bits(point, "f"), _bits(point, "d")
        if point:
            yield Row("below", single - 1, double - 1)
        yield Row(kind, single, double)
        yield Row("above", single + 1, double + 1)
    yield Row("largest", 0x7F7FFFFF, 0x7FEFFFFFFFFFFFFF)
    yield Row("infinity", 0x7F800000, 0x7FF0000000000000)
    yield Row("nan", 0x7FC00000, 0x7FF8000000000000)


def _bits(point: Fraction, kind: str) -> int:
    """Return the bits of a number that "f", Float32, or "d", Float64, holds exactly."""
    packed = struct.pack(">" + kind, float(point))
    if Fraction(struct.unpack(">" + kind, packed)[0]) != point:
        raise ValueError(f"{point} is no {kind}")
    return int.from_bytes(packed)


def _value(bits: int, kind: str) -> Fraction:
    found: float = struct.unpack(">" + kind, bits.to_bytes(struct.calcsize(kind)))[0]
    return Fraction(found)


def _code(
    fmt: NumberFormat, row: Row, thresholds: Sequence[Threshold], saturate: bool, negative: bool
) -> int:
    """Return the code of both inputs of a row."""
    if row.kind == "nan":
        return nan_code(fmt)
    limit = fmt.max_code if saturate else fmt.max_code + 1
    if row.kind == "infinity":
        return signed_code(fmt, limit, negative)
    codes = set()
    for x in (_value(row.float32, "f"), _value(row.float64, "d")):
        reached = bisect_right(thresholds, (x, False), key=itemgetter(0, 1)) - 1
        codes.add(signed_code(fmt, min(thresholds[reached].code, limit), negative))
    (code,) = codes
    return code


def columns(fmt: NumberFormat) -> list[tuple[str, str, bool]]:
    """Return rounding, overflow and whether the input is negative, for every column of codes."""
    return [
        (rounding, overflow, negative)
        for overflow in overflows(fmt)
        for rounding in MODES
        for negative in (False, True)
    ]


def column_name(rounding: str, overflow: str, negative: bool) -> str:
    """Return the heading of a column."""
    return f"{'-' if negative else '+'}{rounding}.{overflow}"


def table(fmt: NumberFormat) -> str:
    """Return the file of a format."""
    each_column = []
    for rounding, overflow, negative in columns(fmt):
        found = encode_thresholds(fmt, rounding, negative)
        away = rounding in ("rne", "rna", "rdn" if negative else "rup")
        # a mode that goes toward zero stays at the largest finite value.
        each_column.append((found if away else found[:-1], overflow == "saturate", negative))
    lines = [",".join(["kind", "float32", "float64", *(column_name(*column) for column in columns(fmt))])]
    for row in rows(fmt):
        codes = [f"{_code(fmt, row, *column):02x}" for column in each_column]
        lines.append(",".join([row.kind, f"{row.float32:08x}", f"{row.float64:016x}", *codes]))
    return "\n".join(lines) + "\n"


def main(directory: Path) -> None:
    """Write the files of the OCP formats."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in OCP_FORMATS:
        element = get_format(name).element
        (directory / f"{element.name}.csv").write_text(table(element), "ascii")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DIRECTORY)
