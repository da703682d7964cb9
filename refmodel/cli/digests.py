"""``mxref digests``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from refmodel.cli.common import print_table
from refmodel.digests import SweepCodes, WrongChunk, check_codes, default_directory, find_codes, read_digests
from refmodel.sweeps import list_sweeps

if TYPE_CHECKING:
    from refmodel.cli import Commands

DIFFERENT = 1
SHOWN = 8
"""Wrong chunks of a sweep that are described one by one."""

PROGRESS_SECONDS = 2.0


def add(commands: Commands) -> None:
    """Add the commands."""
    digests = commands.add_parser(
        "digests",
        help="compare codes of every Float32 with published digests",
        description="The codes that the model gives every Float32 are published as SHA-256 digests, one for "
        "each 2**24 inputs, so that a unit can be compared on all of them.",
    )
    actions = digests.add_subparsers(title="actions", metavar="ACTION", required=True)
    actions.add_parser(
        "list", help="list the sweeps", description="List the sweeps that digests are published of."
    ).set_defaults(run=_list)
    check = actions.add_parser(
        "check",
        help="check a directory of codes",
        description="Check codes against the digests and find the first input of each chunk whose code is "
        "wrong. DIR holds, for each sweep to check, SWEEP.bin with one code a byte in the order of the bit "
        "patterns of the inputs, or SWEEP/00.bin, SWEEP/01.bin and so on with 2**24 codes each. The exit "
        "code is 0 if all codes are right, 1 if not, 2 if they cannot be checked.",
        epilog="example: mxref digests check build/sweeps",
    )
    check.add_argument("directory", metavar="DIR")
    check.add_argument(
        "--digests",
        type=Path,
        metavar="DIR",
        help="directory of the digest files (default: vectors/digests of the checkout)",
    )
    check.set_defaults(run=_check)


def _list(arguments: argparse.Namespace) -> None:
    rows = [(sweep.name, sweep.chunks, sweep.description) for sweep in list_sweeps()]
    print_table(("sweep", "chunks", "what"), rows)


def _check(arguments: argparse.Namespace) -> int:
    directory = default_directory() if arguments.digests is None else arguments.digests
    found = find_codes(arguments.directory)
    published = [read_digests(codes.sweep, directory) for codes in found]
    all_right = [_check_one(*pair) for pair in zip(found, published, strict=True)]
    return 0 if all(all_right) else DIFFERENT


def _check_one(codes: SweepCodes, digests: tuple[str, ...]) -> bool:
    """Check one sweep, print what was found and return whether it is right."""
    wrong = check_codes(codes, digests, _progress(codes))
    for each in wrong[:SHOWN]:
        print(
            f"{codes.path}: chunk {each.chunk:02x}: {each.count} wrong, the first for input "
            f"{each.first:#010x}: got {each.got:#04x}, want {each.want:#04x}"
        )
    if len(wrong) > SHOWN:
        print(f"{codes.path}: and {len(wrong) - SHOWN} more chunks: {_names(wrong[SHOWN:])}")
    right = len(digests) - len(wrong)
    print(f"{codes.path}: {right} of {len(digests)} chunks right", flush=True)
    return not wrong


def _names(wrong: list[WrongChunk]) -> str:
    return " ".join(f"{each.chunk:02x}" for each in wrong)


def _progress(codes: SweepCodes) -> Callable[[int], None]:
    """Return what says on stderr from time to time which chunk is being checked."""
    last = time.monotonic()

    def step(chunk: int) -> None:
        nonlocal last
        if time.monotonic() - last > PROGRESS_SECONDS:
            last = time.monotonic()
            print(
                f"mxref: {codes.sweep.name}: chunk {chunk} of {codes.sweep.chunks}",
                file=sys.stderr,
                flush=True,
            )

    return step
