"""One configuration of every unit, for the tests that play it in a simulator."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("cocotb", reason="the simulations need the extra sim: pip install -e '.[sim]'")

from cocotb_tests import run, simulators
from cocotb_tests.jobs import ROOT, Bench, Outcome, described_units
from cocotb_tests.operations.base import VectorRequest
from cocotb_tests.vector_sets import obtain_vectors
from refmodel.conformance import Configuration, Description
from refmodel.vectors.pairs import load_pairs

COUNT = 300

UNITS = described_units()


def quick(unit: Description, formats: str | None = None) -> Configuration:
    """The first quick configuration of a unit, or that of a format."""
    return next(each for each in unit.configurations if each.quick and formats in (None, each.format_name))


def play(sim: str, unit: Description, configuration: Configuration, build_root: Path, scratch: Path) -> Outcome:
    try:
        version = simulators.prepare(sim)
    except simulators.ToolError as error:
        pytest.skip(str(error))
    count = COUNT // 10 if unit.operation.name == "matmul_tile" else COUNT
    request = VectorRequest(count, seed=1, tensors=load_pairs(str(run.DEFAULT_INPUT)))
    directory = obtain_vectors(unit, configuration, request, scratch)
    return Bench(sim, version, build_root).simulate(unit, configuration, directory, seed=1, replay="make sim ...")


CASES = [
    *(pytest.param(unit, quick(unit), id=unit.name) for unit in UNITS.values()),
    *(
        pytest.param(UNITS[name], quick(UNITS[name], formats), id=f"{name} {formats}")
        for name in ("mx_dot", "mx_dot_general")
        for formats in ("mxint8", "mxfp8_e4m3*mxfp4_e2m1")
    ),
]


def check(sim: str, unit: Description, configuration: Configuration, scratch: Path) -> None:
    """Fail unless the unit gives the bits of the model; the builds are those of `make sim`, made there or here."""
    outcome = play(sim, unit, configuration, ROOT / "build", scratch)
    assert outcome.passed, "\n".join([*outcome.reports, *outcome.failures])
    assert outcome.vectors >= COUNT // 10
    assert all(outcome.classes.values())
