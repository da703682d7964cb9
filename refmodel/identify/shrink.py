"""From an input on which a rule is wrong to one with the fewest non-zero elements."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate import AccumulationRule
from refmodel.identify.evaluate import one_nan, predicted
from refmodel.identify.probes import Probes

Found = tuple[Probes, NDArray[np.uint32], NDArray[np.int64]]
Answers = list[NDArray[np.uint32]]

_STEPS = 40


@dataclass(frozen=True, slots=True)
class Shrunk:
    """An input, its number of elements that are not zero, the two answers, and how many inputs were asked for it."""

    probe: Probes
    nonzero: int
    answered: int
    expected: int
    asked: int


def smaller(rule: AccumulationRule, wrong: Sequence[Found]) -> Generator[list[Probes], Answers, Shrunk]:
    """Take elements away as long as *rule* stays wrong, all ways to take away a stretch asked at once.

    Args:
        rule: The rule.
        wrong: Probes, answers, and the rows of those that differ from what the rule gives; not empty.
    """
    singles = [(probes.take([row]), int(bits[row])) for probes, bits, rows in wrong for row in rows]
    probe, answered = min(singles, key=lambda each: _size(each[0]))
    asked = 0
    fine = False
    for _ in range(_STEPS):
        tries = _reduced(probe, fine)
        if not len(tries):
            break
        (bits,) = yield [tries]
        asked += len(tries)
        bits = one_nan(bits)
        still = np.flatnonzero(predicted(rule, tries) != bits).tolist()
        if not still:
            if fine:
                break
            fine = True
            continue
        best = min(still, key=lambda row: _size(tries.take([row])))
        probe, answered = tries.take([best]), int(bits[best])
    return Shrunk(probe, _nonzero(probe), answered, int(predicted(rule, probe)[0]), asked)


def _nonzero(probe: Probes) -> int:
    return int(np.count_nonzero(probe.a[0] | probe.b[0]))


def _size(probe: Probes) -> tuple[int, int, int]:
    """Elements that are not zero, whether c is not, and the block scales that are not that of 1."""
    scales = 0
    if probe.a_scales is not None and probe.b_scales is not None and probe.interface.scale is not None:
        one = probe.interface.scale.bias << probe.interface.scale.mantissa_bits
        scales = int(np.count_nonzero(probe.a_scales != one) + np.count_nonzero(probe.b_scales != one))
    return _nonzero(probe), int(probe.c[0] != 0), scales


def _reduced(probe: Probes, fine: bool) -> Probes:
    """Return the probe without each half, quarter, ... of its elements, without c, and with scales of 1.

    Down to single elements if *fine* or if they are few, else to a sixteenth.
    """
    places = np.flatnonzero(probe.a[0] | probe.b[0])
    stretches: list[NDArray[np.int64]] = []
    step = len(places)
    least = 1 if fine else max(1, step // 16)
    while step >= least:
        stretches += [places[i : i + step] for i in range(0, len(places), step)]
        step //= 2
    scaled = probe.a_scales is not None
    n = len(stretches) + 1 + scaled
    tries = probe.take([0] * n)
    a, b, c = tries.a.copy(), tries.b.copy(), tries.c.copy()
    for row, stretch in enumerate(stretches):
        a[row, stretch] = b[row, stretch] = 0
    c[len(stretches)] = 0
    a_scales, b_scales = tries.a_scales, tries.b_scales
    if a_scales is not None and b_scales is not None and probe.interface.scale is not None:
        one = probe.interface.scale.bias << probe.interface.scale.mantissa_bits
        a_scales, b_scales = a_scales.copy(), b_scales.copy()
        a_scales[-1], b_scales[-1] = one, one
    reduced = replace(tries, a=a, b=b, c=c, a_scales=a_scales, b_scales=b_scales, names=("shrunk",) * n)
    size = _size(probe)
    return reduced.take([row for row in range(n) if _size(reduced.take([row])) < size])
