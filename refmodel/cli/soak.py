"""``mxref soak``."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from refmodel.cli.common import integer, print_table
from refmodel.cli.vectors import add_set_arguments, make_pieces
from refmodel.errors import DefinitionError, MissingPackageError
from refmodel.shards import Dask, Executor, Local, Log, Result, run_shards
from refmodel.vectors.levels import get_level
from refmodel.vectors.pieces import Pieces
from refmodel.vectors.soak import judge, summarise
from refmodel.writing import write_json

if TYPE_CHECKING:
    from refmodel.cli import Commands

SUMMARY = "summary.json"


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "soak",
        help="make endless vectors in shards and judge them by the oracle",
        description="Make shards of the endless set of level soak, each a piece of some ten thousand vectors; the "
        "model gives the results, and the oracle judges a selection. What is finished is kept in DIR: the same command "
        "goes on where it was ended, and more shards go on from fewer. Exit code 1 if the oracle differs.",
        epilog="example: mxref soak build/soak --a-format mxfp8_e4m3 --rule exact_fp32 --shards 1000 --jobs 8",
    )
    parser.add_argument("directory", metavar="DIR", help="folder of results, made if it is not there")
    parser.add_argument("--shards", required=True, type=integer, metavar="N", help="shards 0 to N - 1 of the set")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--jobs", default=1, type=integer, metavar="N", help="processes of this machine (default 1)")
    where.add_argument("--dask", metavar="ADDRESS", help="scheduler of a Dask cluster, such as tcp://host:8786")
    add_set_arguments(parser)
    parser.set_defaults(run=_soak)


def _soak(arguments: argparse.Namespace) -> int:
    ours = ("directory", "shards", "jobs", "dask", "run")
    work = {name: value for name, value in vars(arguments).items() if name not in ours}
    description = json.dumps(work, sort_keys=True)
    total = _pieces(description).total
    if not 1 <= arguments.shards <= total:
        raise DefinitionError(f"shards {arguments.shards}: this set has 1 to {total}")
    with ExitStack() as stack:
        log = stack.enter_context(Log(arguments.directory, work))
        executor: Executor = Local(arguments.jobs) if arguments.dask is None else Dask(arguments.dask)
        stack.enter_context(executor)
        progress = stack.enter_context(_Progress(arguments.shards, log))
        task = partial(judge_shard, description)
        results = run_shards(task, arguments.shards, log, executor, progress.advance)
    summary = summarise(results)
    write_json(log.folder / SUMMARY, {"work": work, **summary})
    print_table(("class", "vectors"), list(summary["classes"].items()))
    print(
        f"{arguments.directory}: {summary['shards']} shards, {summary['vectors']} vectors, {summary['judged']} judged "
        f"by the oracle, {len(summary['differences'])} shards differ; {summary['sha256']}"
    )
    for each in summary["differences"][:3]:
        print(f"shard {each['shard']}: {each['difference']}")
    return 1 if summary["differences"] else 0


def judge_shard(work: str, number: int) -> Result:
    """Return what there is to say of shard *number* of the work that JSON describes."""
    return judge(_pieces(work).piece(number))


@lru_cache(maxsize=2)
def _pieces(work: str) -> Pieces[Any]:
    """Return the pieces; a process keeps them from shard to shard, since the first takes a while."""
    arguments = argparse.Namespace(**json.loads(work))
    return make_pieces(arguments, get_level("soak").counts[arguments.operation])


class _Progress:
    """A bar with the rate and the time that is left, on stderr, if that is a terminal."""

    def __init__(self, shards: int, log: Log) -> None:
        try:
            from rich import progress
            from rich.console import Console
        except ImportError:
            raise MissingPackageError("soak needs the package rich: pip install 'mx-refmodel[soak]'") from None
        done = [result["vectors"] for number, result in log.results.items() if number < shards]
        self._bar = progress.Progress(
            progress.TextColumn("shards"),
            progress.MofNCompleteColumn(),
            progress.BarColumn(),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TimeElapsedColumn(),
            progress.TextColumn("left"),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not Console(stderr=True).is_terminal,
        )
        self._task = self._bar.add_task("soak", total=shards, completed=len(done), rate="")
        self._vectors = 0

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *of: object) -> None:
        self._bar.stop()

    def advance(self, number: int, result: Result) -> None:
        """Note that a shard is finished."""
        self._vectors += result["vectors"]
        elapsed = self._bar.tasks[0].elapsed or 0
        rate = f"{self._vectors / elapsed:,.0f} vectors/s" if elapsed else ""
        self._bar.update(self._task, advance=1, rate=rate)
