"""``mxref vectors`` and ``mxref verify``."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from refmodel.cli.common import integer, print_table
from refmodel.errors import DefinitionError, FileError
from refmodel.vectors.dotset import MAX_COUNT, make_dot_vectors
from refmodel.vectors.files import check_destination, read_vectors, write_vectors
from refmodel.vectors.pairs import load_pairs
from refmodel.vectors.verify import check_results

if TYPE_CHECKING:
    from refmodel.cli import Commands

PROGRESS_AFTER_SECONDS = 2.0


def add(commands: Commands) -> None:
    """Add the commands."""
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
        "--initial-values",
        action="store_true",
        help="each dot has an initial value of its own (default: all start at +0)",
    )
    vectors.add_argument(
        "--count", required=True, type=integer, metavar="N", help=f"dot products at least, 1 to {MAX_COUNT}"
    )
    vectors.add_argument("--seed", default=1, type=integer, metavar="S", help="0 or more (default 1)")
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
        initial_values=arguments.initial_values,
        count=arguments.count,
        seed=arguments.seed,
        tensors=tensors,
        progress=progress.step,
    )
    progress.step("files")
    write_vectors(vectors, arguments.output)
    rows = [(each.name, each.count, vectors.blocks_of(each)) for each in vectors.classes]
    print_table(("class", "dots", "blocks"), rows)
    print(f"{arguments.output}: {vectors.dots} dot products, {vectors.blocks} block pairs, {vectors.rule.name}")


def _verify(arguments: argparse.Namespace) -> None:
    vectors = read_vectors(arguments.directory)
    try:
        judged = check_results(vectors)
    except FileError as error:
        raise FileError(f"{arguments.directory}/{error}") from error
    print(
        f"{arguments.directory}: {vectors.title}: digests match; the model gives all {vectors.vectors} results, "
        f"the oracle the {judged} it was asked for"
    )


class _Progress:
    """Says on stderr what is being done, once the whole takes longer than a moment."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def step(self, name: str) -> None:
        """Note that the step *name* begins."""
        if time.monotonic() - self._start > PROGRESS_AFTER_SECONDS:
            print(f"mxref: making {name} ...", file=sys.stderr, flush=True)
