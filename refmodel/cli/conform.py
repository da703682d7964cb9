"""``mxref conform``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from refmodel.cli.common import bench_module, integer
from refmodel.errors import DefinitionError
from refmodel.writing import write_json, write_text

if TYPE_CHECKING:
    from refmodel.cli import Commands
    from refmodel.conformance.report import Report

WRONG = 1


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "conform",
        help="build a design, play vectors through it, and say whether it conforms",
        description="Build the design that a DUT description describes (docs/dut.md), play vectors of every stimulus "
        "class through it, compare each bit with the model, and group what is wrong by likely causes. The exit "
        "code is 0 if it conforms, 1 if not, 2 if it cannot be run.",
        epilog="example: mxref conform my_dot.toml --level smoke --report build/report",
    )
    parser.add_argument("dut", metavar="DUT.toml", help="the description of the design")
    parser.add_argument(
        "--level", default="smoke", metavar="L", help="how much is played: smoke or standard (default smoke)"
    )
    parser.add_argument(
        "--report", metavar="DIR", help="a folder for report.html, report.json and junit.xml, made if need be"
    )
    parser.add_argument("--sim", metavar="SIM", help="simulator (default: verilator, of VHDL ghdl); icarus")
    parser.add_argument("--config", metavar="NAME", help="one configuration, by the name that a run prints")
    parser.add_argument("--all", action="store_true", help="every configuration described, not the quick ones")
    parser.add_argument("--count", type=integer, metavar="N", help="vectors a set, in place of the level's")
    parser.add_argument("--seed", type=integer, default=1, metavar="S", help="of vectors and stalls (default 1)")
    parser.add_argument("--jobs", type=integer, metavar="N", help="simulations at a time (default: one a core)")
    parser.set_defaults(run=_conform)


def _conform(arguments: argparse.Namespace) -> int:
    for name in ("jobs", "count"):
        if (given := getattr(arguments, name)) is not None and given < 1:
            raise DefinitionError(f"--{name} {given} must be 1 or more")
    if arguments.report is not None:
        check_folder(Path(arguments.report))
    bench = bench_module("conform")
    call = bench.Call(
        file=arguments.dut, level=arguments.level, sim=arguments.sim, config=arguments.config,
        everything=arguments.all, seed=arguments.seed, jobs=arguments.jobs, count=arguments.count,
    )  # fmt: skip
    report = bench.conform(call, lambda text: print(text, file=sys.stderr, flush=True))
    from refmodel.conformance.summary import print_summary

    print_summary(report)
    if arguments.report is not None:
        write_report(report, Path(arguments.report))
        print(f"report: {Path(arguments.report) / 'report.html'}")
    return 0 if report.passed else WRONG


def check_folder(folder: Path) -> None:
    """Refuse a place where no folder can be.

    Raises:
        DefinitionError: If something else is there.
    """
    if folder.exists() and not folder.is_dir():
        raise DefinitionError(f"--report {folder}: is no folder")


def write_report(report: Report, folder: Path) -> None:
    """Write the report in all forms; each file is complete or not there.

    Raises:
        OSError: If the system refuses.
    """
    from refmodel.conformance.page import to_html
    from refmodel.conformance.report import to_junit

    page = to_html(report)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "report.json", report.to_dict())
    write_text(folder / "junit.xml", to_junit(report).decode())
    write_text(folder / "report.html", page)
