"""Block diagrams: a few boxes and arrows from a TOML table, drawn as SVG.

A diagram is a grid. Every box has a column, counted from the left, and a row, counted from the top; halves are
allowed. Arrows leave a box on its right and enter the next on its left, with one step in the gap between columns; a
loop back runs below.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from flows import rtl
from refmodel.errors import DefinitionError

FILE = Path(__file__).with_name("diagrams.toml")

BOX_WIDTH, BOX_HEIGHT = 148, 58
GAP_X, GAP_Y = 62, 22
MARGIN = 18
_LINE = 15  # height of a line of text
_FILL = {"block": "#e8eef7", "register": "#fdf1dc", "port": "none"}


@dataclass(frozen=True, slots=True)
class Box:
    """A box.

    Attributes:
        name: By which arrows name it.
        column, row: Where it stands.
        lines: Its text; the first line is bold.
        kind: ``block``, ``register`` (state or a pipeline register), or ``port``, which has no frame.
    """

    name: str
    column: float
    row: float
    lines: tuple[str, ...]
    kind: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow between two boxes, with words beside it."""

    source: str
    target: str
    text: str


@dataclass(frozen=True, slots=True)
class Diagram:
    """The boxes and arrows of a unit."""

    unit: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def read_diagrams(path: Path = FILE) -> dict[str, Diagram]:
    """Return the diagrams of the file by unit.

    Raises:
        DefinitionError: If the file is no such file; the message names the unit and the entry.
    """
    with open(path, "rb") as stream:
        try:
            tables = tomllib.load(stream)
        except tomllib.TOMLDecodeError as error:
            raise DefinitionError(f"{path.name}: {error}") from None
    return {unit: _read(f"{path.name}: {unit}", unit, table) for unit, table in tables.items()}


def check(diagram: Diagram) -> None:
    """Compare a diagram with the sources: every port and module that it shows must be there.

    Raises:
        DefinitionError: If it shows something that the unit has not.
    """
    ports = {port.name for port in rtl.read_module(rtl.source(diagram.unit)).ports}
    modules = {path.stem for path in rtl.sources_of(diagram.unit)}
    for box in diagram.boxes:
        for line in box.lines:
            for word in re.findall(r"\b[a-z]\w*_(?:i|o|ni)\b|\b[ms]_axis_\w+\b", line):
                if word not in ports:
                    raise DefinitionError(f"{FILE.name}: {diagram.unit} shows {word}, which is no port of it")
            for word in re.findall(r"\bmx_\w+", line):
                if word not in modules:
                    raise DefinitionError(f"{FILE.name}: {diagram.unit} shows {word}, which is no part of it")


def draw(diagram: Diagram) -> str:
    """Return the diagram as SVG."""
    boxes = {box.name: box for box in diagram.boxes}
    right = max(_left(box) + BOX_WIDTH for box in diagram.boxes)
    bottom = max(_top(box) + _height(box) for box in diagram.boxes)
    loops = [arrow for arrow in diagram.arrows if boxes[arrow.target].column <= boxes[arrow.source].column]
    width, height = right + MARGIN, bottom + MARGIN + 20 * len(loops)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="11">',
        f"<title>{escape(diagram.unit)}</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#334"/></marker></defs>',
        f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
    ]
    for index, arrow in enumerate(diagram.arrows):
        lines += _draw_arrow(diagram, boxes, index, arrow, bottom, loops)
    for box in diagram.boxes:
        lines += _draw_box(box, is_target=any(arrow.target == box.name for arrow in diagram.arrows))
    return "\n".join([*lines, "</svg>"]) + "\n"


def _read(where: str, unit: str, table: Mapping[str, Any]) -> Diagram:
    boxes = []
    for name, entry in table.items():
        if name == "arrows":
            continue
        kind, place = entry.get("kind", "block"), entry.get("at", ())
        if kind not in _FILL or len(place) != 2 or set(entry) - {"kind"} != {"at", "text"}:
            kinds = ", ".join(_FILL)
            raise DefinitionError(f"{where}: box {name} needs at = [column, row], text, and a kind of {kinds}")
        boxes.append(Box(name, place[0], place[1], tuple(entry["text"].split("\n")), kind))
    arrows = []
    for text in table.get("arrows", ()):
        match = re.fullmatch(r"(\w+) > (\w+)(?:: (.*))?", text)
        if match is None or not {match[1], match[2]} <= set(table):
            raise DefinitionError(f"{where}: arrow {text!r} is not 'box > box: text' between boxes of the diagram")
        arrows.append(Arrow(match[1], match[2], match[3] or ""))
    return Diagram(unit, tuple(boxes), tuple(arrows))


def _left(box: Box) -> float:
    return MARGIN + box.column * (BOX_WIDTH + GAP_X)


def _top(box: Box) -> float:
    return MARGIN + box.row * (BOX_HEIGHT + GAP_Y)


def _height(box: Box) -> float:
    return max(BOX_HEIGHT, _LINE * len(box.lines) + 14)


def _middle(box: Box) -> float:
    return _top(box) + _height(box) / 2


def _draw_box(box: Box, *, is_target: bool) -> list[str]:
    left, top, height = _left(box), _top(box), _height(box)
    lines = []
    if box.kind != "port":
        lines.append(
            f'<rect x="{left:g}" y="{top:g}" width="{BOX_WIDTH}" height="{height:g}" rx="4" '
            f'fill="{_FILL[box.kind]}" stroke="#334" stroke-width="1.2"/>'
        )
    x, anchor = left + BOX_WIDTH / 2, "middle"
    if box.kind == "port":  # beside its arrow
        x, anchor = (left + 6, "start") if is_target else (left + BOX_WIDTH - 6, "end")
    middle = top + height / 2 - _LINE * (len(box.lines) - 1) / 2 + 4
    for index, text in enumerate(box.lines):
        weight = ' font-weight="bold"' if index == 0 and box.kind != "port" else ""
        family = ' font-family="DejaVu Sans Mono, monospace"' if box.kind == "port" else ""
        place = f'x="{x:g}" y="{middle + _LINE * index:g}" text-anchor="{anchor}"'
        lines.append(f"<text {place}{weight}{family}>{escape(text)}</text>")
    return lines


def _draw_arrow(
    diagram: Diagram, boxes: Mapping[str, Box], index: int, arrow: Arrow, bottom: float, loops: Sequence[Arrow]
) -> list[str]:
    source, target = boxes[arrow.source], boxes[arrow.target]
    x0, y0 = _left(source) + BOX_WIDTH, _slot(diagram, boxes, arrow, source, outgoing=True)
    x1, y1 = _left(target), _slot(diagram, boxes, arrow, target, outgoing=False)
    if arrow in loops:
        below = bottom + 14 + 18 * loops.index(arrow)
        path = f"M{x0:g} {y0:g}h14V{below:g}H{x1 - 40:g}V{y1:g}H{x1:g}"
        label = (x1, below - 4)
    elif abs(y0 - y1) < 1:
        path, label = f"M{x0:g} {y0:g}H{x1:g}", (x0 + 4, y0 - 5)
    else:
        # Of the arrows that come to a box from one side, the farthest steps last: they do not cross.
        rivals = {
            other: _middle(boxes[other.source]) - _middle(target)
            for other in diagram.arrows
            if other.target == arrow.target and other not in loops
        }
        rank = sum(other * rivals[arrow] > 0 and abs(other) > abs(rivals[arrow]) for other in rivals.values())
        # A signal to several boxes has one trunk, and every such signal its own.
        trunks = [name for name in boxes if sum(other.source == name for other in diagram.arrows) > 1]
        step = x1 - 14 - 8 * rank
        if arrow.source in trunks:
            step = x1 - 14 - 12 * trunks.index(arrow.source)
        path, label = f"M{x0:g} {y0:g}H{step:g}V{y1:g}H{x1:g}", (x0 + 4, y0 - 5)
    lines = [f'<path d="{path}" fill="none" stroke="#334" stroke-width="1.2" marker-end="url(#tip)"/>']
    if arrow.text:
        lines.append(f'<text x="{label[0]:g}" y="{label[1]:g}" font-size="9" fill="#556">{escape(arrow.text)}</text>')
    return lines


def _slot(diagram: Diagram, boxes: Mapping[str, Box], arrow: Arrow, box: Box, *, outgoing: bool) -> float:
    """Return the height at which an arrow meets a box: those of one side are spread, in the order of their far ends."""
    if outgoing:
        others = [other for other in diagram.arrows if other.source == box.name]
        others.sort(key=lambda other: (_top(boxes[other.target]), diagram.arrows.index(other)))
    else:
        others = [other for other in diagram.arrows if other.target == box.name]
        others.sort(key=lambda other: (_top(boxes[other.source]), diagram.arrows.index(other)))
    if outgoing and len({other.text for other in others}) == 1:
        return _top(box) + _height(box) / 2  # one signal to several boxes
    return _top(box) + _height(box) * (others.index(arrow) + 1) / (len(others) + 1)
