"""An explanation as a tree of plain values, and its two renderings: text for people, JSON for programs."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

MIN_WIDTH = 40
"""Narrower terminals are written to as if they had this many columns."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under a header.

    Attributes:
        columns: The header.
        rows: As many cells each.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def to_lines(self) -> list[str]:
        """Return the table as aligned lines, columns two spaces apart."""
        lines = (self.columns, *self.rows)
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of a computation.

    Attributes:
        name: The stage, one of the names that `refmodel.explain` lists.
        text: What happens and why, in a sentence or two.
        bits: Bits, in the order they are written: fields apart, kept|guard|round|sticky where one rounds.
        value: The number after the stage, exact: a decimal, an integer times a power of two, or a fraction,
            if need be times a power of two: 5/3*2^-20.
        ids: Clauses (MX-, OFP8-, NV-), facts (D-) and options (A-) that decide the stage.
        table: The same for many items at once.
    """

    name: str
    text: str
    bits: str = ""
    value: str = ""
    ids: tuple[str, ...] = ()
    table: Table | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the step as JSON values, see `Explanation.to_dict`."""
        table = self.table and {
            "columns": list(self.table.columns),
            "rows": [list(row) for row in self.table.rows],
        }
        return {
            "name": self.name,
            "text": self.text,
            "bits": self.bits,
            "value": self.value,
            "ids": list(self.ids),
            "table": table,
        }


@dataclass(frozen=True, slots=True)
class Explanation:
    """A computation, stage by stage.

    Attributes:
        title: What is computed, and what comes out.
        result: Bits of the result in hexadecimal.
        steps: The stages, in order.
        parts: Explanations of what the stages are made of, such as the blocks of a dot product.
    """

    title: str
    result: str
    steps: tuple[Step, ...]
    parts: tuple[Explanation, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return the explanation as JSON values.

        The keys are ``title``, ``result``, ``steps`` and ``parts``; of a step ``name``, ``text``, ``bits``,
        ``value``, ``ids`` and ``table``, which is null or has ``columns`` and ``rows``. All are always there,
        and everything that is not a list or an object is a string.
        """
        return {
            "title": self.title,
            "result": self.result,
            "steps": [step.to_dict() for step in self.steps],
            "parts": [part.to_dict() for part in self.parts],
        }

    def to_text(self, width: int = 80) -> str:
        """Return the explanation as lines of at most *width* columns; only tables may be wider."""
        return "\n".join(self._lines(max(width, MIN_WIDTH)))

    def __str__(self) -> str:
        return self.to_text()

    def _lines(self, width: int) -> list[str]:
        lines = textwrap.wrap(self.title, width)
        margin = 4 + max((len(step.name) for step in self.steps), default=0)
        for step in self.steps:
            body = [
                line
                for paragraph in _paragraphs(step)
                for line in textwrap.wrap(paragraph, width - margin, break_on_hyphens=False)
            ]
            labels = [f"  {step.name}".ljust(margin)] + [" " * margin] * len(body)
            lines += [label + line for label, line in zip(labels, body, strict=False)]
            if step.table is not None:
                lines += ["  " + line for line in step.table.to_lines()]
        for part in self.parts:
            lines += ["", *part._lines(width)]
        return lines


def _paragraphs(step: Step) -> list[str]:
    """Return what is wrapped on its own: bits and value, then the text with the ids."""
    head = " = ".join(each for each in (step.bits, step.value) if each)
    ids = f" [{', '.join(step.ids)}]" if step.ids else ""
    return [each for each in (head, step.text + ids) if each]
