"""Replaying recordings through the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate import AccumulationRule, get_rule
from refmodel.dot import dot
from refmodel.formats import E8M0
from refmodel.operands import OPERAND_FORMATS
from silicon.cases import Cases
from silicon.recordings import Recording


@dataclass(slots=True)
class Outcome:
    """What a comparison found: outputs, how many are finite and how many differ, time, first."""

    outputs: int = 0
    finite: int = 0
    mismatches: int = 0
    seconds: float = 0.0
    first: str = ""

    def add(self, other: Outcome) -> None:
        """Count *other*, too."""
        self.outputs += other.outputs
        self.finite += other.finite
        self.mismatches += other.mismatches
        self.seconds += other.seconds
        self.first = self.first or other.first


def replay(recording: Recording, rule: AccumulationRule | None = None) -> Outcome:
    """Compare the model, under *rule* or that of the recording, with what was recorded, bit for bit."""
    rule = get_rule(recording.rule) if rule is None else rule
    start = perf_counter()
    model = model_bits(recording, rule)
    seconds = perf_counter() - start
    wrong = np.flatnonzero(model != recording.d)
    first = ""
    if len(wrong):
        i = wrong[0]
        first = f"{recording.name}, output {i}: recorded {recording.d[i]:#010x}, model {model[i]:#010x}"
    finite = int(np.count_nonzero(recording.d << 1 < 0xFF000000))
    return Outcome(len(model), finite, len(wrong), seconds, first)


def model_bits(recording: Recording, rule: AccumulationRule) -> NDArray[np.uint32]:
    """Return the Float32 bits of the model's results."""
    cases = Cases(
        OPERAND_FORMATS[recording.element_a],
        OPERAND_FORMATS[recording.element_b],
        recording.a,
        recording.b,
        recording.c,
        E8M0 if recording.scales_a is not None else None,
        32 if recording.scales_a is not None else 0,
        recording.scales_a,
        recording.scales_b,
    )
    return dot(*cases.operands(), rule, recording.c.view(np.float32)).view(np.uint32)


def replay_all(recordings: Iterable[Recording]) -> dict[tuple[str, str], Outcome]:
    """Return what was found for each machine and rule."""
    outcomes: dict[tuple[str, str], Outcome] = {}
    for recording in recordings:
        outcomes.setdefault((recording.machine, recording.rule), Outcome()).add(replay(recording))
    return outcomes


def wrong_rules(rule: AccumulationRule) -> Iterator[tuple[str, AccumulationRule]]:
    """Yield rules that differ from *rule*, one that aligns, in one respect each."""
    assert rule.align_bits is not None
    yield (
        f"{rule.align_bits - 1} fraction bits, not {rule.align_bits}",
        replace(rule, align_bits=rule.align_bits - 1),
    )
    yield (
        f"{rule.align_bits + 1} fraction bits, not {rule.align_bits}",
        replace(rule, align_bits=rule.align_bits + 1),
    )
    yield "alignment to nearest even, not toward zero", replace(rule, align_round="RNE")
    yield "alignment toward -inf, not toward zero", replace(rule, align_round="RD")
    yield "result to nearest even, not toward zero", replace(rule, acc_round="RNE")
    yield "result of 23 fraction bits, not 13", replace(rule, acc_format="fp32")
    if isinstance(rule.group_size, int):
        yield (
            f"groups of {2 * rule.group_size}, not {rule.group_size}",
            replace(rule, group_size=2 * rule.group_size),
        )
