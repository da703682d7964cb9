"""The report as one HTML page that needs nothing else: no network, no scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from refmodel.conformance.report import Report
from refmodel.errors import MissingPackageError

_SHOWN_CYCLES = 24
_CELL, _ROW, _LABEL = 74, 30, 150
_SHOWN_CHARACTERS = 9


@dataclass(frozen=True, slots=True)
class Cell:
    """What a port of several bits shows for some cycles: its place in the picture, and the text."""

    x: int
    width: int
    text: str
    unknown: bool


@dataclass(frozen=True, slots=True)
class Trace:
    """A port in the picture of waves: a line for one bit, cells for several."""

    name: str
    y: int
    points: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Waves:
    """The picture of waves."""

    width: int
    height: int
    traces: tuple[Trace, ...]
    ticks: tuple[tuple[int, int], ...]


def to_html(report: Report) -> str:
    """Return the page.

    Raises:
        MissingPackageError: If jinja2 is not installed.
    """
    try:
        import jinja2
    except ImportError:
        raise MissingPackageError("the HTML report needs jinja2; install it: pip install jinja2") from None
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    template = environment.from_string((resources.files(__package__) / "page.html").read_text(encoding="utf-8"))
    classes = list(dict.fromkeys((each.name, each.description) for f in report.findings for each in f.classes))
    counts = {(f.name, each.name): each for f in report.findings for each in f.classes}
    return template.render(report=report, classes=classes, counts=counts, waves=_waves(report), shade=_shade)


def _shade(share: float) -> str:
    """Return the colour of a share of wrong vectors: green for none, deeper red for more."""
    return "#d9f0dc" if not share else f"hsl(4 85% {88 - round(36 * share)}%)"


def _waves(report: Report) -> Waves | None:
    """Return the picture of the last cycles, ports of several bits in hex."""
    if not report.waveform:
        return None
    cycles = len(next(iter(report.waveform.values())))
    shown = _around_the_result(report, cycles)
    traces = tuple(
        _trace(name, [values[i] for i in shown], 24 + _ROW * row)
        for row, (name, values) in enumerate(report.waveform.items())
    )
    ticks = tuple((_LABEL + _CELL * place, cycle) for place, cycle in enumerate(shown))
    return Waves(_LABEL + _CELL * len(shown) + 10, 24 + _ROW * len(traces) + 6, traces, ticks)


def _around_the_result(report: Report, cycles: int) -> range:
    """Return the cycles to show: those about the first in which some port of operands changes for the vector."""
    wide = [values for values in report.waveform.values() if len(values[0]) > 1]
    changes = [i for i in range(1, cycles) if any(values[i] != values[i - 1] for values in wide)]
    first = max(0, changes[0] - 3) if changes else 0
    return range(first, min(cycles, first + _SHOWN_CYCLES))


def _trace(name: str, values: Sequence[str], y: int) -> Trace:
    if max(map(len, values)) == 1:
        return Trace(name, y, _line(values, y), ())
    cells, begin = [], 0
    for end in range(1, len(values) + 1):
        if end == len(values) or values[end] != values[begin]:
            text = _hex(values[begin])
            room = max(_SHOWN_CHARACTERS, _SHOWN_CHARACTERS * (end - begin))
            text = text if len(text) <= room else f"{text[: room - 1]}\N{HORIZONTAL ELLIPSIS}"
            unknown = not set(values[begin]) <= {"0", "1"}
            cells.append(Cell(_LABEL + _CELL * begin, _CELL * (end - begin), text, unknown))
            begin = end
    return Trace(name, y, "", tuple(cells))


def _line(values: Sequence[str], y: int) -> str:
    """Return the points of a line: high, low, or in the middle where the bit is unknown."""
    heights = {"1": y + 4, "0": y + 22}
    points = []
    for place, value in enumerate(values):
        height = heights.get(value, y + 13)
        points += [f"{_LABEL + _CELL * place},{height}", f"{_LABEL + _CELL * (place + 1)},{height}"]
    return " ".join(points)


def _hex(bits: str) -> str:
    if not set(bits) <= {"0", "1"}:
        return bits if len(set(bits)) > 1 else f"{bits[0]}\N{HORIZONTAL ELLIPSIS}"
    return f"{int(bits, 2):0{-(-len(bits) // 4)}x}"
