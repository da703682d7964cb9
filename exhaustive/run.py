"""Try every input: `python -m exhaustive.run --help`.

Exit code 0: no difference, and all digests are those published; 1: otherwise; 2: could not run, one line says
why; 130: interrupted, and the next run goes on from there.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import platform
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import ml_dtypes
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from exhaustive.claims import Claim, EncodeClaim, Outcome, ScaleClaim, all_claims
from exhaustive.report import Facts, make_console, make_row, print_report, write_report
from exhaustive.state import BUILD, Part, State
from refmodel.digests import default_directory, write_digests
from refmodel.errors import DefinitionError, MxError

DIFFERENT, CANNOT_RUN, INTERRUPTED = 1, 2, 130

Done = Callable[[Part, Outcome, float], None]


def main(argv: Sequence[str] | None = None, build: Path = BUILD, digests: Path | None = None) -> int:
    """Run the command and return its exit code."""
    digests = default_directory() if digests is None else digests
    console = make_console()
    try:
        arguments = _parser().parse_args(argv)
        claims = selected(arguments.only)
        return _run(claims, arguments.jobs, build, digests, arguments.publish, console)
    except (MxError, OSError) as error:
        print(f"make exhaustive: {' '.join(str(error).split())}", file=sys.stderr)
        return CANNOT_RUN
    except BrokenProcessPool:
        print(
            "make exhaustive: a process was killed, perhaps for want of memory; try fewer JOBS",
            file=sys.stderr,
        )
        return CANNOT_RUN
    except KeyboardInterrupt:
        print("make exhaustive: interrupted; the next run goes on from here", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m exhaustive.run", description="Try every input.")
    parser.add_argument(
        "--only",
        metavar="PATTERNS",
        help="claims to try, as shell patterns separated by commas (default: all)",
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: all cores)"
    )
    parser.add_argument(
        "--publish", action="store_true", help="write the digests of sweeps without differences"
    )
    return parser


def selected(patterns: str | None) -> list[Claim]:
    """Return the claims whose names match one of *patterns*.

    Raises:
        DefinitionError: If a pattern matches none.
    """
    claims = all_claims()
    if patterns is None:
        return claims
    chosen: set[str] = set()
    for pattern in patterns.split(","):
        matching = fnmatch.filter([claim.name for claim in claims], pattern)
        if not matching:
            raise DefinitionError(
                f"no claim is called {pattern!r}; names are like {claims[0].name}, {claims[-1].name}"
            )
        chosen.update(matching)
    return [claim for claim in claims if claim.name in chosen]


def _run(
    claims: Sequence[Claim], jobs: int, build: Path, digests: Path, publish: bool, console: Console
) -> int:
    if jobs < 1:
        raise DefinitionError(f"--jobs {jobs}: it must be at least 1")
    started = time.monotonic()
    state = State(build)
    cost = {claim.name: claim.cost for claim in claims}
    parts = [(claim.name, part) for claim in claims for part in range(claim.parts)]
    left = [part for part in parts if part not in state.done]
    resumed = len(parts) - len(left)
    columns = (
        TextColumn("{task.description:32}"),
        BarColumn(),
        TextColumn("{task.percentage:>4.1f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    try:
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("", total=sum(cost[name] for name, _ in left))

            def done(part: Part, outcome: Outcome, seconds: float) -> None:
                state.add(part, outcome, seconds)
                progress.update(task, advance=cost[part[0]], description=part[0])
                if outcome.differences:
                    progress.console.print(f"{part[0]} part {part[1]}: {outcome.differences} differences")

            try_parts(left, jobs, done)
    finally:
        state.close()
    rows = [make_row(claim, state.done, digests) for claim in claims]
    if publish:
        digests.mkdir(parents=True, exist_ok=True)
        for claim, row in zip(claims, rows, strict=True):
            if isinstance(claim, (EncodeClaim, ScaleClaim)) and not row.differences:
                found = [state.done[claim.name, part][0].digest or "" for part in range(claim.parts)]
                write_digests(claim.sweep, found, digests)
        rows = [make_row(claim, state.done, digests) for claim in claims]
    packages = f"numpy {np.__version__}, ml_dtypes {ml_dtypes.__version__}"
    versions = f"Python {platform.python_version()}, {packages}"
    facts = Facts(time.monotonic() - started, resumed, jobs, _peak_memory(jobs), versions)
    print_report(console, rows, facts)
    write_report(build, rows, facts)
    return 0 if all(row.passed for row in rows) else DIFFERENT


def _peak_memory(jobs: int) -> int:
    """Return a bound on the memory of all processes together, in bytes."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # of the largest
    unit = 1 if sys.platform == "darwin" else 1024
    return (own + (jobs * child if jobs > 1 else 0)) * unit


def try_parts(parts: Iterable[Part], jobs: int, done: Done) -> None:
    """Try *parts* and report each; with one job here, else in that many processes.

    On an interrupt the parts that have begun are finished, as they take a fraction of a second, and reported.
    """
    if jobs == 1:
        for part in parts:
            done(part, *_try(part))
        return
    waiting = iter(parts)
    running: dict[Future[tuple[Outcome, float]], Part] = {}

    def collect(futures: Iterable[Future[tuple[Outcome, float]]]) -> None:
        for future in futures:
            done(running.pop(future), *future.result())

    # Workers are started afresh: forking is not safe beside the thread that draws the progress bar.
    context = get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=_ignore_interrupts) as pool:
        try:
            while True:
                for part in islice(waiting, 2 * jobs - len(running)):
                    running[pool.submit(_try, part)] = part
                if not running:
                    return
                collect(wait(running, return_when=FIRST_COMPLETED).done)
        except KeyboardInterrupt:
            collect([future for future in list(running) if not future.cancel()])
            raise


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _try(part: Part) -> tuple[Outcome, float]:
    name, number = part
    start = time.process_time()
    outcome = _by_name()[name].try_part(number)
    return outcome, time.process_time() - start


@lru_cache(maxsize=1)
def _by_name() -> dict[str, Claim]:
    return {claim.name: claim for claim in all_claims()}


if __name__ == "__main__":
    sys.exit(main())
