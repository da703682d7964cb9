"""The pytest plugin, in a pytest of its own; the simulation is stood in for, `tests/test_conform.py` has real ones."""

from __future__ import annotations

import pytest

pytest.importorskip("cocotb", reason="the bench needs the extra sim: pip install -e '.[sim]'")

from cocotb_tests import conform
from refmodel.conformance.report import Finding, Report

pytest_plugins = ["pytester"]

TEST = """
    import pytest

    @pytest.mark.mx_dut("mine.toml"{options})
    def test_mine(mx_dut):
        assert mx_dut.passed
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Run a test file against a design with so many wrong results; return what pytest said, and the calls."""
    calls = []

    def inner(text: str, *words: str, wrong: int = 0):
        def stand_in(call, say=None):
            calls.append(call)
            finding = Finding(name="one", title="t", vectors=8, compared=8, wrong=wrong)
            return Report(design="mine", source=call.file, operation="dot", findings=(finding,))

        monkeypatch.setattr(conform, "conform", stand_in)
        pytester.makepyfile(text)
        plugins = ("-pno:mxref", "-prefmodel.conformance.pytest_plugin", "-pno:cacheprovider")
        return pytester.runpytest_inprocess(*plugins, "--strict-markers", *words), calls

    return inner


def test_a_design_that_conforms_passes(run, pytester):
    result, (call,) = run(TEST.format(options=', level="standard", seed=3'))
    result.assert_outcomes(passed=1)
    assert (call.file, call.level, call.seed) == (str(pytester.path / "mine.toml"), "standard", 3)


def test_one_that_does_not_fails_and_says_why(run):
    result, _ = run(TEST.format(options=""), wrong=5)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*mine does not conform*"])


def test_options_of_the_command_line(run, pytester):
    result, (call,) = run(TEST.format(options=""), "--mx-level", "standard", "--mx-report", "out")
    result.assert_outcomes(passed=1)
    assert call.level == "standard"
    assert {path.name for path in (pytester.path / "out" / "mine").iterdir()} == {
        "report.html", "report.json", "junit.xml",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("def test_mine(mx_dut):\n    pass", "*give it the file of a DUT description*"),
        (TEST.format(options=", levl='smoke'"), "*'levl' is unknown*"),
    ],
)
def test_a_marker_that_is_wrong_is_said(run, text, sentence):
    result, calls = run(text)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([sentence])
    assert not calls


def test_a_description_that_is_wrong_is_one_line(pytester):
    pytester.makepyfile(TEST.format(options=""))
    result = pytester.runpytest_inprocess("-pno:mxref", "-prefmodel.conformance.pytest_plugin", "-pno:cacheprovider")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the design cannot be run: *mine.toml: cannot be read*"])
