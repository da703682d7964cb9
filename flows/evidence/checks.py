"""What each file of evidence must show.

A file is what a run wrote, and somebody may have edited it, run half of it, or run it before a fault got in. So
nothing is believed that can be counted: totals are added up again, and the entries that must be there are taken
from the lists of what is to be run, not from the file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cocotb_tests.jobs import described_units
from cocotb_tests.museum.faults import read_faults
from flows import rtl
from flows.formal.properties import read_properties
from metamorphic.laws import LAWS

LEAST_FAULTS, LEAST_MUTANTS, LEAST_SEEDS = 30, 1_000, 2


@dataclass(frozen=True, slots=True)
class Record:
    """A file of evidence.

    Attributes:
        name: The file is evidence/NAME.json.
        target: The make target that writes it.
        problems: Yields a sentence for everything that is wrong with its content.
        headline: Returns what the README says of its content: a title and a figure.
    """

    name: str
    target: str
    problems: Callable[[Any], Iterator[str]]
    headline: Callable[[Any], tuple[str, str]]


def read_record(record: Record, directory: Path) -> tuple[tuple[str, str] | None, list[str]]:
    """Return the headline of a file, None if it has none, and everything that is wrong with it."""
    path = directory / f"{record.name}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None, [f"{path.name}: is missing; make it: make {record.target}"]
    except ValueError as error:
        return None, [f"{path.name}: is no JSON: {error}"]
    if not content:
        return None, [f"{path.name}: is empty; make it: make {record.target}"]
    try:
        return record.headline(content), [f"{path.name}: {problem}" for problem in record.problems(content)]
    except (KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        return None, [f"{path.name}: has not the form that make {record.target} gives it: {error!r}"]


def _missing(kind: str, expected: Sequence[str], found: Sequence[str]) -> Iterator[str]:
    for name in expected:
        if name not in found:
            yield f"{kind} {name!r} is missing"


def _formal_problems(content: Mapping[str, Any]) -> Iterator[str]:
    yield from _missing("property", [each.title for each in read_properties()], [*content])
    for title, entry in content.items():
        if not entry["tools"]:
            yield f"{title}: names no tools"
        if entry["finding"]["verdict"] != "holds":
            yield f"{title}: {entry['finding']['verdict']}; it must hold"
        if entry["twin"]["verdict"] != "fails" or not entry["twin"]["example"]:
            yield f"{title}: the injected fault {entry['twin']['verdict']}; it must fail, with an example"
        for link, digest in entry["links"].items():
            if content.get(link, {}).get("digest") != digest:
                yield f"{title}: rests on {link!r}, which is not proved of the same sources"
    for prop in read_properties():
        linked = {content[link]["name"] for link in content.get(prop.title, {}).get("links", ()) if link in content}
        for name in sorted(set(prop.contracts.values()) - linked if prop.title in content else ()):
            yield f"{prop.title}: does not name the proof of {name!r} that it rests on"


def _formal_headline(content: Mapping[str, Any]) -> tuple[str, str]:
    units = {entry["unit"] for entry in content.values() if (rtl.RTL / f"{entry['unit']}.sv").is_file()}
    figure = (
        f"{len(content)} properties of {len(units)} modules proved over all inputs; each fails with a planted fault"
    )
    return "formal", figure


def _museum_problems(content: Mapping[str, Any]) -> Iterator[str]:
    verdicts = {each["fault"]: each for each in content["verdicts"]}
    faults = {each.name: each for each in read_faults()}
    yield from _missing("fault", [*faults], [*verdicts])
    for name, fault in faults.items():
        if name in verdicts and verdicts[name]["digest"] != fault.digest:
            yield f"{name}: the fault or rtl/{fault.file} has changed since it was planted"
    if len(verdicts) < LEAST_FAULTS:
        yield f"holds {len(verdicts)} faults; at least {LEAST_FAULTS} are expected"
    if not content["sound_designs_passed"]:
        yield "no design without a fault passed, so no verdict means anything"
    for name, each in verdicts.items():
        if each["vector"] is None and each["failure"] is None:
            yield f"{name}: nothing caught it"


def _museum_headline(content: Mapping[str, Any]) -> tuple[str, str]:
    return "bug museum", f"{len(content['verdicts'])} realistic faults, each caught by the vectors of `make sim`"


def _coverage_problems(content: Mapping[str, Any]) -> Iterator[str]:
    yield from _missing("unit", [*described_units()], [each["unit"] for each in content["configurations"]])
    for each in content["configurations"]:
        where = f"{each['unit']} {each['configuration']}"
        if not each["passed"] or not each["comparisons"]:
            yield f"{where}: did not pass, or compared nothing"
        for point in each["coverpoints"]:
            if point["hit"] != point["reachable"] or point["impossible"]:
                yield f"{where}: {point['name']} has {point['hit']} of {point['reachable']} bins"


def _coverage_headline(content: Mapping[str, Any]) -> tuple[str, str]:
    points = [point for each in content["configurations"] for point in each["coverpoints"]]
    hit, reachable = (sum(point[key] for point in points) for key in ("hit", "reachable"))
    code = content["code"]["total"]
    kinds = ", ".join(f"{kind} {each['hit'] / each['points']:.1%}" for kind, each in code.items())
    return "coverage", f"{hit:,} of {reachable:,} reachable functional bins; code: {kinds}"


def _mutation_problems(content: Mapping[str, Any]) -> Iterator[str]:
    seeds: dict[str, set[int]] = {}
    for each in content["mutation"]:
        where = f"{each['unit']} {each['configuration']} seed {each['seed']}"
        seeds.setdefault(each["unit"], set()).add(each["seed"])
        caught = each["smoke"] + each["sim"] + each["sign_off"]
        told = caught + each["equivalent"] + len(each["undecided"]) + len(each["escapes"])
        if told != each["mutants"]:
            yield f"{where}: {told} of {each['mutants']} mutants are accounted for"
        if each["mutants"] < LEAST_MUTANTS:
            yield f"{where}: {each['mutants']} mutants; at least {LEAST_MUTANTS} are expected"
        if each["undecided"] or each["escapes"]:
            yield f"{where}: {len(each['escapes'])} escaped, {len(each['undecided'])} undecided"
    yield from _missing("unit", [*described_units()], [*seeds])
    for unit, found in seeds.items():
        if len(found) < LEAST_SEEDS:
            yield f"{unit}: one list of mutants; a second, of another seed, must confirm it"


def _mutation_headline(content: Mapping[str, Any]) -> tuple[str, str]:
    entries = content["mutation"]
    different = sum(each["mutants"] - each["equivalent"] for each in entries)
    sim = sum(each["smoke"] + each["sim"] for each in entries)
    caught = sim + sum(each["sign_off"] for each in entries)
    units = len({each["unit"] for each in entries})
    return "mutation", (
        f"{different:,} mutants of {units} units that change a result: {sim / different:.2%} caught by the vectors of "
        f"`make sim` alone, {caught / different:.2%} by the sign-off run"
    )


def _laws_problems(content: Mapping[str, Any]) -> Iterator[str]:
    found = [(each["law"], each["rule"]) for each in content["laws"]]
    for law in LAWS:
        yield from _missing(f"law {law.name!r} of rule", law.rules, [rule for name, rule in found if name == law.name])
    for each in content["laws"]:
        if each["broken"] or not each["tried"]:
            yield f"{each['law']}, {each['rule']}: broken by {each['broken']} of {each['tried']}"


def _laws_headline(content: Mapping[str, Any]) -> tuple[str, str]:
    tried = sum(each["tried"] for each in content["laws"])
    return "laws", f"{len({each['law'] for each in content['laws']})} laws on {tried:,} dot products, none broken"


RECORDS = (
    Record("formal", "formal", _formal_problems, _formal_headline),
    Record("mutation", "mutate", _mutation_problems, _mutation_headline),
    Record("coverage", "coverage", _coverage_problems, _coverage_headline),
    Record("museum", "museum", _museum_problems, _museum_headline),
    Record("laws", "laws", _laws_problems, _laws_headline),
)
"""Every file of evidence."""
