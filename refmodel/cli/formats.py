"""``mxref formats`` and ``mxref rules``."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from refmodel.accumulate import get_rule, list_rules, list_unverified_rules, to_toml
from refmodel.cli.common import print_table
from refmodel.descriptions import parse_format, parse_number_format
from refmodel.elements import decode
from refmodel.errors import DefinitionError
from refmodel.explain.numbers import code_table, number_table
from refmodel.formats import (
    BlockFormat,
    FloatFormat,
    IntegerFormat,
    NumberFormat,
    list_formats,
)

if TYPE_CHECKING:
    from refmodel.cli import Commands


def add(commands: Commands) -> None:
    """Add the commands."""
    formats = commands.add_parser(
        "formats",
        help="list the formats and their numbers",
        description="List the block formats, and for their elements and scales the limits, the codes of "
        "special values and the boundaries of rounding to nearest even, derived from the formats themselves.",
        epilog="example: mxref formats e4m3 --codes",
    )
    formats.add_argument(
        "format",
        nargs="?",
        metavar="FORMAT",
        help="one block, element or scale format, by name or described as in mxref quantize (default: all)",
    )
    formats.add_argument("--codes", action="store_true", help="list all codes of FORMAT and where ties go")
    formats.set_defaults(run=_formats)

    rules = commands.add_parser(
        "rules",
        help="list the accumulation rules",
        description="List the accumulation rules by maker, with how well known each is (A, V, B, C, D) "
        "and its source; or say what one rule does.",
        epilog="example: mxref rules nv_mxf8f6f4 --toml",
    )
    rules.add_argument("rule", nargs="?", metavar="RULE", help="one rule (default: all)")
    rules.add_argument("--toml", action="store_true", help="print the fields of RULE as TOML")
    rules.add_argument(
        "--allow-unverified",
        action="store_true",
        help="show machines whose numerics are not public, too (confidence U); their rules are stand-ins",
    )
    rules.set_defaults(run=_rules)


def _formats(arguments: argparse.Namespace) -> None:
    blocks, numbers = _selected(arguments.format)
    if arguments.codes:
        if arguments.format is None:
            raise DefinitionError(
                "--codes lists the codes of one format; name it: mxref formats e4m3 --codes"
            )
        for number, each in enumerate(numbers):
            lines = code_table(each).to_lines()
            print("\n" * bool(number) + f"{each.name}, all codes")
            print("\n".join(lines))
        return
    if blocks:
        _print_blocks(blocks)
    floats = [fmt for fmt in numbers if isinstance(fmt, FloatFormat)]
    groups: tuple[tuple[str, Sequence[NumberFormat]], ...] = (
        ("floating-point elements, positive codes", [fmt for fmt in floats if fmt.signed]),
        ("integer elements", [fmt for fmt in numbers if isinstance(fmt, IntegerFormat)]),
        ("scales", [fmt for fmt in floats if not fmt.signed]),
    )
    separate = bool(blocks)
    for title, group in groups:
        if group:
            print("\n" * separate + title)
            print("\n".join(number_table(group).to_lines()))
            separate = True


def _selected(name: str | None) -> tuple[list[BlockFormat], list[NumberFormat]]:
    """Return the block formats of that name, and what they consist of; or the element or scale format."""
    if name is not None and name not in list_formats() and "/" not in name:
        return [], [parse_number_format(name)]
    blocks = [parse_format(each) for each in (list_formats() if name is None else [name])]
    numbers: list[NumberFormat] = [block.element for block in blocks]
    numbers += [block.scale for block in blocks]
    return blocks, list(dict.fromkeys(numbers))


def _print_blocks(blocks: Sequence[BlockFormat]) -> None:
    rows = []
    for block in blocks:
        smallest, largest = decode(block.element, [1, block.element.max_code])
        element = block.element.name, block.element.bits, f"{smallest:g}", f"{largest:g}"
        rows.append((block.name, *element, block.scale.name, block.block_size, block.block_bits))
    header = ("format", "element", "bits", "smallest", "largest", "scale", "block", "block bits")
    print_table(header, rows)


def _rules(arguments: argparse.Namespace) -> None:
    if arguments.rule is None:
        if arguments.toml:
            raise DefinitionError(
                "--toml prints the fields of one rule; name it: mxref rules nv_mxf8f6f4 --toml"
            )
        names = list_rules() + (list_unverified_rules() if arguments.allow_unverified else ())
        for name in names:
            rule = get_rule(name, allow_unverified=True)
            print(name)
            _print_indented(f"{rule.confidence}: {rule.source}")
        return
    rule = get_rule(arguments.rule, allow_unverified=arguments.allow_unverified)
    if arguments.toml:
        print(to_toml(rule), end="")
        return
    print(rule.name)
    _print_indented(rule.summary)
    _print_indented(f"elements: {', '.join(rule.elements) or 'any'}")
    _print_indented(f"confidence {rule.confidence}: {rule.source}")


def _print_indented(text: str) -> None:
    print(textwrap.fill(text, 96, initial_indent="    ", subsequent_indent="    "))
