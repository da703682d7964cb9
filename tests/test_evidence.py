"""Evidence is refused when it is missing, empty, incomplete or doctored; and the README says what it shows."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cocotb_tests.jobs import described_units
from cocotb_tests.museum.faults import read_faults
from flows.evidence import run
from flows.evidence.checks import RECORDS, read_record
from flows.formal.properties import read_properties
from metamorphic.laws import LAWS

UNITS = [*described_units()]


def whole() -> dict[str, Any]:
    """Return content that shows everything, of the form that the runs write."""
    proof: dict[str, Any] = {
        "unit": "mx_lane", "tools": ["a", "b"], "finding": {"verdict": "holds"}, "digest": "of all",
        "twin": {"verdict": "fails", "example": [{"x": "1"}]}, "links": {},
    }  # fmt: skip
    proofs = {each.title: {**copy.deepcopy(proof), "name": each.name} for each in read_properties()}
    for each in read_properties():
        contracts = each.contracts.values()
        proofs[each.title]["links"] = {title: "of all" for title in proofs if proofs[title]["name"] in contracts}
    point = {"name": "scale", "hit": 3, "reachable": 3, "impossible": []}
    job = {"configuration": "c", "passed": True, "comparisons": 9, "coverpoints": [point]}
    mutants = {
        "configuration": "c", "mutants": 1_000, "smoke": 900, "sim": 50, "sign_off": 10, "equivalent": 40,
        "undecided": [], "escapes": [],
    }  # fmt: skip
    return {
        "formal": proofs,
        "mutation": {"mutation": [{"unit": unit, "seed": seed, **mutants} for unit in UNITS for seed in (1, 2)]},
        "coverage": {
            "configurations": [{"unit": unit, **copy.deepcopy(job)} for unit in UNITS],
            "code": {"total": {"line": {"hit": 9, "points": 10, "excluded": 1}}},
        },
        "museum": {
            "sound_designs_passed": 4,
            "verdicts": [
                {"fault": each.name, "digest": each.digest, "vector": 3, "failure": None} for each in read_faults()
            ],
        },
        "laws": {
            "laws": [{"law": law.name, "rule": rule, "tried": 5, "broken": 0} for law in LAWS for rule in law.rules]
        },
    }


def written(content: dict[str, Any], directory: Path) -> Path:
    for name, each in content.items():
        (directory / f"{name}.json").write_text(json.dumps(each))
    return directory


def problems(directory: Path) -> list[str]:
    return [problem for record in RECORDS for problem in read_record(record, directory)[1]]


def test_whole_evidence_is_taken(tmp_path):
    assert problems(written(whole(), tmp_path)) == []


def _first(content: dict[str, Any]) -> Any:
    return next(iter(content["formal"].values()))


def _title(content: dict[str, Any]) -> str:
    return next(iter(content["formal"]))


def _composed(content: dict[str, Any]) -> Any:
    return next(proof for proof in content["formal"].values() if proof["name"] == "fused")


DOCTORED: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a proof that is missing": (lambda c: c["formal"].popitem(), "is missing"),
    "a proof that failed": (lambda c: _first(c)["finding"].update(verdict="fails"), "it must hold"),
    "a proof undetermined": (lambda c: _first(c)["finding"].update(verdict="undetermined"), "it must hold"),
    "an injected fault that passed": (lambda c: _first(c)["twin"].update(verdict="holds"), "injected fault holds"),
    "no counterexample": (lambda c: _first(c)["twin"].update(example=[]), "with an example"),
    "a composition without a link": (lambda c: _composed(c)["links"].clear(), "does not name the proof of"),
    "a link to other sources": (lambda c: _composed(c)["links"].update({_title(c): "x"}), "of the same sources"),
    "a link to nothing": (lambda c: _composed(c)["links"].update({"a proof": "of all"}), "rests on 'a proof'"),
    "no tools": (lambda c: _first(c).update(tools=[]), "names no tools"),
    "a mutant lost": (lambda c: c["mutation"]["mutation"][0].update(smoke=899), "999 of 1000 mutants"),
    "a mutant escaped": (
        lambda c: c["mutation"]["mutation"][0].update(smoke=899, escapes=[{"mutant": 5}]),
        "1 escaped",
    ),
    "few mutants": (lambda c: c["mutation"]["mutation"][0].update(mutants=100, smoke=0), "at least 1000"),
    "one seed": (lambda c: c["mutation"]["mutation"].pop(), "a second, of another seed"),
    "a unit unmutated": (lambda c: c["mutation"].update(mutation=c["mutation"]["mutation"][2:]), "unit 'mx"),
    "a bin missed": (
        lambda c: c["coverage"]["configurations"][0]["coverpoints"][0].update(hit=2),
        "2 of 3 bins",
    ),
    "nothing compared": (lambda c: c["coverage"]["configurations"][0].update(comparisons=0), "compared nothing"),
    "a fault uncaught": (lambda c: c["museum"]["verdicts"][0].update(vector=None), "nothing caught it"),
    "a fault of other sources": (lambda c: c["museum"]["verdicts"][0].update(digest="0"), "has changed since"),
    "a fault missing": (lambda c: c["museum"]["verdicts"].pop(), "is missing"),
    "no sound design": (lambda c: c["museum"].update(sound_designs_passed=0), "no design without a fault"),
    "a law broken": (lambda c: c["laws"]["laws"][0].update(broken=1), "broken by 1 of 5"),
    "a law untried": (lambda c: c["laws"]["laws"][0].update(tried=0), "broken by 0 of 0"),
    "a law missing": (lambda c: c["laws"]["laws"].pop(), "is missing"),
    "an empty file": (lambda c: c.update(laws={}), "is empty"),
    "nothing that a headline could be made of": (lambda c: c["coverage"].pop("code"), "has not the form"),
    "no point of code": (lambda c: c["coverage"]["code"]["total"]["line"].update(points=0), "has not the form"),
    "another form": (lambda c: c.update(museum={"verdicts": 3}), "has not the form"),
}


@pytest.mark.parametrize("name", DOCTORED)
def test_doctored_evidence_is_refused(name, tmp_path):
    change, words = DOCTORED[name]
    content = whole()
    change(content)
    found = problems(written(content, tmp_path))
    assert any(words in problem for problem in found), found


def test_a_missing_file_and_one_that_is_no_json_are_refused(tmp_path):
    written(whole(), tmp_path)
    (tmp_path / "laws.json").unlink()
    (tmp_path / "formal.json").write_text("{")
    text = "\n".join(problems(tmp_path))
    assert "laws.json: is missing; make it: make laws" in text
    assert "formal.json: is no JSON" in text


def test_the_readme_must_say_what_the_evidence_shows(tmp_path, capsys):
    directory, readme = written(whole(), tmp_path), tmp_path / "README.md"
    readme.write_text(f"before\n{run.BEGIN}{run.END}after\n")
    assert run.main([], directory, readme) == run.REFUSED
    assert "does not say what evidence/ shows" in capsys.readouterr().err
    assert run.main(["--write"], directory, readme) == 0
    assert run.main([], directory, readme) == 0
    text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "98.96% caught by the vectors of `make sim` alone, 100.00% by the sign-off run" in text
    readme.write_text(text.replace("98.96%", "99.96%"))  # a rate that the evidence does not support
    assert run.main([], directory, readme) == run.REFUSED
    readme.write_text("no place")
    assert run.main([], directory, readme) == run.CANNOT_RUN


def test_the_readme_says_what_the_committed_evidence_shows():
    rows = [row for record in RECORDS if (row := read_record(record, run.DIRECTORY)[0])]
    shown = re.search(re.escape(run.BEGIN) + "(.*?)" + re.escape(run.END), run.README.read_text(), re.DOTALL)
    assert shown
    assert shown[1].splitlines()[2:] == [f"| {title} | {figure} |" for title, figure in rows]
