"""Write the documents that are made from the sources: `python -m flows.datasheets.run [--check]`.

docs/units is one datasheet a unit and an index, docs/synthesis.md the table of docs/synthesis.json. Exit code 0: done,
or nothing to do; 1: with --check, something is out of date; 2: could not run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from flows.datasheets.page import FOLDER, pages, stale
from flows.parameter_sets import read_parameter_sets
from flows.synthesis.measure import Store
from flows.synthesis.table import DOCUMENT, Figures, document
from refmodel.errors import MxError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="make docs", description="Write docs/units and docs/synthesis.md.")
    parser.add_argument("--check", action="store_true", help="write nothing, name what is out of date")
    given = parser.parse_args(argv)
    try:
        store, sets = Store(), read_parameter_sets()
        files = pages(Figures(store), sets)
        summary = document(store, sets)
        old = [f"docs/units/{name}" for name in stale(files)]
        if not DOCUMENT.is_file() or DOCUMENT.read_text() != summary:
            old.append("docs/synthesis.md")
        if not given.check:
            FOLDER.mkdir(parents=True, exist_ok=True)
            for path in FOLDER.iterdir():
                if path.name not in files:
                    path.unlink()
            for name, text in files.items():
                (FOLDER / name).write_text(text)
            DOCUMENT.write_text(summary)
    except (MxError, OSError) as error:
        print(f"make docs: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    if given.check and old:
        print(f"make docs: out of date: {', '.join(old)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
