"""A described design judged: built, played, compared, and its mistakes grouped by what is likely to be wrong."""

from __future__ import annotations

import json
import os
import shlex
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cocotb_tests import simulators, trial_tests
from cocotb_tests.jobs import ROOT, Bench, Outcome
from cocotb_tests.operations import FAMILIES
from cocotb_tests.operations.base import Part, VectorRequest
from cocotb_tests.parallel import run_all
from cocotb_tests.port_values import PortValues, port_values
from cocotb_tests.run import DEFAULT_INPUT
from cocotb_tests.selection import Filters, select_configurations
from cocotb_tests.vector_sets import obtain_vectors
from refmodel.conformance import Configuration, Description, load_description
from refmodel.conformance.alternatives import alternatives
from refmodel.conformance.check import Judgement
from refmodel.conformance.report import Finding, Report, find, judge_clauses
from refmodel.errors import DefinitionError
from refmodel.vectors.levels import get_level
from refmodel.vectors.pairs import load_pairs
from refmodel.vectors.selection import select_vectors

PLAYED_LEVELS = ("smoke", "standard")
"""Levels that a simulation with cocotb has time for."""

_LONGEST_TITLE = 3


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked for.

    Attributes:
        file: The description.
        level: One of PLAYED_LEVELS.
        sim: The simulator; None for the quickest that takes the language.
        config: Name of one configuration; None for the quick ones, or all if none is.
        everything: Every configuration that is described.
        seed: Of vectors and stalls.
        jobs: Simulations at a time; None for one a core.
        count: Vectors a set, in place of those of the level.
    """

    file: str
    level: str = "smoke"
    sim: str | None = None
    config: str | None = None
    everything: bool = False
    seed: int = 1
    jobs: int | None = None
    count: int | None = None


def conform(call: Call, say: Callable[[str], None] = lambda text: None) -> Report:
    """Return what came of a design.

    Args:
        call: What is asked for.
        say: Called with a line when a configuration is done.

    Raises:
        MxError: If it cannot be run: the description is wrong, the sources do not compile, a tool is missing.
    """
    if call.level not in PLAYED_LEVELS:
        get_level(call.level)
        raise DefinitionError(
            f"level {call.level} is too large for this bench; use {' or '.join(PLAYED_LEVELS)} here, and make bulk "
            "for the millions of vectors of a sign-off"
        )
    description = load_description(call.file)
    sim = call.sim or simulators.simulators_for(description.design)[0]
    bench = Bench(sim, simulators.prepare(sim), ROOT / "build")
    everything = call.everything or not any(each.quick for each in description.configurations)
    chosen = select_configurations({description.name: description}, Filters(config=call.config), everything=everything)
    runs = [_Run(call, bench, description, each.configuration, say) for each in chosen]
    done = run_all(_Run.judge, runs, call.jobs or os.cpu_count() or 1)
    findings = tuple(finding for finding, _ in done)
    waveform = next((trace for _, trace in done if trace), {})
    return Report(
        design=description.name, source=call.file, operation=description.operation.name, simulator=bench.version,
        level=call.level, command=_command(call), findings=findings,
        clauses=judge_clauses(description.operation.name, findings), waveform=waveform,
    )  # fmt: skip


@dataclass(frozen=True)
class _Run:
    """One configuration."""

    call: Call
    bench: Bench
    description: Description
    configuration: Configuration
    say: Callable[[str], None]

    def judge(self) -> tuple[Finding, dict[str, list[str]]]:
        began = time.monotonic()
        root = self.bench.build_root / "vectors"
        vectors = obtain_vectors(self.description, self.configuration, self._request(), root)
        outcome = self._simulate(vectors)
        items = FAMILIES[self.description.operation.name].read(self.configuration, vectors)
        widths = {port: width or 1 for port, width in self.description.port_widths(self.configuration).items()}
        values = port_values(items, self.description, self.configuration, widths)
        judged = _judged_parts(outcome, values, items.parts())
        failures = list(dict.fromkeys(outcome.failures))
        wrong = sum(judgement.wrong.size for _, judgement, _ in judged)
        if outcome.mismatches and not wrong:
            failures.append(f"{len(outcome.mismatches)} results are wrong in other bits than those of the result")
            failures += outcome.reports[:1]
        findings = [
            find(
                self.configuration.name, judgement, vectors=len(part.items), numbers=part.items[compared],
                suggest=_suggestions(self.description),
            )
            for part, judgement, compared in judged
        ]  # fmt: skip
        explained = findings and not any(each.unexplained or _contradicted(each) for each in findings)
        if not explained and (suggestion := self._suggestion(vectors, outcome)):
            failures.append(suggestion)
        finding = _joined(self, outcome, findings, failures, time.monotonic() - began)
        self.say(f"{self.configuration.name}: {'conforms' if finding.passed else 'does not conform'}")
        first = min((each.vector for each in finding.examples), default=None)
        return finding, {} if first is None else self._trace(vectors, first)

    def _request(self) -> VectorRequest:
        operation = self.description.operation.name
        count = get_level(self.call.level).counts[operation] if self.call.count is None else self.call.count
        return VectorRequest(count, self.call.seed, load_pairs(str(DEFAULT_INPUT)))

    def _simulate(self, vectors: Path, **more: Any) -> Outcome:
        replay = _command(replace(self.call, config=self.configuration.name))
        return self.bench.simulate(
            self.description, self.configuration, vectors, seed=self.call.seed, replay=replay, **more
        )

    def _suggestion(self, vectors: Path, outcome: Outcome) -> str:
        """Return what, changed in the description, makes a sample right of which most is wrong; empty if nothing."""
        hung = any("hung" in sentence for sentence in outcome.failures)
        if not hung and 2 * len(outcome.mismatches) < outcome.vectors and not outcome.failures:
            return ""
        for number, other in enumerate(alternatives(self.description)):
            trial = self._simulate(vectors, test_module=trial_tests.__name__, alternative=number)
            if not trial.mismatches and trial.comparisons and not _of_the_stream(trial.failures):
                return f"with {other.says} in the description a sample of the vectors is right; is that meant?"
        return ""

    def _trace(self, vectors: Path, item: int) -> dict[str, list[str]]:
        """Return what the ports show while one vector is played alone."""
        with tempfile.TemporaryDirectory(prefix="mx-trace-") as name:
            path = Path(name) / "trace.json"
            self._simulate(vectors, vector=item, trace=path)
            return read_trace(path)


def _contradicted(finding: Finding) -> int:
    """Return how many right results the causes found do not go with."""
    return sum(each.contradicted for each in finding.causes)


def _of_the_stream(failures: Sequence[str]) -> list[str]:
    """Return the failures that are not about how many tests and vectors there were."""
    return [each for each in failures if each.startswith("full_rate")]


def _judged_parts(outcome: Outcome, values: PortValues, parts: Sequence[Part]) -> list[tuple[Part, Judgement, Any]]:
    """Return, for each vector set, the judgement of those vectors of which a result came, and which they are."""
    if outcome.seen is None or not outcome.seen[1].any():
        return []
    words, compared = outcome.seen
    judged = []
    for part in parts:
        chosen = compared[part.items]
        if not chosen.any():
            continue
        codes = values.codes(words[part.items[chosen]])
        names = {plane.name for plane in part.vectors.planes() if plane.direction == "output"}
        seen = {name: codes[name] for name in names}
        judged.append((part, Judgement(select_vectors(part.vectors, part.places[chosen]), seen), chosen))
    return judged


def _joined(
    run: _Run, outcome: Outcome, findings: Sequence[Finding], failures: Sequence[str], seconds: float
) -> Finding:
    """Return the findings of several vector sets as one; classes and causes of the same name are added up."""
    if len(findings) == 1:
        return replace(findings[0], vectors=outcome.vectors, failures=tuple(failures), seconds=seconds)
    titles = [each.title for each in findings]
    title = "; ".join(titles[:_LONGEST_TITLE]) + ("; ..." if len(titles) > _LONGEST_TITLE else "")
    counts: dict[str, int] = {}
    for each in findings:
        for label, count in each.histogram:
            counts[label] = counts.get(label, 0) + count
    return Finding(
        name=run.configuration.name, title=title or run.configuration.name, vectors=outcome.vectors,
        compared=sum(each.compared for each in findings), wrong=sum(each.wrong for each in findings),
        failures=tuple(failures),
        classes=tuple(_added([each for finding in findings for each in finding.classes], ("vectors", "wrong"))),
        causes=tuple(_added([each for finding in findings for each in finding.causes], ("vectors", "contradicted"))),
        unexplained=sum(each.unexplained for each in findings), histogram=tuple(counts.items()),
        examples=tuple(each for finding in findings for each in finding.examples[:1]), seconds=seconds,
    )  # fmt: skip


def _added(each: Sequence[Any], fields: Sequence[str]) -> list[Any]:
    found: dict[str, Any] = {}
    for one in each:
        if (known := found.get(one.name)) is None:
            found[one.name] = one
        else:
            found[one.name] = replace(known, **{name: getattr(known, name) + getattr(one, name) for name in fields})
    return list(found.values())


def _suggestions(description: Description) -> Mapping[str, str]:
    """Return, by cause, the key of the description that can be mistaken in place of the design."""
    outputs = ", ".join(role for role in description.ports if role in description.operation.outputs)
    shift = "[handshake] latency" if description.handshake.protocol == "fixed_latency" else ""
    order = "[handshake] order" if description.handshake.protocol == "byte_serial" else f"[ports] {outputs}"
    keys = {
        "lanes-reversed": "[ports] a_elements, or b_elements: order",
        "lanes-swapped": "[ports] a_elements, or b_elements: item_bits",
        "codes-reversed": f"[ports] {outputs}: order",
        "bytes-reversed": order,
        "bits-reversed": f"[ports] {outputs}",
        "operands-exchanged": "[ports] a_elements and b_elements",
        "one-late": shift,
        "one-early": shift,
    }
    return {cause: f"or the description is: look at {key}" for cause, key in keys.items() if key}


def read_trace(path: Path) -> dict[str, list[str]]:
    """Return by port what it shows before each clock edge; empty without a file."""
    if not path.is_file():
        return {}
    rows: list[dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return {port: [row[port] for row in rows] for port in rows[0]} if rows else {}


def _command(call: Call) -> str:
    words = ["mxref", "conform", call.file, "--level", call.level, "--seed", str(call.seed)]
    words += ["--sim", call.sim] if call.sim else []
    words += ["--config", call.config] if call.config else []
    words += ["--count", str(call.count)] if call.count is not None else []
    return shlex.join([*words, *(["--all"] if call.everything else [])])
