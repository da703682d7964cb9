"""One measurement: a unit under one parameter set, one kind of synthesis, one version of the tools."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from flows import rtl
from flows.digests import digest_of
from flows.locking import alone
from flows.parameter_sets import ParameterSet
from flows.synthesis import netlist
from flows.synthesis.wrapper import WRAPPER, wrapper
from flows.synthesis.yosys import TimedOutError, Tool, find_nextpnr, find_yosys
from refmodel.writing import write_text

Kind = Literal["xc7", "gates", "ecp5"]
KINDS: tuple[Kind, ...] = get_args(Kind)

XC7 = "synth_xilinx -family xc7 -flatten -nodsp -noiopad"
GATES = "synth -flatten -noabc; abc -g cmos4; opt_clean -purge"
ECP5 = "synth_ecp5 -nodsp"
PLACE = ("--25k", "--package", "CABGA381", "--speed", "6", "--freq", "300", "--seed", "1", "--timing-allow-fail")

BUILD = rtl.ROOT / "build" / "synthesis"
STORE = rtl.ROOT / "docs" / "synthesis.json"


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be measured.

    Attributes:
        unit: The unit and its parameters.
        kind: ``xc7`` (LUTs and longest path), ``gates`` (static CMOS), ``ecp5`` (placed and routed).
        yosys: Name or path of the Yosys to use.
    """

    unit: ParameterSet
    kind: Kind
    yosys: str

    @property
    def tools(self) -> str:
        """Names and versions of the tools that the result depends on."""
        version = find_yosys(self.yosys).version
        return f"{version}, {find_nextpnr().version}" if self.kind == "ecp5" else version

    @property
    def digest(self) -> str:
        """Digest of all that decides the result."""
        return digest(self.unit, self.kind, self.tools)


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured.

    Attributes:
        digest: `Job.digest`.
        unit, parameters, title, kind, tools: Of the job.
        seconds: How long it took on the machine that did it.
        figures: The numbers by name; empty if the time limit struck.
    """

    digest: str
    unit: str
    parameters: Mapping[str, int | str]
    title: str
    kind: str
    tools: str
    seconds: float
    figures: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def timed_out(self) -> bool:
        """Whether there are no figures because it took too long."""
        return not self.figures


def digest(unit: ParameterSet, kind: Kind, tools: str) -> str:
    """Return the digest of all that decides a result: code that is used, parameters, tools, commands."""
    parts = [tools, kind, _SCRIPTS[kind], unit.unit, json.dumps(sorted(unit.values.items()))]
    if kind == "ecp5":
        parts += [*PLACE, wrapper(unit)]
    parts.append(rtl.used_code(unit.unit))
    return digest_of(parts)


def measure(job: Job, limit_s: float) -> Result:
    """Return what *job* gives, or after *limit_s* seconds a result without figures.

    Raises:
        MxError: If a tool fails, or the netlist holds what it should not.
    """
    decided_by = job.digest  # now: the sources may change while the tools run
    directory = BUILD / f"{job.unit.unit}-{job.kind}-{decided_by}"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    began = time.monotonic()
    figures: Mapping[str, float | str] = {}
    with contextlib.suppress(TimedOutError):
        figures = _MEASURE[job.kind](job, directory, limit_s)
    shutil.rmtree(directory)
    return Result(
        decided_by, job.unit.unit, dict(job.unit.shown), job.unit.title, job.kind, job.tools,
        round(time.monotonic() - began, 1), figures,
    )  # fmt: skip


def _synthesize(job: Job, directory: Path, limit_s: float, top: str, extra: tuple[Path, ...] = ()) -> Mapping[str, Any]:
    """Run Yosys and return the netlist of *top*."""
    output = directory / "netlist.json"
    sources = [str(path.relative_to(rtl.ROOT)) for path in (*rtl.sources_of(job.unit.unit), *extra)]
    commands = [f"read_verilog -sv -DSYNTHESIS {' '.join(sources)}"]
    if top == job.unit.unit:
        commands += [f"chparam -set {name} {value} {top}" for name, value in job.unit.values.items()]
    script = _SCRIPTS[job.kind].split("; ")
    commands += [f"{script[0]} -top {top}", *script[1:], f"write_json {output.relative_to(rtl.ROOT)}"]
    find_yosys(job.yosys).run(["-q", "-p", "; ".join(commands)], limit_s)
    return netlist.read_netlist(output, top)


def _measure_xc7(job: Job, directory: Path, limit_s: float) -> Mapping[str, float | str]:
    module = _synthesize(job, directory, limit_s, job.unit.unit)
    counts = netlist.cell_counts(module)
    path = netlist.longest_path(module)
    return {
        "lut": netlist.lut_count(counts),
        "carry4": counts.get("CARRY4", 0),
        "ff": netlist.flip_flop_count(counts),
        "dsp": sum(count for name, count in counts.items() if name.startswith("DSP")),
        "path_ns": path.ns,
        "path_luts": path.luts,
        "path_muxes": path.muxes,
        "path_carries": path.carries,
        "path_from": path.start,
        "path_to": path.end,
    }


def _measure_gates(job: Job, directory: Path, limit_s: float) -> Mapping[str, float | str]:
    counts = netlist.cell_counts(_synthesize(job, directory, limit_s, job.unit.unit))
    flip_flops = sum(count for name, count in counts.items() if "DFF" in name)
    return {"nand2": round(netlist.gate_equivalents(counts)), "ff": flip_flops}


def _measure_ecp5(job: Job, directory: Path, limit_s: float) -> Mapping[str, float | str]:
    began = time.monotonic()
    source = directory / f"{WRAPPER}.sv"
    source.write_text(wrapper(job.unit))
    module = _synthesize(job, directory, limit_s, WRAPPER, (source,))
    counts = netlist.cell_counts(module)
    report = directory / "report.json"
    files = [directory / "netlist.json", report]
    design, shown = (str(path.relative_to(rtl.ROOT)) for path in files)
    nextpnr: Tool = find_nextpnr()
    left = limit_s - (time.monotonic() - began)
    nextpnr.run(["-q", *PLACE, "--json", design, "--report", shown], max(left, 1.0))
    clocks = json.loads(report.read_text())["fmax"]
    return {
        "lut4": counts.get("LUT4", 0),
        "ccu2c": counts.get("CCU2C", 0),
        "ff": counts.get("TRELLIS_FF", 0),
        "fmax_mhz": round(min(clock["achieved"] for clock in clocks.values()), 1),
    }


_MEASURE: dict[Kind, Callable[[Job, Path, float], Mapping[str, float | str]]] = {
    "xc7": _measure_xc7,
    "gates": _measure_gates,
    "ecp5": _measure_ecp5,
}
_SCRIPTS: dict[Kind, str] = {"xc7": XC7, "gates": GATES, "ecp5": ECP5}


class Store:
    """The results measured so far, in a JSON file that is complete after every one."""

    def __init__(self, path: Path = STORE) -> None:
        self._path = path
        self._results: list[Result] = []
        self._read()

    def find(self, unit: ParameterSet, kind: Kind, tools: str) -> Result | None:
        """Return the result for a unit, whatever sources it was measured from; None if there is none."""
        for each in self._results:
            if (each.unit, each.parameters, each.kind, each.tools) == (unit.unit, unit.shown, kind, tools):
                return each
        return None

    def tools(self, kind: Kind) -> list[str]:
        """Return the tools that results of a kind are from, the latest version last."""
        return sorted({each.tools for each in self._results if each.kind == kind}, key=_version)

    def put(self, result: Result) -> None:
        """Add a result in the place of one of other sources."""
        with self._alone():
            self._results = [each for each in self._results if _order(each) != _order(result)] + [result]
            self._write()

    def keep(self, units: Sequence[ParameterSet]) -> None:
        """Drop the results of units and parameters that are not among *units*."""
        known = [(unit.unit, unit.shown) for unit in units]
        with self._alone():
            self._results = [each for each in self._results if (each.unit, each.parameters) in known]
            self._write()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the file against other processes and threads, with what they have added read."""
        with alone(self._path.with_suffix(".lock")):
            self._read()
            yield

    def _read(self) -> None:
        if self._path.is_file():
            self._results = [Result(**each) for each in json.loads(self._path.read_text())]

    def _write(self) -> None:
        entries = ",\n".join(json.dumps(asdict(each)) for each in sorted(self._results, key=_order))
        write_text(self._path, f"[\n{entries}\n]\n")


def _version(tools: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", tools)]


def _order(result: Result) -> tuple[str, ...]:
    return (result.unit, result.kind, result.tools, json.dumps(result.parameters))
