"""The stimulus classes, and how many dot products of a set each of them gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from refmodel.accumulate import AccumulationRule
from refmodel.vectors import alignment, codes, initial, sampled, sequence, sums
from refmodel.vectors.stimulus import Generator


@dataclass(frozen=True, slots=True)
class StimulusClass:
    """A named generator of dot products with a purpose.

    Attributes:
        name: Name in manifests, tables and coverage.
        description: What it provokes, in a sentence.
        generate: The generator; a pure function of its request.
        single_percent: Share of a single-block set; 0 leaves the class out.
        multi_percent: Share of a multi-block set; 0 leaves the class out.
        minimum: Dot products at least, however small the set.
        only_for: None for every set; ``initial values`` for sets that have some; ``order`` for rules whose
            bits depend on more than exact sums of blocks. Such classes take their percentage first, and the
            others share what that leaves.

    A class whose share is smaller than what it has to say gives its core and a random choice of the rest.
    """

    name: str
    description: str
    generate: Generator
    single_percent: int
    multi_percent: int
    minimum: int
    only_for: Literal["initial values", "order"] | None = None


SCALES = "scales"
"""The class that is left out when operands have no block scales."""

TENSOR = "tensor"
"""The class that is left out when there are no tensors."""

FILLER = "random"
"""The class that brings a set up to its count, whatever the others gave."""

ALL_PAIRS = "exhaustive"
"""The class of pairs of element codes."""

STIMULUS_CLASSES: tuple[StimulusClass, ...] = (
    StimulusClass(
        ALL_PAIRS,
        "every pair of element codes alone in a lane that rotates; at least every code against 1.0",
        codes.exhaustive,
        single_percent=40,
        multi_percent=10,
        minimum=0,
    ),
    StimulusClass(
        "specials",
        "NaN, Inf, zeros, subnormals and extremes crossed, at the edges of the adder tree",
        codes.specials,
        single_percent=7,
        multi_percent=5,
        minimum=32,
    ),
    StimulusClass(
        SCALES,
        "edge scales 0x00 to 0xFF crossed, and scale sums at the ends of the exponent range",
        codes.scales,
        single_percent=5,
        multi_percent=4,
        minimum=80,
    ),
    StimulusClass(
        "crosses",
        "every kind of element beside every other and under every edge scale, edge scales crossed, in any set",
        codes.crosses,
        single_percent=1,
        multi_percent=1,
        minimum=0,
    ),
    StimulusClass(
        "cancellation",
        "products that cancel to zero or to one last unit at every depth, negative zeros, negative sums",
        sums.cancellation,
        single_percent=4,
        multi_percent=3,
        minimum=32,
    ),
    StimulusClass(
        "ties",
        "sums on, just above and just below a tie of the final rounding, carries, single sticky bits",
        sums.ties,
        single_percent=8,
        multi_percent=6,
        minimum=48,
    ),
    StimulusClass(
        "range",
        "results around the largest and smallest numbers, overflow to Inf, subnormals, underflow to zero",
        sums.range_ends,
        single_percent=6,
        multi_percent=4,
        minimum=0,
    ),
    StimulusClass(
        "sequence",
        "running value and next block far apart, cancelling, overflowing, tying; NaN and Inf in each place",
        sequence.sequence,
        single_percent=0,
        multi_percent=25,
        minimum=96,
    ),
    StimulusClass(
        "accumulator",
        "initial values against block sums: every distance, cancellation, ties and one bit beside them, ends "
        "of the range, NaN, Inf and zeros",
        initial.accumulator,
        single_percent=25,
        multi_percent=20,
        minimum=240,
        only_for="initial values",
    ),
    StimulusClass(
        "alignment",
        "terms just inside and outside what is kept below the largest, which is cancelled, initial or in another "
        "block; floors, accumulators, groups and orders; sums that tell machines apart",
        alignment.alignment,
        single_percent=25,
        multi_percent=25,
        minimum=160,
        only_for="order",
    ),
    StimulusClass(
        TENSOR,
        "blocks of the given tensors, rows of one with rows of the other",
        sampled.tensor,
        single_percent=20,
        multi_percent=25,
        minimum=32,
    ),
    StimulusClass(
        FILLER,
        "random codes, bands of exponents and wide-spread data, under near and far scales",
        sampled.random,
        single_percent=9,
        multi_percent=17,
        minimum=32,
    ),
)


def plan(
    count: int,
    rule: AccumulationRule | None = None,
    *,
    multi_block: bool,
    has_tensors: bool,
    has_c: bool = False,
) -> list[tuple[StimulusClass, int]]:
    """Return the classes of a set of *count* dot products and how many each is asked for.

    The filler comes last and is asked for its minimum; what the others leave is added by the caller, who
    knows how many they gave.
    """
    has = {None: True, "initial values": has_c, "order": rule is not None and depends_on_order(rule)}
    present = [each for each in STIMULUS_CLASSES if has[each.only_for]]
    special = sum(_percent(each, multi_block) for each in present if each.only_for)
    shares = []
    for stimulus_class in present:
        percent = _percent(stimulus_class, multi_block)
        if percent == 0 or (stimulus_class.name == TENSOR and not has_tensors):
            continue
        share = 0 if stimulus_class.name == FILLER else count * percent // 100
        if stimulus_class.only_for is None:
            share = share * (100 - special) // 100
        shares.append((stimulus_class, max(share, stimulus_class.minimum)))
    return shares


def depends_on_order(rule: AccumulationRule) -> bool:
    """Return whether the bits of a rule depend on more than the exact sums of blocks."""
    return rule.align_bits is not None or rule.order != "fused"


def _percent(stimulus_class: StimulusClass, multi_block: bool) -> int:
    return stimulus_class.multi_percent if multi_block else stimulus_class.single_percent
