"""The clause catalogue is complete, and what it names is there: tests that are collected, classes, sweeps, units."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from exhaustive.claims import all_claims
from refmodel import cli
from refmodel.conformance.clauses import LEVELS, NEED_TESTS, by_test, find_clauses, list_clauses
from refmodel.errors import UnknownNameError
from refmodel.vectors.conversions import make_dequantize_vectors
from refmodel.vectors.numbers import NUMBER_CLASSES
from refmodel.vectors.suite import STIMULUS_CLASSES

ROOT = Path(__file__).parents[1]
CLAUSES = list_clauses()

# How many clauses each section has: their letters are a, b, c, ...
SECTIONS = {
    "MX-1": 1, "MX-4": 7, "MX-4.1": 8, "MX-4.2": 1, "MX-5.1": 13, "MX-5.2": 2, "MX-5.2.1": 3, "MX-5.3": 3,
    "MX-5.3.1": 5, "MX-5.3.2": 9, "MX-5.3.3": 9, "MX-5.3.4": 10, "MX-5.4.1": 5, "MX-6.1": 6, "MX-6.2": 4, "MX-6.3": 9,
    "OFP8-4": 5, "OFP8-4.1": 1, "OFP8-4.2": 2, "OFP8-5": 1, "OFP8-5.1": 6, "OFP8-5.2.1": 14,
    "NV-FMT": 6, "NV-Q": 8, "NV-MM": 4, "NV-CVT": 5, "NV-LAY": 1,
}  # fmt: skip

# What the documents demand or recommend.
DEMANDED = {
    "MUST": "MX-5.2.1-c MX-5.3.1-a MX-5.3.1-b MX-5.3.1-d MX-5.3.1-e MX-5.3.2-a MX-5.3.2-c MX-5.3.2-e MX-5.3.2-h "
    "MX-5.3.3-a MX-5.3.3-c MX-5.3.3-e MX-5.3.3-h MX-5.3.4-a MX-5.3.4-c MX-5.3.4-e MX-6.1-a MX-6.3-a MX-6.3-g "
    "OFP8-5.2.1-b OFP8-5.2.1-c",
    "MUST*": "MX-5.1-b MX-5.1-h MX-5.1-i MX-5.1-k MX-5.3-a MX-5.3-b MX-5.3.2-b MX-5.3.3-b MX-5.3.4-b MX-5.3.4-h "
    "MX-5.4.1-a MX-5.4.1-b MX-5.4.1-c MX-5.4.1-d OFP8-5.1-a OFP8-5.1-b OFP8-5.1-c OFP8-5.1-d OFP8-5.1-e OFP8-5.1-f "
    "OFP8-5.2.1-f OFP8-5.2.1-g OFP8-5.2.1-h OFP8-5.2.1-i OFP8-5.2.1-j OFP8-5.2.1-k OFP8-5.2.1-l",
    "SHOULD": "MX-6.2-a MX-6.3-b MX-6.3-d MX-6.3-e",
}


def test_every_clause_is_in_the_catalogue() -> None:
    wanted = [f"{section}-{chr(ord('a') + i)}" for section, count in SECTIONS.items() for i in range(count)]
    assert [each.id for each in CLAUSES] == wanted
    for level, ids in DEMANDED.items():
        assert [each.id for each in CLAUSES if each.level == level] == ids.split()
    assert {each.level for each in CLAUSES} == set(LEVELS)
    assert set(DEMANDED) == set(NEED_TESTS)


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.id)
def test_what_is_demanded_is_tested_or_said_to_be_untestable(clause) -> None:
    assert clause.says.endswith(".")
    if clause.level in NEED_TESTS:
        assert bool(clause.tests) != bool(clause.untested)
    elif clause.untested:
        assert (clause.tests, clause.vectors, clause.sweeps, clause.units) == ((), (), (), ())


def test_every_named_test_is_collected(request: pytest.FixtureRequest) -> None:
    """Of a file that this run has not collected, pytest is asked."""
    named = set(by_test(CLAUSES))
    known = {_without_parameters(item.nodeid) for item in request.session.items}
    files = sorted({test.partition("::")[0] for test in named - known})
    if files:
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        known |= {_without_parameters(line) for line in result.stdout.splitlines()}
    assert sorted(named - known) == []


def _without_parameters(node: str) -> str:
    return node.partition("[")[0]


def test_every_named_class_sweep_and_unit_exists() -> None:
    classes = {f"dot {each.name}" for each in STIMULUS_CLASSES}
    classes |= {f"quantize {each.name}" for each in NUMBER_CLASSES}
    made = make_dequantize_vectors("mxfp4_e2m1", count=300, seed=1)
    classes |= {f"dequantize {each.name}" for each in made.classes}
    sweeps = [claim.name for claim in all_claims()]
    units = {path.stem for path in (ROOT / "rtl").glob("*.toml")}
    for clause in CLAUSES:
        assert set(clause.vectors) <= classes, clause.id
        assert set(clause.units) <= units, clause.id
        for pattern in clause.sweeps:
            assert any(fnmatch(name, pattern) for name in sweeps), f"{clause.id}: {pattern}"


def test_the_tests_of_the_specification_and_the_catalogue_name_each_other() -> None:
    """The docstring of a test in test_specification.py has the clauses whose entries name the test."""
    tree = ast.parse((ROOT / "tests" / "test_specification.py").read_text())
    in_docstrings = {
        f"tests/test_specification.py::{node.name}": sorted(
            set(re.findall(r"\b(?:MX|OFP8|NV)-[\w.]+-[a-z]\b", ast.get_docstring(node) or ""))
        )
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    in_catalogue = {test: sorted(ids) for test, ids in by_test(CLAUSES).items() if test in in_docstrings}
    assert in_docstrings == in_catalogue


def test_clauses_are_found_by_id_section_and_document() -> None:
    assert [each.id for each in find_clauses("mx-5.1-h")] == ["MX-5.1-h"]
    assert len(find_clauses("MX-5.3.4")) == 10
    assert len(find_clauses("MX-5.3")) == 3 + 5 + 9 + 9 + 10
    assert len(find_clauses("OFP8")) == 29
    for wrong in ("MX-5.1-z", "MX-5.", "M", ""):
        with pytest.raises(UnknownNameError, match=r"the sections are MX-1, MX-4, MX-4\.1"):
            find_clauses(wrong)


def test_the_command_lists_and_shows_clauses(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["clauses"]) == 0
    printed = capsys.readouterr().out
    assert all(each.id in printed for each in CLAUSES)
    assert "MUST*        27          27\n" in printed
    assert printed.endswith("0 clauses of level MUST, MUST*, SHOULD without a test\n")
    assert cli.main(["clauses", "MX-5.1", "--level", "MUST*"]) == 0
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines() if not line.startswith(" ")] == [
        f"MX-5.1-{letter}  MUST*" for letter in "bhik"
    ]
    assert "test            tests/test_specification.py::test_a_nan_scale_makes_every_value_nan" in printed
    assert cli.main(["clauses", "NV-Q-f"]) == 0
    assert "not exercised: blocks lie along one axis" in capsys.readouterr().out
    assert cli.main(["clauses", "MX-6.2-a", "--by-test"]) == 0
    assert "_of_its_blocks\n    MX-6.2-a\n" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["MX-9"], ["MX-1", "--level", "MUST"], ["--level", "must"]])
def test_what_is_not_there_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = cli.main(["clauses", *arguments])
    except SystemExit as error:
        code = error.code
    printed = capsys.readouterr()
    assert (code, printed.out, printed.err.count("\n")) == (2, "", 1)
