"""Simulate designs in bulk: `python -m cocotb_tests.bulk --help`.

For each chosen configuration of each described design: vector sets of seeds SEED, SEED + 1, ... until there are COUNT
vectors, played by a C++ program through what Verilator makes of the design, and compared. Ends with one table and exit
code 0 (all right), 1 (a mismatch or another failure of a DUT), or 2 (could not run; one line says why).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from cocotb_tests import run, simulators
from cocotb_tests.bulk.sets import Record, play_sets
from refmodel.errors import MxError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = run.Parser(
        "make bulk", "python -m cocotb_tests.bulk", "Simulate described designs in bulk, with Verilator, bit for bit."
    )
    run.add_options(parser)
    parser.add_argument(
        "--record", metavar="FILE", help="add a line a set to this file; sets that passed there are not played again"
    )
    given = parser.parse_args(argv)
    try:
        request = run.make_request(given, "verilator")
        record = Record(Path(given.record)) if given.record else None
        version = simulators.prepare(request.sim)
        outcomes = run.run_jobs(request, lambda selection: play_sets(request, selection, version, record))
    except (MxError, OSError) as error:
        print(f"make bulk: {' '.join(str(error).split())}", file=sys.stderr)
        return run.CANNOT_RUN
    except KeyboardInterrupt:
        return run.INTERRUPTED
    return run.conclude(request, outcomes, f"{request.sim} in bulk")


if __name__ == "__main__":
    sys.exit(main())
