"""Sums done in another way than the rule says: rounding, range, order, or a rule of another name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate import AccumulationRule, get_rule, list_rules
from refmodel.blocks import Blocks
from refmodel.conformance.causes.case import Case, Cause, Results
from refmodel.conformance.causes.operands import results_of
from refmodel.errors import MxError
from refmodel.vectors.dotset import DotVectors, dot_results
from refmodel.vectors.tiles import TileVectors

Change: TypeAlias = Callable[[AccumulationRule], Mapping[str, Any]]
"""The fields in which the rule of a design differs; none where it would be the same rule."""

_ROUNDINGS = ("acc_round", "group_round", "out_round")


def _by_rule(change: Change, case: Case) -> Results | None:
    vectors = case.vectors
    if not isinstance(vectors, DotVectors | TileVectors):
        return None
    fields = change(vectors.rule)
    if all(getattr(vectors.rule, name) == value for name, value in fields.items()):
        return None
    try:
        return results_of(case, vectors.a, vectors.b, rule=replace(vectors.rule, **fields))
    except MxError:  # fields that do not go together
        return None


def _named(name: str, case: Case) -> Results | None:
    vectors = case.vectors
    if not isinstance(vectors, DotVectors | TileVectors) or vectors.rule.name == name:
        return None
    rule = get_rule(name)
    if rule.result_format != vectors.rule.result_format:
        return None
    try:
        return results_of(case, vectors.a, vectors.b, rule=replace(rule, nan_pattern=vectors.rule.nan_pattern))
    except MxError:  # a rule that does not take such operands
        return None


def _rounded(mode: str, names: tuple[str, ...] = _ROUNDINGS) -> Change:
    def change(rule: AccumulationRule) -> Mapping[str, Any]:
        return {name: mode for name in names if getattr(rule, name) == "RNE"}

    return change


def _cut_in_twos_complement(rule: AccumulationRule) -> Mapping[str, Any]:
    """Unlike under the rounding of IEEE 754, a sum of zero is +0."""
    return {**_rounded("RD")(rule), "zero_sign": "always_plus"}


def _fields(**fields: Any) -> Change:
    return lambda rule: fields


def _bits(more: int) -> Change:
    return lambda rule: {} if rule.align_bits is None else {"align_bits": rule.align_bits + more}


def _without_sticky(stage: str, twos_complement: bool, case: Case) -> Results | None:
    """Of what is cut off, one bit alone is kept for the rounding: all above a tie is taken for the tie."""
    vectors = case.vectors
    if not isinstance(vectors, DotVectors | TileVectors):
        return None
    rule = vectors.rule
    if rule.order != "fused" or rule.align_bits is not None or rule.stage2 is not None or rule.out_format is not None:
        return None
    if getattr(rule, stage) != "RNE" or rule.acc_format != "fp32":
        return None
    if rule.group_size == "all" and stage == "acc_round":
        results = (results_of(case, vectors.a, vectors.b, rule=each)["result"] for each in _modes(rule, stage))
        return {"result": _one_bit_kept(results, twos_complement)}
    if rule.group_size != "block" or not isinstance(vectors, DotVectors):
        return None
    if stage == "group_round":
        sums = replace(rule, group_round=None, scale_apply="fused_exact")
        return {"result": _by_block(vectors, _modes(sums, "acc_round"), twos_complement, vectors.rule)[:, None]}
    return {"result": _by_block(vectors, _modes(rule, stage), twos_complement)[:, None]}


def _modes(rule: AccumulationRule, stage: str) -> list[AccumulationRule]:
    """Return the rule as it is, and with that rounding cut off and rounded down."""
    return [replace(rule, **{stage: mode}) for mode in ("RNE", "RZ", "RD")]  # type: ignore[arg-type]


def _one_bit_kept(results: Iterable[NDArray[Any]], twos_complement: bool) -> NDArray[Any]:
    """Return the results of a rounding to nearest even that sees one bit of what is cut off, from those of `_modes`.

    From an even number on nothing is above a tie, and ties go back to it. In two's complement the cut is downward:
    the magnitude of a negative sum is a tie already where anything is cut off, and from an odd number on goes up.
    """
    nearest, cut, down = results
    is_odd = (cut & 1).astype(bool)
    result = np.where(is_odd, nearest, cut)
    if not twos_complement:
        return result
    is_negative = (cut >> cut.dtype.type(8 * cut.itemsize - 1)).astype(bool)
    return np.where(is_negative, np.where(is_odd, down, nearest), result)


def _by_block(
    vectors: DotVectors, modes: Sequence[AccumulationRule], twos_complement: bool, adder: AccumulationRule | None = None
) -> NDArray[Any]:
    """Return the results of dot products summed block by block, the rounding of every block seeing one bit.

    With an *adder* the sum of the block alone is rounded so, and added to the running value in Float32.
    """
    starts, lengths = vectors.bounds[:-1], np.diff(vectors.bounds)
    running = np.zeros(vectors.dots, vectors.results.dtype)
    if vectors.c is not None:
        running = vectors.c.copy()
    for place in range(int(lengths.max())):
        chosen = np.flatnonzero(lengths > place)
        blocks = starts[chosen] + place
        a, b = (Blocks(x.format, x.codes[blocks], x.scales[blocks]) for x in (vectors.a, vectors.b))
        c = running[chosen] if adder is None else None
        last = np.ones(chosen.size, np.bool_)
        rounded = _one_bit_kept((dot_results(a, b, last, mode, c) for mode in modes), twos_complement)
        if adder is not None:
            with np.errstate(all="ignore"):
                total = running[chosen].view(np.float32) + rounded.view(np.float32)
            rounded = np.where(np.isnan(total), np.uint32(adder.nan_pattern), total.view(np.uint32))
        running[chosen] = rounded
    return running


def _cause(name: str, description: str, change: Change) -> Cause:
    return Cause(name, description, partial(_by_rule, change))


SUM_CAUSES: tuple[Cause, ...] = (
    *(
        Cause(f"{name}sticky-lost{suffix}", text.format(what), partial(_without_sticky, stage, twos), ("MX-4.1-g",))
        for stage, name, what in (("acc_round", "", "a result"), ("group_round", "block-sums-", "the sum of a block"))
        for twos, suffix, text in (
            (False, "", "The sticky bit is lost: where {} is rounded, what is above a tie is taken for the tie."),
            (True, "-negative", "The sticky bit is lost in two's complement: below a tie where {} is negative, too."),
        )
    ),
    _cause("ties-away", "Ties are rounded away from zero, not to even.", _rounded("RNA")),
    _cause("truncated", "Results are cut off, not rounded.", _rounded("RZ")),
    _cause("rounded-down", "Results are rounded down: sums in two's complement are cut off.", _cut_in_twos_complement),
    _cause("rounded-up", "Results are rounded up.", _rounded("RU")),
    _cause("block-sums-truncated", "The sums of blocks are cut off, not rounded.", _rounded("RZ", ("group_round",))),
    _cause(
        "block-sums-ties-away", "Ties of the sums of blocks are rounded away from zero.",
        _rounded("RNA", ("group_round",)),
    ),
    _cause("additions-truncated", "The running value is cut off, not rounded.", _rounded("RZ", ("acc_round",))),
    _cause(
        "additions-ties-away", "Ties of the running value are rounded away from zero.", _rounded("RNA", ("acc_round",))
    ),
    _cause("block-sums-not-rounded", "The sums of blocks are not rounded.", _fields(group_round=None)),
    _cause("overflow-saturates", "Sums beyond the range are the largest number.", _fields(overflow="saturate")),
    _cause("roundings-flushed", "Whatever is subnormal after a rounding becomes zero.", _fields(ftz=True)),
    _cause("one-bit-fewer", "One bit fewer is kept in the alignment.", _bits(-1)),
    _cause("one-bit-more", "One bit more is kept in the alignment.", _bits(1)),
    _cause("alignment-rounded-down", "Aligned terms are rounded down, not cut off.", _fields(align_round="RD")),
    _cause("alignment-cut-off", "Aligned terms are cut off.", _fields(align_round="RZ")),
    _cause("alignment-jammed", "Bits lost in the alignment set the last one kept.", _fields(align_round="RTO")),
    _cause("running-value-added-later", "The running value is no aligned term.", _fields(acc_in_align=False)),
    _cause("running-value-aligned", "The running value is an aligned term.", _fields(acc_in_align=True)),
    *(
        _cause(f"groups-of-{size}", f"{size} elements are added at a time.", _fields(group_size=size))
        for size in (4, 8, 16, 32, 64)
    ),
    *(
        Cause(f"rule-{name}", f"The results are those of rule {name}.", partial(_named, name))
        for name in list_rules()
    ),
)  # fmt: skip
"""What can be wrong with a sum, the most specific first."""
