"""What every command shares: the parser, argument types, tables, options made from the option classes."""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from refmodel.errors import MissingPackageError
from refmodel.formats import BlockFormat, NumberFormat
from refmodel.options import EncodeOptions, QuantizeOptions, choices
from refmodel.profiles import get_profile, list_profiles

USAGE_ERROR = 2
_LONGEST_MESSAGE = 1000

_Options = TypeVar("_Options", bound=EncodeOptions)


class Parser(argparse.ArgumentParser):
    """Reports bad usage as every other error: one line, exit 2."""

    def error(self, message: str) -> NoReturn:
        """Exit with the message."""
        self.exit(USAGE_ERROR, f"mxref: error: {one_line(message)}; see {self.prog} --help\n")


def one_line(message: str) -> str:
    """Return a message as one line without control characters, whatever was typed, cut if too long."""
    line = "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii")
        for each in " ".join(message.split())
    )
    return line if len(line) <= _LONGEST_MESSAGE else f"{line[:_LONGEST_MESSAGE]} ..."


def integer(text: str) -> int:
    """Return the integer that *text* is; its range is the library's to judge."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer") from None


def integers(text: str) -> list[int]:
    """Return the integers of a list separated by commas."""
    return [integer(each) for each in text.split(",")]


def bench_module(name: str) -> Any:
    """Return a module of the bench, which belongs to the repository and is not installed with the package.

    Raises:
        MissingPackageError: If it, or a package that it needs, is not there.
    """
    root = Path(__file__).resolve().parents[2]
    sys.path.insert(0, str(root))
    try:
        return importlib.import_module(f"cocotb_tests.{name}")
    except ImportError as error:
        raise MissingPackageError(
            f"simulating a design needs the repository and the packages of extra 'sim' ({error}): "
            "clone it, and pip install -e '.[sim]'"
        ) from None
    finally:
        sys.path.remove(str(root))


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under a header, columns two spaces apart, numbers to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    is_number = [all(isinstance(row[i], int) for row in rows) for i in range(len(header))]
    for line in [list(header), *cells]:
        columns = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, is_number, strict=True)
        )
        print("  ".join(columns).rstrip())


def add_options(parser: argparse.ArgumentParser, options_type: type[EncodeOptions]) -> None:
    """Add an option for every field of an option class, with the field's values, default and description.

    With them comes ``--profile``, whose options replace the defaults.
    """
    group = parser.add_argument_group("choices that the specifications leave open")
    group.add_argument(
        "--profile",
        default="ocp",
        choices=list_profiles(),
        help="the choices of an implementation; options given beside it replace them (default ocp, whose "
        "choices are the defaults named below)",
    )
    allowed, descriptions = choices(options_type), _descriptions(options_type)
    for field in fields(options_type):
        values = allowed.get(field.name)
        text = f"{descriptions.get(field.name, '')} (default {field.default})".strip()
        group.add_argument(
            "--" + field.name.replace("_", "-"),
            dest=_destination(field.name),
            default=argparse.SUPPRESS,
            type=str if values else integer,
            choices=values,
            metavar=None if values else "N",
            help=text.replace("%", "%%"),
        )


def encode_options(arguments: argparse.Namespace, fmt: NumberFormat) -> EncodeOptions:
    """Return the options for conversion to a number format that the arguments of `add_options` ask for."""
    return _with_given(arguments, get_profile(arguments.profile).encode_options(fmt))


def quantize_options(arguments: argparse.Namespace, fmt: BlockFormat) -> QuantizeOptions:
    """Return the options for conversion to a block format that the arguments of `add_options` ask for."""
    return _with_given(arguments, get_profile(arguments.profile).quantize_options(fmt))


def _with_given(arguments: argparse.Namespace, options: _Options) -> _Options:
    given = {field.name: _destination(field.name) for field in fields(options)}
    return replace(
        options, **{name: getattr(arguments, d) for name, d in given.items() if hasattr(arguments, d)}
    )


def _destination(field_name: str) -> str:
    return f"option_{field_name}"


def _descriptions(options_type: type[EncodeOptions]) -> dict[str, str]:
    """Return what the docstring of an option class and of its bases says of each field."""
    found: dict[str, str] = {}
    for each in reversed(options_type.__mro__):
        for name, text in re.findall(
            r"^ {8}(\w+): ([^:]+?)\.?$(?=\n {8}\w+:|\n\n|\n    $)", each.__doc__ or "", re.M
        ):
            found[name] = " ".join(text.split())
    return found
