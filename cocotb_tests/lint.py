"""Lint the RTL: `python -m cocotb_tests.lint` runs Verilator -Wall over every unit and pair of formats."""

from __future__ import annotations

import itertools
import subprocess
import sys

from cocotb_tests import simulators
from cocotb_tests.jobs import rtl_sources
from cocotb_tests.units import ELEMENT_PARAMETER, UNITS
from refmodel.errors import MxError


def main() -> int:
    """Return 0 if Verilator is silent, 1 with what it says about the first pair, 2 if it cannot run."""
    try:
        simulators.prepare("verilator")
    except MxError as error:
        print(f"make lint: {error}", file=sys.stderr)
        return 2
    for unit, (a, b) in itertools.product(UNITS, itertools.product(ELEMENT_PARAMETER.values(), repeat=2)):
        command = [
            "verilator",
            "--lint-only",
            "-Wall",
            "--top-module",
            unit,
            f"-GAFormat={a}",
            f"-GBFormat={b}",
        ]
        result = subprocess.run([*command, *map(str, rtl_sources())], capture_output=True, text=True)
        if result.returncode or result.stderr:
            print(f"{unit} AFormat={a} BFormat={b}:\n{result.stderr}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
