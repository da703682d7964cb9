"""``mxref readers``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from refmodel.vectors.readers import DEFAULT_NAME, LANGUAGES, write_readers

if TYPE_CHECKING:
    from refmodel.cli import Commands


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "readers",
        help="make readers of a directory of test vectors for other languages",
        description="Make a SystemVerilog package, a VHDL package and a C header that read a vector directory, from "
        "its manifest: shapes of the planes, stimulus classes, and what loads the planes.",
        epilog="example: mxref readers build/e4m3 --language sv,vhdl --output build/bench",
    )
    parser.add_argument("directory", metavar="DIR")
    parser.add_argument(
        "--language",
        default=",".join(LANGUAGES),
        metavar="LIST",
        help="languages, of sv, vhdl (these load form hex) and c (form bin), with commas between (default: all)",
    )
    parser.add_argument("--output", required=True, metavar="FOLDER", help="folder for NAME.sv, NAME.vhd and NAME.h")
    parser.add_argument(
        "--name", default=DEFAULT_NAME, help=f"name of package, type and files (default {DEFAULT_NAME})"
    )
    parser.set_defaults(run=_readers)


def _readers(arguments: argparse.Namespace) -> None:
    paths = write_readers(arguments.directory, arguments.output, arguments.language.split(","), arguments.name)
    for path in paths:
        print(path)
