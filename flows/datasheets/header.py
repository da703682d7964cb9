"""The header comment of a module, taken apart: what it does, and what it says under which heading."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from refmodel.errors import DefinitionError

HEADINGS = ("Rule", "Depth", "Latency", "Throughput", "Handshake", "Reset", "Width")
NEEDED = ("Latency", "Throughput", "Reset")
"""Headings that the header of a unit cannot do without."""

_HEADING = re.compile(rf"(?<![\w-])({'|'.join(HEADINGS)})s?(?=: )")


@dataclass(frozen=True, slots=True)
class Header:
    """A header comment.

    Attributes:
        summary: The first sentence.
        text: The paragraphs and figures that stand under no heading, as Markdown.
        sections: What stands under each heading, as Markdown.
    """

    summary: str
    text: tuple[str, ...]
    sections: dict[str, str]


def read_header(name: str, lines: Sequence[str], *, needed: Sequence[str] = NEEDED) -> Header:
    """Return the header of module *name* from the lines of its comment.

    A paragraph ends at an empty line; indented lines are figures and tables, kept as they are. A heading is one of
    HEADINGS with a colon after it, and what follows is its, up to the next heading or the end of the paragraph.

    Raises:
        DefinitionError: If there is no comment, or a heading of *needed* is missing.
    """
    text: list[str] = []
    sections: dict[str, str] = {}
    for paragraph in _paragraphs(lines):
        for figure, part in _parts(paragraph):
            if figure:
                text.append("```text\n" + part + "\n```")
                continue
            rest = _HEADING.split(part)
            if rest[0].strip():
                text.append(_sentence(rest[0]))
            for heading, said in zip(rest[1::2], rest[2::2], strict=True):
                before = sections.get(heading)
                said = _sentence(said.removeprefix(": "))
                sections[heading] = f"{before} {said}" if before else said
    if not text:
        raise DefinitionError(f"{name}.sv: has no comment at the top that says what the module does")
    if missing := [heading for heading in needed if heading not in sections]:
        raise DefinitionError(f"{name}.sv: the comment at the top has no '{missing[0]}:'")
    summary = re.split(r"(?<=[.:])\s", text[0].split("\n")[0], maxsplit=1)[0].rstrip(".:") + "."
    return Header(summary, tuple(text), sections)


def _paragraphs(lines: Sequence[str]) -> list[list[str]]:
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            paragraphs[-1].append(line.rstrip())
        elif paragraphs[-1]:
            paragraphs.append([])
    return [paragraph for paragraph in paragraphs if paragraph]


def _parts(paragraph: Sequence[str]) -> list[tuple[bool, str]]:
    """Return the parts of a paragraph, each as (is it a figure, text); lines of a sentence are joined."""
    parts: list[tuple[bool, list[str]]] = []
    for line in paragraph:
        figure = line.startswith("  ")
        if not parts or parts[-1][0] != figure:
            parts.append((figure, []))
        parts[-1][1].append(line)
    return [(figure, "\n".join(lines) if figure else " ".join(lines)) for figure, lines in parts]


def _sentence(text: str) -> str:
    """Return running text as Markdown: what Markdown would take for emphasis or HTML is escaped."""
    words = re.sub(r"(?<!`)([*<])", r"\\\1", text.strip())
    return re.sub(r"\b(\w+_(?:i|o|ni|q))\b", r"`\1`", words)
