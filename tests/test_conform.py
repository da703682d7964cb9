"""Wrong designs of different styles are judged: each bug is found, and named by its cause.

One design is judged in every run of the tests, and one in VHDL where there is GHDL; `make wrong-designs` judges all.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("cocotb", reason="the bench needs the extra sim: pip install -e '.[sim]'")

from refmodel.cli import main

DESIGNS = Path(__file__).parent / "wrong_designs"

CAUSES = {
    "nan_scale": "nan-scale-ignored",
    "ieee_e4m3": "e4m3-as-ieee",
    "bias_kept": "scale-bias-not-subtracted",
    "int8_once": "int8-grid-factor-missing-a",
    "sticky_cut": "sticky-lost-negative",
    "serial_flush": "subnormal-elements-flushed",
}
"""The cause that explains most of what is wrong with each design."""

IN_EVERY_RUN = ("nan_scale", "ieee_e4m3")


def _judge(path: Path, folder: Path, *more: str) -> tuple[int, dict]:
    code = main(["conform", str(path), "--count", "1", "--jobs", "1", "--report", str(folder), *more])
    return code, json.loads((folder / "report.json").read_text())


def _skip_if_not_here(name: str) -> None:
    if name not in IN_EVERY_RUN and os.environ.get("WRONG_DESIGNS") != "all":
        pytest.skip("make wrong-designs judges it")
    if name == "ieee_e4m3" and shutil.which("ghdl") is None:
        pytest.skip("ghdl is not on PATH; install it: apt-get install ghdl-mcode")


def _changed(name: str, folder: Path, *changes: tuple[str, str]) -> Path:
    """Write a copy of a design with other words in its description."""
    shutil.copytree(DESIGNS, folder, dirs_exist_ok=True)
    path = folder / f"{name}.toml"
    text = path.read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text)
    return path


def test_every_wrong_design_has_a_cause():
    assert {path.stem for path in DESIGNS.glob("*.toml")} == set(CAUSES)


@pytest.mark.parametrize("name", CAUSES)
def test_the_bug_is_named(name, tmp_path, capsys):
    _skip_if_not_here(name)
    code, report = _judge(DESIGNS / f"{name}.toml", tmp_path)
    assert code == 1
    (finding,) = report["findings"]
    assert finding["compared"] == finding["vectors"]
    assert finding["failures"] == []
    cause = finding["causes"][0]
    assert CAUSES[name] in (cause["name"], *cause["also"])
    assert cause["vectors"] == finding["wrong"] - finding["unexplained"]
    assert not finding["unexplained"]
    assert CAUSES[name] in capsys.readouterr().out
    page = (tmp_path / "report.html").read_text()
    assert cause["name"] in page
    assert not re.search(r'(src|href)="|https?://', page), "the page needs the network"
    suites = ElementTree.parse(tmp_path / "junit.xml").getroot()
    failed = [case for case in suites.iter("testcase") if case.find("failure") is not None]
    assert {case.get("name") for case in failed} == {each["name"] for each in finding["classes"] if each["wrong"]}
    assert report["waveform"]


@pytest.mark.parametrize("name", CAUSES)
def test_without_the_bug_it_conforms(name, tmp_path):
    _skip_if_not_here(name)
    bug = "bug" if name == "ieee_e4m3" else "Bug"
    code, report = _judge(_changed(name, tmp_path / "designs", (f"{bug} = 1", f"{bug} = 0")), tmp_path)
    assert code == 0, report["findings"]
    assert report["passed"]
    assert {each["verdict"] for each in report["clauses"]} == {"met"}


MISTAKEN = {
    # of which sound design, what in the description, by what, what the report suggests
    "order": ("nan_scale", 'a_elements = { port = "a", order = "first_high" }', 'a_elements = "a"', "a_elements"),
    "bytes": ("serial_flush", 'order = "first_high"', 'order = "first_low"', '[handshake] order = "first_high"'),
    "latency": ("int8_once", "latency = 3", "latency = 4", "[handshake] latency"),
    "reset": ("bias_kept", 'active = "high"', 'active = "low"', '[reset] active = "high"'),
}


@pytest.mark.parametrize("mistake", MISTAKEN)
def test_a_mistaken_description_is_suggested(mistake, tmp_path):
    name, old, new, suggestion = MISTAKEN[mistake]
    _skip_if_not_here(name)
    path = _changed(name, tmp_path / "designs", ("Bug = 1", "Bug = 0"), (old, new))
    code, report = _judge(path, tmp_path)
    assert code == 1
    (finding,) = report["findings"]
    said = [*finding["failures"], *(each["suggestion"] for each in finding["causes"])]
    assert any(suggestion in each for each in said), said


WRONG_CALLS = {
    "no file": (["nothing.toml"], "nothing.toml: cannot be read"),
    "level": (["nan_scale.toml", "--level", "smok"], "unknown level 'smok'"),
    "too large": (["nan_scale.toml", "--level", "signoff"], "level signoff is too large for this bench"),
    "simulator": (["nan_scale.toml", "--sim", "questa"], "unknown simulator 'questa'"),
    "language": (["nan_scale.toml", "--sim", "ghdl"], "ghdl"),
    "configuration": (["nan_scale.toml", "--config", "x"], "unknown config 'x'"),
    "jobs": (["nan_scale.toml", "--jobs", "0"], "--jobs 0 must be 1 or more"),
    "report": (["nan_scale.toml", "--report", "nan_scale.toml"], "is no folder"),
}


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_what_cannot_run_is_one_line(name, monkeypatch, capsys):
    words, sentence = WRONG_CALLS[name]
    monkeypatch.chdir(DESIGNS)
    assert main(["conform", *words]) == 2
    message = capsys.readouterr().err
    assert message.startswith("mxref: error: ")
    assert message.count("\n") == 1
    assert sentence in message


def test_a_port_that_is_not_there_is_named(tmp_path, capsys):
    path = _changed("nan_scale", tmp_path / "designs", ('a_scale = "a_exp"', 'a_scale = "a_scale"'))
    assert main(["conform", str(path), "--count", "1", "--report", str(tmp_path / "report")]) == 2
    message = capsys.readouterr().err
    assert "a_scale" in message
    assert message.count("\n") == 1
    assert not (tmp_path / "report").exists()
