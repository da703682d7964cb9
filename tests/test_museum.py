"""The bug museum: every fault can be planted, the short list is caught, and what is not caught is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("cocotb", reason="the simulations need the extra sim: pip install -e '.[sim]'")

from cocotb_tests import simulators
from cocotb_tests.jobs import ROOT
from cocotb_tests.museum.faults import FILE, read_faults
from cocotb_tests.museum.run import main
from refmodel.errors import MxError

FAULTS = read_faults()


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        simulators.prepare("verilator")
    except simulators.ToolError as error:
        pytest.skip(str(error))
    return tmp_path_factory.mktemp("museum")


def entry(tmp_path: Path, **changes: str) -> Path:
    """Return a museum with one fault, a quick one, changed."""
    text = FILE.read_text()
    start = text.index("[[fault]]", text.index('name = "DEQUANTIZED_OVERFLOW"') - 30)
    fields = text[start : text.find("\n\n", start)]
    for key, value in changes.items():
        fields = re.sub(rf"^{key} = .*$", f"{key} = {value}", fields, flags=re.MULTILINE)
    path = tmp_path / "faults.toml"
    path.write_text(fields + "\n")
    return path


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.name)
def test_every_fault_can_be_planted(fault, tmp_path):
    description, configuration = fault.plant(tmp_path)
    assert description.name == fault.name
    assert configuration.name == fault.configuration
    assert (tmp_path / fault.file).read_text() != (ROOT / "rtl" / fault.file).read_text()


def test_there_are_many_faults_and_a_short_list():
    assert len(FAULTS) >= 50
    assert sum(each.quick for each in FAULTS) >= 10


def test_the_short_list_is_caught(build, capsys):
    assert main(["--quick", "--count", "300"], root=build) == 0
    assert "10 of 10 caught" in capsys.readouterr().out


def test_a_fault_that_is_not_caught_is_said_and_fails(build, tmp_path, capsys):
    harmless = entry(tmp_path, edits='[["field > 254", "254 < field"]]', name='"HARMLESS"')
    assert main(["--count", "300", "--only", "HARMLESS"], harmless, build) == 1
    assert "UNCAUGHT HARMLESS" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"edits": '[["field > 999", ""]]'}, "holds 0 times, not once"),
        ({"edits": '[["field", ""]]'}, "times, not once"),
        ({"file": '"mx_no_such.sv"'}, "there is no rtl/mx_no_such.sv"),
        ({"unit": '"mx_no_such"'}, "unknown unit 'mx_no_such'"),
        ({"configuration": '"none"'}, "unknown configuration 'none'"),
    ],
)
def test_a_fault_that_cannot_be_planted_is_an_error(changes, words, tmp_path):
    (fault,) = read_faults(entry(tmp_path, **changes))
    with pytest.raises(MxError, match=re.escape(words)):
        fault.plant(tmp_path / "rtl")


def test_bad_usage_is_one_line_and_exit_code_2(tmp_path, capsys):
    (tmp_path / "bad.toml").write_text('[[fault]]\nname = "X"\n')
    for arguments, file in ((["--only", "NO_SUCH"], FILE), ([], tmp_path / "bad.toml")):
        assert main(arguments, file) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
