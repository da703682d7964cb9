"""The command ``mxref``: thin, everything it does is a call of the library."""

from __future__ import annotations

import argparse
import functools
import os
import signal
import sys
from collections.abc import Sequence
from typing import TypeAlias

from refmodel.cli import (
    check,
    clauses,
    conform,
    digests,
    dot,
    encode,
    explain,
    formats,
    identify,
    profiles,
    quantize,
    readers,
    soak,
    vectors,
)
from refmodel.cli.common import USAGE_ERROR, Parser, one_line
from refmodel.errors import MxError

Commands: TypeAlias = "argparse._SubParsersAction[Parser]"
"""Where a module of this package adds its commands."""

INTERRUPTED = 128 + signal.SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    It is 0, 1 if a check has found a difference, or 2 after one line on stderr that says what is wrong; the
    help of ``identify`` says what else.
    """
    code: int | None = None
    try:
        try:
            given = vectors.one_word(sys.argv[1:] if argv is None else argv)
            arguments = _parser().parse_args(explain.escape_numbers(given))
            code = arguments.run(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader of stdout has seen enough. What is still buffered goes nowhere, so that the interpreter
        # does not complain when it flushes stdout at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (MxError, OSError, MemoryError) as error:
        print(f"mxref: error: {one_line(_text(error))}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    return code or 0


def _text(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory for this; use a smaller count or smaller tensors"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
    return str(error)


@functools.cache
def _parser() -> Parser:
    parser = Parser(
        prog="mxref",
        description="Bit-exact reference model of the OCP Microscaling (MX) formats, for hardware teams.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (
        encode, quantize, dot, identify, explain, formats, profiles, vectors, readers, soak, check, conform,
        digests, clauses,
    ):  # fmt: skip
        module.add(commands)
    return parser
