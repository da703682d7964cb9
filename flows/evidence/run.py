"""Check the committed evidence: `python -m flows.evidence.run --help`.

Exit code 0: every file shows what it must, and the README says what they say; 1: not; 2: could not run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from flows import rtl
from flows.evidence.checks import RECORDS, read_record
from refmodel.errors import DefinitionError, MxError

DIRECTORY, README = rtl.ROOT / "evidence", rtl.ROOT / "README.md"
BEGIN, END = "<!-- evidence: written by `make evidence` -->\n", "<!-- end of evidence -->\n"

REFUSED, CANNOT_RUN = 1, 2


def main(argv: Sequence[str] | None = None, directory: Path = DIRECTORY, readme: Path = README) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="make check-evidence", description="Check what stands in evidence/.")
    parser.add_argument("--write", action="store_true", help="write the headline figures into README.md")
    given = parser.parse_args(argv)
    try:
        problems, rows = [], []
        for record in RECORDS:
            content, found = read_record(record, directory)
            problems += found
            if content is not None:
                rows.append(record.headline(content))
        table = "".join(["| run | result |\n| --- | --- |\n", *(f"| {title} | {figure} |\n" for title, figure in rows)])
        before, shown, after = _parts(readme)
        if given.write:
            unfinished = readme.with_suffix(".new")
            unfinished.write_text(before + BEGIN + table + END + after, encoding="utf-8")
            unfinished.replace(readme)
        elif shown != table:
            problems.append(f"{readme.name}: does not say what evidence/ shows; run: make evidence")
    except (MxError, OSError) as error:
        print(f"make check-evidence: {' '.join(str(error).split())}", file=sys.stderr)
        return CANNOT_RUN
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(table, end="")
    return REFUSED if problems else 0


def _parts(readme: Path) -> tuple[str, str, str]:
    """Return the text before, in and after the table."""
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    shown, end, after = rest.partition(END)
    if not begin or not end:
        raise DefinitionError(f"{readme.name}: has no place for the evidence; it is marked {BEGIN.strip()}")
    return before, shown, after


if __name__ == "__main__":
    sys.exit(main())
