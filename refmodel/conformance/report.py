"""What came of judging a design, as data: what reports, JSON and JUnit XML are written from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from refmodel.blocks import Blocks
from refmodel.conformance.causes import Results, expected_results
from refmodel.conformance.check import Group, Judgement
from refmodel.conformance.clauses import NEED_TESTS, list_clauses
from refmodel.conformance.mismatch import RESULT_FORMATS
from refmodel.errors import MxError
from refmodel.explain import FloatBits, explain_dot
from refmodel.formats import FloatFormat
from refmodel.vectors.conversions import DequantizeVectors
from refmodel.vectors.dotset import DotVectors
from refmodel.vectors.tiles import TileVectors
from refmodel.vectors.vectorset import VectorSet

FORMAT_VERSION = 1
"""Version of the JSON form."""

MOST_EXAMPLES = 3
"""Wrong results that are explained, of each configuration."""

_BINS = ("NaN or Inf", "sign", "<= -1000", "-999 to -10", "-9 to -2", "-1", "+1", "+2 to +9", "+10 to +999", ">= +1000")


@dataclass(frozen=True, slots=True)
class ClassCount:
    """The vectors of a stimulus class: how many were compared, and how many were wrong."""

    name: str
    description: str
    vectors: int
    wrong: int


@dataclass(frozen=True, slots=True)
class FoundCause:
    """A likely cause of wrong results; the attributes are those of `check.Group` and its cause.

    ``suggestion`` says what else it can be: a mistake in the description of the design, not in the design.
    """

    name: str
    description: str
    vectors: int
    contradicted: int
    first: int
    also: tuple[str, ...]
    clauses: tuple[str, ...]
    suggestion: str = ""


@dataclass(frozen=True, slots=True)
class FieldBits:
    """A field of a number, and its bits as expected and as seen."""

    name: str
    expected: str
    seen: str


@dataclass(frozen=True, slots=True)
class Example:
    """A wrong result explained.

    Attributes:
        vector: Its number.
        stimulus_class: Its class.
        lines: Operands, expected and seen result, hints.
        fields: The first wrong number in its fields; empty where results are no numbers.
        stages: How the right result comes about; empty for what `mxref explain` does not explain.
    """

    vector: int
    stimulus_class: str
    lines: tuple[str, ...]
    fields: tuple[FieldBits, ...]
    stages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came of one configuration, or of one file of results.

    Attributes:
        name: Name of the configuration, or of the vector directory.
        title: Formats and rule.
        vectors: Vectors that were to be compared.
        compared: Vectors of which a result came.
        wrong: Vectors with a wrong result.
        failures: Sentences on everything else that is wrong.
        classes, causes, examples: The parts.
        unexplained: Wrong results, of those tried, that no single cause explains.
        histogram: Wrong numbers by their distance in units in the last place.
        seconds: How long it took.
    """

    name: str
    title: str
    vectors: int
    compared: int
    wrong: int
    failures: tuple[str, ...] = ()
    classes: tuple[ClassCount, ...] = ()
    causes: tuple[FoundCause, ...] = ()
    unexplained: int = 0
    histogram: tuple[tuple[str, int], ...] = ()
    examples: tuple[Example, ...] = ()
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether every vector was compared and nothing was wrong."""
        return not self.wrong and not self.failures and self.compared == self.vectors


@dataclass(frozen=True, slots=True)
class ClauseVerdict:
    """A clause that the vectors exercise: ``broken``, ``met`` or ``open``, and how many vectors were right."""

    id: str
    level: str
    says: str
    vectors: int
    wrong: int
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that a run found.

    Attributes:
        design: Name of the design, or of the file of results.
        source: The description, or the vector directory.
        operation: What it computes.
        simulator, level: What it was run with; empty for results from elsewhere.
        command: Shell command that repeats the run.
        findings: A finding for each configuration.
        clauses: The clauses that the vectors exercise.
        waveform: By port, what it shows before each clock edge around the first failure, as bits.
    """

    design: str
    source: str
    operation: str
    simulator: str = ""
    level: str = ""
    command: str = ""
    findings: tuple[Finding, ...]
    clauses: tuple[ClauseVerdict, ...] = ()
    waveform: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every finding is right."""
        return all(each.passed for each in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        values = asdict(self)
        for each, finding in zip(values["findings"], self.findings, strict=True):
            each["passed"] = finding.passed
        return {"format": FORMAT_VERSION, "passed": self.passed, **values}


def find(
    name: str, judgement: Judgement, *, vectors: int | None = None, failures: Sequence[str] = (), seconds: float = 0.0,
    numbers: NDArray[np.int64] | None = None, suggest: Mapping[str, str] | None = None,
) -> Finding:  # fmt: skip
    """Return what came of a judgement.

    Args:
        name: For reports.
        judgement: What was compared.
        vectors: Vectors that were to be compared (default: all that were).
        failures: What else is wrong.
        seconds: How long it took.
        numbers: Numbers for reports of the vectors judged (default: their own).
        suggest: Per cause, what in the description of the design can be the mistake.
    """
    judged, suggest = judgement.vectors, suggest or {}
    numbers = np.arange(judged.vectors) if numbers is None else numbers
    descriptions = {each.name: each.description for each in judged.classes}
    return Finding(
        name=name,
        title=judged.title,
        vectors=judged.vectors if vectors is None else vectors,
        compared=judged.vectors,
        wrong=judgement.wrong.size,
        failures=tuple(failures),
        classes=tuple(ClassCount(each, descriptions[each], n, wrong) for each, n, wrong in judgement.by_class),
        causes=tuple(_cause(group, numbers, suggest) for group in judgement.groups),
        unexplained=judgement.unexplained,
        histogram=_histogram(judged, judgement.seen, judgement.wrong),
        examples=tuple(_example(judgement, item, int(numbers[item])) for item in judgement.examples(MOST_EXAMPLES)),
        seconds=seconds,
    )


def _cause(group: Group, numbers: NDArray[np.int64], suggest: Mapping[str, str]) -> FoundCause:
    cause = group.cause
    return FoundCause(
        cause.name, cause.description, len(group.vectors), group.contradicted, int(numbers[group.vectors[0]]),
        group.also, cause.clauses, suggest.get(cause.name, ""),
    )  # fmt: skip


def judge_clauses(operation: str, findings: Sequence[Finding]) -> tuple[ClauseVerdict, ...]:
    """Return the clauses that name stimulus classes of *operation*, and what the findings say of each.

    A clause is broken where a likely cause breaks it; met where all vectors of its classes are right; else open.
    """
    kind = "dot" if operation in ("dot", "dot_general", "matmul_tile") else operation
    broken = {clause for finding in findings for cause in finding.causes for clause in cause.clauses}
    verdicts = []
    for clause in list_clauses():
        names = {each.partition(" ")[2] for each in clause.vectors if each.partition(" ")[0] == kind}
        counts = [each for finding in findings for each in finding.classes if each.name in names]
        if clause.id not in broken and (not counts or clause.level not in (*NEED_TESTS, "FORMAT")):
            continue
        vectors, wrong = sum(each.vectors for each in counts), sum(each.wrong for each in counts)
        verdict = "broken" if clause.id in broken else "open" if wrong else "met"
        verdicts.append(ClauseVerdict(clause.id, clause.level, clause.says, vectors, wrong, verdict))
    return tuple(verdicts)


# ---------------------------------------------------------------------------------------------------------
# Numbers
# ---------------------------------------------------------------------------------------------------------


def _numbers(vectors: VectorSet) -> tuple[str, FloatFormat] | None:
    """Return the plane of results that are numbers, and their format."""
    if isinstance(vectors, DotVectors | TileVectors):
        return "result", RESULT_FORMATS[vectors.rule.result_format]
    return ("values", RESULT_FORMATS["fp32"]) if isinstance(vectors, DequantizeVectors) else None


def _histogram(vectors: VectorSet, seen: Results, wrong: NDArray[np.int64]) -> tuple[tuple[str, int], ...]:
    found = _numbers(vectors)
    if found is None or not wrong.size:
        return ()
    name, fmt = found
    pair = [np.asarray(codes[name])[wrong].astype(np.int64) for codes in (expected_results(vectors), seen)]
    expected, got = (each[pair[0] != pair[1]] for each in pair)
    magnitudes = [each & ~fmt.sign_mask for each in (expected, got)]
    special = (magnitudes[0] > fmt.max_code) | (magnitudes[1] > fmt.max_code)
    signs = ~special & ((expected ^ got) == fmt.sign_mask)
    steps = [np.where(each & fmt.sign_mask, -m, m) for each, m in zip((expected, got), magnitudes, strict=True)]
    ulps = (steps[1] - steps[0])[~special & ~signs]
    edges = np.searchsorted([-999, -9, -1, 0, 1, 2, 10, 1000], ulps, side="right")
    # Between the edges -1 and 0 is -1, between 1 and 2 is +1; 0 does not occur.
    counts = np.bincount(np.where(edges > 3, edges - 1, edges), minlength=8).tolist()
    return tuple(zip(_BINS, [int(special.sum()), int(signs.sum()), *counts], strict=True))


def _example(judgement: Judgement, item: int, number: int) -> Example:
    vectors = judgement.vectors
    return Example(
        number, vectors.class_of(item).name, tuple(judgement.explain(item)), _fields(judgement, item),
        _stages(vectors, item),
    )  # fmt: skip


def _fields(judgement: Judgement, item: int) -> tuple[FieldBits, ...]:
    found = _numbers(judgement.vectors)
    if found is None:
        return ()
    name, fmt = found
    expected, seen = (each[name][item] for each in (expected_results(judgement.vectors), judgement.seen))
    first = int(np.argmax(expected != seen))
    bits = [f"{int(each[first]):0{fmt.bits}b}" for each in (expected, seen)]
    middle = 1 + fmt.exponent_bits
    cuts = {"sign": slice(0, 1), "exponent": slice(1, middle), "fraction": slice(middle, None)}
    return tuple(FieldBits(field_name, bits[0][cut], bits[1][cut]) for field_name, cut in cuts.items())


def _stages(vectors: VectorSet, item: int) -> tuple[str, ...]:
    if not isinstance(vectors, DotVectors) or not vectors.scaled:
        return ()
    rows = vectors.dot_slice(item)
    c = None if vectors.c is None else FloatBits("float32", int(vectors.c[item]))
    a, b = (Blocks(x.format, x.codes[rows], x.scales[rows]) for x in (vectors.a, vectors.b))
    try:
        return tuple(explain_dot(a, b, vectors.rule, c).to_text(110).splitlines())
    except MxError:  # a rule or format that has no explanation
        return ()


# ---------------------------------------------------------------------------------------------------------
# JUnit
# ---------------------------------------------------------------------------------------------------------


def to_junit(report: Report) -> bytes:
    """Return the report as JUnit XML: a suite a configuration, a case a stimulus class, and one for the protocol."""
    top = ElementTree.Element("testsuites", name=f"mxref {report.design}")
    for finding in report.findings:
        wrong_classes = sum(each.wrong > 0 for each in finding.classes)
        suite = ElementTree.SubElement(
            top, "testsuite", name=f"{report.design} {finding.name}", tests=str(len(finding.classes) + 1),
            failures=str(wrong_classes + (not _is_complete(finding))), errors="0", time=f"{finding.seconds:.3f}",
        )  # fmt: skip
        place = f"{report.design}.{finding.name}"
        causes = "; ".join(f"{each.name}: {each.description}" for each in finding.causes)
        for each in finding.classes:
            case = ElementTree.SubElement(suite, "testcase", classname=place, name=each.name)
            if each.wrong:
                message = f"{each.wrong} of {each.vectors} vectors are wrong"
                failure = ElementTree.SubElement(case, "failure", message=message, type="mismatch")
                lines = [line for example in finding.examples if example.stimulus_class == each.name
                         for line in (f"vector {example.vector}", *example.lines)]  # fmt: skip
                failure.text = _printable("\n".join([f"likely causes: {causes or 'none found'}", *lines]))
        case = ElementTree.SubElement(suite, "testcase", classname=place, name="handshake")
        if not _is_complete(finding):
            message = f"{finding.compared} of {finding.vectors} vectors compared"
            failure = ElementTree.SubElement(case, "failure", message=message, type="protocol")
            failure.text = _printable("\n".join(finding.failures))
    ElementTree.indent(top)
    return bytes(ElementTree.tostring(top, "utf-8", xml_declaration=True)) + b"\n"


def _is_complete(finding: Finding) -> bool:
    return not finding.failures and finding.compared == finding.vectors


def _printable(text: str) -> str:
    """Return text without the control characters that XML has no form for."""
    return "".join(each for each in text if each.isprintable() or each == "\n")
