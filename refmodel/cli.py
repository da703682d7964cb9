"""The command ``mxref``: thin, everything it does is a call of the library."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import textwrap
import time
from collections.abc import Sequence

from refmodel.accumulate import get_rule, list_rules
from refmodel.elements import decode
from refmodel.errors import DefinitionError, FileError, MxError
from refmodel.formats import get_format, list_formats
from refmodel.vectors.dotset import MAX_COUNT, make_dot_vectors
from refmodel.vectors.files import check_destination, read_vectors, write_vectors
from refmodel.vectors.pairs import load_pairs
from refmodel.vectors.verify import check_results

USAGE_ERROR = 2
INTERRUPTED = 128 + signal.SIGINT

PROGRESS_AFTER_SECONDS = 2.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, or 2 after one line on stderr that says what is wrong."""
    try:
        try:
            arguments = _parser().parse_args(argv)
            arguments.run(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader of stdout has seen enough. What is still buffered goes nowhere, so that the interpreter
        # does not complain when it flushes stdout at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (MxError, OSError, MemoryError) as error:
        print(f"mxref: error: {_one_line(error)}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _one_line(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory for this; use a smaller count or smaller tensors"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
    return " ".join(str(error).split())


class _Parser(argparse.ArgumentParser):
    """Reports bad usage as every other error: one line, exit 2."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(USAGE_ERROR, f"mxref: error: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mxref",
        description="Bit-exact reference model of the OCP Microscaling (MX) formats, for hardware teams.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    vectors = commands.add_parser(
        "vectors",
        help="make a directory of test vectors",
        description="Make a directory of dot products: operands of every stimulus class, and the results "
        "that the model gives under a rule. The same command writes the same bytes on every machine.",
        epilog="example: mxref vectors --a-format mxfp8_e4m3 --rule exact_fp32 --count 20000 --seed 1 "
        "--input weights.safetensors --output build/e4m3",
    )
    vectors.add_argument(
        "--a-format", required=True, metavar="FORMAT", help="format of A, one of `mxref formats`"
    )
    vectors.add_argument("--b-format", metavar="FORMAT", help="format of B (default: that of A)")
    vectors.add_argument(
        "--rule", required=True, help="accumulation rule of the results, one of `mxref rules`"
    )
    vectors.add_argument(
        "--multi-block",
        action="store_true",
        help="dots of one block and of several, for a unit that accumulates (default: one block)",
    )
    vectors.add_argument(
        "--count", required=True, type=_integer, metavar="N", help=f"dot products at least, 1 to {MAX_COUNT}"
    )
    vectors.add_argument("--seed", default=1, type=_integer, metavar="S", help="0 or more (default 1)")
    vectors.add_argument(
        "--input",
        metavar="FILE[:NAME]",
        help="tensors to take blocks from, .npy, .npz or .safetensors; alone: its pairs NAME.weight and "
        "NAME.input, or else each tensor against itself (default: no blocks from tensors)",
    )
    vectors.add_argument(
        "--input-b",
        metavar="FILE[:NAME]",
        help="tensors of B; every tensor of --input meets every one here that has the same last axis",
    )
    vectors.add_argument(
        "--output",
        required=True,
        metavar="DIR",
        help="directory to make; a vector directory there is replaced",
    )
    vectors.set_defaults(run=_vectors)

    verify = commands.add_parser(
        "verify",
        help="check a directory of test vectors",
        description="Check the manifest, the digests and every word of a vector directory; compute all "
        "results again with the model, and a small set or a selection of a large one with the oracle.",
    )
    verify.add_argument("directory", metavar="DIR")
    verify.set_defaults(run=_verify)

    commands.add_parser(
        "formats", help="list the block formats", description="List the block formats."
    ).set_defaults(run=_formats)
    commands.add_parser(
        "rules", help="list the accumulation rules", description="List the accumulation rules."
    ).set_defaults(run=_rules)
    return parser


def _integer(text: str) -> int:
    """Return the integer that *text* is; its range is the library's to judge."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer") from None


def _vectors(arguments: argparse.Namespace) -> None:
    if arguments.input_b is not None and arguments.input is None:
        raise DefinitionError("--input-b gives the tensors of B and needs --input for those of A")
    check_destination(arguments.output)
    tensors = [] if arguments.input is None else load_pairs(arguments.input, arguments.input_b)
    progress = _Progress()
    vectors = make_dot_vectors(
        arguments.a_format,
        arguments.a_format if arguments.b_format is None else arguments.b_format,
        rule=arguments.rule,
        multi_block=arguments.multi_block,
        count=arguments.count,
        seed=arguments.seed,
        tensors=tensors,
        progress=progress.step,
    )
    progress.step("files")
    write_vectors(vectors, arguments.output)
    rows = [(each.name, each.count, vectors.blocks_of(each)) for each in vectors.classes]
    _print_table(("class", "dots", "blocks"), rows)
    print(f"{arguments.output}: {vectors.dots} dot products, {vectors.blocks} block pairs, {vectors.rule}")


def _verify(arguments: argparse.Namespace) -> None:
    vectors = read_vectors(arguments.directory)
    try:
        judged = check_results(vectors)
    except FileError as error:
        raise FileError(f"{arguments.directory}/{error}") from error
    formats = f"{vectors.a.format.name} x {vectors.b.format.name}"
    print(
        f"{arguments.directory}: {formats}, {vectors.rule}: digests match; the model gives all "
        f"{vectors.dots} results, the oracle the {judged} it was asked for"
    )


def _formats(arguments: argparse.Namespace) -> None:
    rows = []
    for block_format in map(get_format, list_formats()):
        element = block_format.element
        smallest, largest = decode(element, [1, element.max_code])
        rows.append(
            (
                block_format.name,
                element.name,
                element.bits,
                f"{smallest:g}",
                f"{largest:g}",
                block_format.scale.name,
                block_format.block_size,
                block_format.block_bits,
            )
        )
    header = ("format", "element", "bits", "smallest", "largest", "scale", "block size", "block bits")
    _print_table(header, rows)


def _rules(arguments: argparse.Namespace) -> None:
    for rule in map(get_rule, list_rules()):
        print(rule.name)
        print(
            textwrap.fill(
                f"{rule.summary} [{rule.source}]", 96, initial_indent="    ", subsequent_indent="    "
            )
        )


def _print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
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


class _Progress:
    """Says on stderr what is being done, once the whole takes longer than a moment."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def step(self, name: str) -> None:
        """Note that the step *name* begins."""
        if time.monotonic() - self._start > PROGRESS_AFTER_SECONDS:
            print(f"mxref: making {name} ...", file=sys.stderr, flush=True)
