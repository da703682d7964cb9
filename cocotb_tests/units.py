"""What the bench knows of a unit: its name, the rule it follows, the shape of its ports, and the formats."""

from __future__ import annotations

from dataclasses import dataclass

from refmodel.errors import UnknownNameError, unknown_name
from refmodel.formats import OCP_FORMATS, BlockFormat, get_format

ELEMENT_PARAMETER = {"e5m2": 0, "e4m3": 1, "e3m2": 2, "e2m3": 3, "e2m1": 4, "int8": 5}
"""Value of the RTL parameters AFormat and BFormat for each element format, as in rtl/mx_pkg.sv."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit under test.

    Attributes:
        name: Module name, and the name of its file in rtl/.
        rule: The accumulation rule that its results follow.
        marks_blocks: Whether it has first_i and last_i, and gives one result for each last block; if not, it
            gives one result for each block.
    """

    name: str
    rule: str
    marks_blocks: bool


UNITS = {
    unit.name: unit
    for unit in (
        Unit("mx_dot", rule="exact_fp32", marks_blocks=False),
        Unit("mx_dot_general", rule="block32_fp32_add", marks_blocks=True),
    )
}


def get_unit(name: str) -> Unit:
    """Return the unit of that name.

    Raises:
        UnknownNameError: If there is no such unit.
    """
    if name not in UNITS:
        raise unknown_name("unit", name, UNITS)
    return UNITS[name]


@dataclass(frozen=True, slots=True)
class FormatPair:
    """The block formats of operands A and B."""

    a: BlockFormat
    b: BlockFormat

    @property
    def name(self) -> str:
        """The name used in options: ``mxfp8_e4m3``, or ``mxfp8_e4m3*mxfp4_e2m1`` for a mixed pair."""
        return self.a.name if self.a == self.b else f"{self.a.name}*{self.b.name}"

    @property
    def slug(self) -> str:
        """The name as part of a file name."""
        return self.name.replace("*", "-")

    @property
    def parameters(self) -> dict[str, int]:
        """The RTL parameters that select this pair."""
        return {
            "AFormat": ELEMENT_PARAMETER[self.a.element.name],
            "BFormat": ELEMENT_PARAMETER[self.b.element.name],
        }


def parse_pair(text: str) -> FormatPair:
    """Return the pair that *text* names: a block format for both operands, or ``A*B``.

    Raises:
        UnknownNameError: If a format does not exist or there are more than two.
    """
    names = [name.strip() for name in text.split("*")]
    if len(names) > 2:
        raise UnknownNameError(
            f"format pair {text!r} names {len(names)} formats; use one format, or two as A*B"
        )
    return FormatPair(get_format(names[0]), get_format(names[-1]))


DEFAULT_PAIRS = tuple(
    parse_pair(text) for text in (*OCP_FORMATS, "mxfp8_e4m3*mxfp4_e2m1", "mxfp8_e5m2*mxfp8_e4m3")
)
