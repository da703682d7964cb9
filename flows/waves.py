"""Waves of one vector: `make waves UNIT=mx_dot FORMATS=mxfp8_e4m3 VECTOR=12`.

Plays the vector alone through the bench in Icarus and leaves in build/waves an FST file of every signal and a layout
for GTKWave that shows, in this order, clock and reset, operands with their handshake, decoded elements, products, sum,
rounding, and the result with its handshake. Exit code 0: the result is right; 1: it is not; 2: could not run.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cocotb_tests import run, simulators
from cocotb_tests.jobs import Bench
from cocotb_tests.operations import FAMILIES
from cocotb_tests.selection import Selection
from cocotb_tests.vector_sets import obtain_vectors
from flows import rtl
from refmodel.conformance import Configuration, Description
from refmodel.errors import DefinitionError, MxError

BUILD = rtl.ROOT / "build" / "waves"
CANNOT_RUN = 2

# Flags of a trace in GTKWave's save file: hexadecimal or binary, flush right; begin (closed) and end of a group.
_HEX, _BIN = "@22", "@28"
_GROUP, _OPEN_GROUP, _GROUP_END = "@c00200", "@800200", "@1000200"
_CLOSED_END = "@1401200"


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal of the dump: its full name, and its width."""

    name: str
    width: int


@dataclass(frozen=True, slots=True)
class Group:
    """A group of traces: its title, its signals, and whether it is shown folded."""

    title: str
    signals: tuple[Signal, ...]
    folded: bool = False


STAGES: tuple[tuple[str, str, bool], ...] = (
    ("decoded elements", r"u_\w*decode\w*\.(code_i|negative_o|significand_o|offset_o|is_\w+_o)", True),
    ("products", r"u_\w*lane\w*\.(\w*product\w*|\w*magnitude\w*|negative|sign\w*|shift)_o", True),
    ("sum", r"(\w*_)?sum(_o)?", False),
    ("rounding", r"u_\w*round\w*\.(sign_i|magnitude_i|lsb_exponent_i|increment_i|result_o|overflow_o)", False),
)
"""Groups between operands and result: title, what a signal's name must end with below the top, folded or not."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    try:
        request = run.parse(["--sim", "icarus", *(sys.argv[1:] if argv is None else argv)])
        if request.vector is None:
            raise DefinitionError("VECTOR= names the vector to show, as a report of `make sim` does")
        if len(request.chosen) != 1:
            raise DefinitionError(f"{len(request.chosen)} configurations are chosen; give UNIT= and FORMATS= of one")
        passed, dump = record(request, request.chosen[0])
        layout = dump.with_suffix(".gtkw")
        chosen = request.chosen[0]
        groups = arrange(chosen.description, chosen.configuration, read_signals(dump))
        layout.write_text(save_file(dump, groups))
    except (MxError, OSError) as error:
        print(f"make waves: {' '.join(str(error).split())}", file=sys.stderr)
        return CANNOT_RUN
    print(f"{dump.relative_to(rtl.ROOT)}\nopen it: gtkwave {layout.relative_to(rtl.ROOT)}")
    return 0 if passed else 1


def record(request: run.Request, selection: Selection) -> tuple[bool, Path]:
    """Simulate the one vector of *request*, and return whether its result is right and the path of the dump.

    Raises:
        MxError: If it cannot be simulated.
    """
    description, configuration, vector = selection.description, selection.configuration, request.vector
    bench = Bench("icarus", simulators.prepare("icarus"), BUILD, waves=True)
    directory = obtain_vectors(description, configuration, request.vectors_for(selection), BUILD / "vectors")
    count = FAMILIES[description.operation.name].read(configuration, directory).count
    if vector is None or not 0 <= vector < count:
        raise DefinitionError(f"VECTOR={vector}: the set has vectors 0 to {count - 1}")
    outcome = bench.simulate(
        description, configuration, directory, seed=request.seed, replay=request.replay_command(selection),
        vector=vector,
    )  # fmt: skip
    for line in (*outcome.reports, *outcome.failures):
        print(line)
    left = bench.build(description, configuration) / f"{description.design.top}.fst"
    if not left.is_file():
        raise simulators.ToolError(f"the simulation left no waves in {left}")
    name = re.sub(r"[^\w.-]+", "_", f"{description.name}-{configuration.name}-{vector}")
    dump = BUILD / f"{name}.fst"
    shutil.copy(left, dump)
    return outcome.passed, dump


def read_signals(dump: Path) -> list[Signal]:
    """Return the signals in a dump.

    Raises:
        ToolError: If the reader of FST files is not installed.
    """
    try:
        import pywellen
    except ImportError:
        raise simulators.ToolError(
            "needs the Python package pywellen; install it: pip install 'pywellen>=0.25'"
        ) from None
    variables = pywellen.Waveform(str(dump)).all_vars()
    return [Signal(each.full_name, each.bitwidth or 1) for each in variables if "$" not in each.full_name]


def arrange(
    description: Description, configuration: Configuration, signals: Sequence[Signal]
) -> list[Group]:
    """Return the groups of the layout, those without signals left out.

    Raises:
        DefinitionError: If a port of the description is not in the dump.
    """
    top, shake = description.design.top, description.handshake
    known = {signal.name: signal for signal in signals}

    def ports(names: Iterable[str]) -> tuple[Signal, ...]:
        full = [f"{top}.{name}" for name in dict.fromkeys(names)]
        if missing := [name for name in full if name not in known]:
            raise DefinitionError(f"the waves hold no signal {missing[0]}")
        return tuple(known[name] for name in full)

    driven = description.operation.outputs
    inputs, outputs = (
        [name for role in description.ports if (role in driven) is out
         for name in description.port_names(role, configuration)]
        for out in (False, True)
    )  # fmt: skip
    pins = {side: [port for use, port in shake.pins.items() if use.startswith(side)] for side in ("in", "out")}
    clocks = [description.clock] if description.clock else []
    clocks += [description.reset.port] if description.reset else []
    groups = [
        Group("clock and reset", ports(clocks)),
        Group("operands", ports([*pins["in"], *inputs])),
    ]
    for title, pattern, folded in STAGES:
        ending = re.compile(rf"{re.escape(top)}\.(?:.*\.)?(?:{pattern})")
        found = sorted((signal for signal in signals if ending.fullmatch(signal.name)), key=_natural)
        groups.append(Group(title, tuple(found), folded))
    groups.append(Group("result", ports([*pins["out"], *outputs])))
    return [group for group in groups if group.signals]


def save_file(dump: Path, groups: Sequence[Group]) -> str:
    """Return the text of GTKWave's save file for a dump in the same folder."""
    lines = [
        "[*] Made by make waves; open with gtkwave.",
        f'[dumpfile] "{dump.resolve()}"',
        f'[savefile] "{dump.with_suffix(".gtkw").resolve()}"',
        "[timestart] 0",
        "[size] 1600 1000",
        "[pos] -1 -1",
        "*-12.000000 0 " + "-1 " * 26,
        "[sst_width] 240",
        "[signals_width] 420",
        "[sst_expanded] 0",
    ]
    for group in groups:
        lines += [_GROUP if group.folded else _OPEN_GROUP, f"-{group.title}"]
        for signal in group.signals:
            span = f"[{signal.width - 1}:0]" if signal.width > 1 else ""
            lines += [_BIN if signal.width == 1 else _HEX, f"{signal.name}{span}"]
        lines += [_CLOSED_END if group.folded else _GROUP_END, f"-{group.title}"]
    return "\n".join(lines) + "\n"


def _natural(signal: Signal) -> list[tuple[int, str]]:
    """Sort key by which lane 10 comes after lane 9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", signal.name)]


if __name__ == "__main__":
    sys.exit(main())
