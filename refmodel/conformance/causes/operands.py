"""Operands read wrongly: scales, elements, their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from refmodel.blocks import Blocks
from refmodel.conformance.causes.case import Case, Cause, Results
from refmodel.formats import E4M3FNUZ, E5M2FNUZ, FloatFormat, IntegerFormat
from refmodel.vectors.construct import one_code
from refmodel.vectors.conversions import DequantizeVectors, dequantize_results
from refmodel.vectors.dotset import DotVectors, dot_results
from refmodel.vectors.tiles import TileVectors, tile_results

Change: TypeAlias = Callable[[Blocks], Blocks | None]
"""What a design takes blocks for; None where it would take them for what they are."""


def results_of(case: Case, a: Blocks, b: Blocks, **changed: Any) -> Results:
    """Return the results of dot products or tiles with other operands, and what else is *changed*."""
    vectors = case.vectors
    assert isinstance(vectors, DotVectors | TileVectors), "conversions have one operand"
    compute = dot_results if isinstance(vectors, DotVectors) else tile_results
    call = {"last": vectors.last, "rule": vectors.rule, "c": vectors.c, "scaled": vectors.scaled, **changed}
    results = compute(a, b, **call)
    return {"result": results.reshape(len(results), -1)}


def _both(change: Change, case: Case) -> Results | None:
    vectors = case.vectors
    if isinstance(vectors, DequantizeVectors):
        blocks = change(Blocks(vectors.format, vectors.elements, vectors.scales))
        return None if blocks is None else {"values": dequantize_results(blocks)}
    if not isinstance(vectors, DotVectors | TileVectors):
        return None
    a, b = change(vectors.a), change(vectors.b)
    if a is None and b is None:
        return None
    return results_of(case, vectors.a if a is None else a, vectors.b if b is None else b)


def _one(change: Change, side: str, case: Case) -> Results | None:
    """Where the change would not touch the other operand, this is what `_both` says."""
    vectors = case.vectors
    if not isinstance(vectors, DotVectors | TileVectors):
        return None
    a, b = change(vectors.a), change(vectors.b)
    if a is None or b is None:
        return None
    return results_of(case, a, vectors.b) if side == "a" else results_of(case, vectors.a, b)


def _of_operands(name: str, description: str, change: Change, clauses: tuple[str, ...] = ()) -> list[Cause]:
    """Return the cause for both operands, and for either alone."""
    return [
        Cause(name, f"{description}.", partial(_both, change), clauses),
        Cause(f"{name}-a", f"{description}, of A only.", partial(_one, change, "a"), clauses),
        Cause(f"{name}-b", f"{description}, of B only.", partial(_one, change, "b"), clauses),
    ]


# ---------------------------------------------------------------------------------------------------------
# Formats and codes
# ---------------------------------------------------------------------------------------------------------


def with_codes(blocks: Blocks, codes: NDArray[Any], scales: NDArray[Any] | None = None) -> Blocks:
    """Return blocks of other codes."""
    scales = blocks.scales if scales is None else scales
    return Blocks(blocks.format, codes.astype(np.uint8), scales.astype(np.uint8), tensor_scale=blocks.tensor_scale)


def with_scale_format(blocks: Blocks, **fields: Any) -> Blocks:
    """Return the codes under a scale format that differs in some fields."""
    scale = replace(blocks.format.scale, **fields)
    return Blocks(replace(blocks.format, scale=scale), blocks.codes, blocks.scales, tensor_scale=blocks.tensor_scale)


def _with_element(blocks: Blocks, **fields: Any) -> Blocks:
    element = replace(blocks.format.element, **fields)
    return Blocks(
        replace(blocks.format, element=element), blocks.codes, blocks.scales, tensor_scale=blocks.tensor_scale
    )


def _special(kind: str, names: Iterable[str]) -> Change:
    """Elements of those names take other codes for NaN and infinities."""

    def change(blocks: Blocks) -> Blocks | None:
        element = blocks.format.element
        if element.name not in names or not isinstance(element, FloatFormat) or element.specials == kind:
            return None
        return _with_element(blocks, specials=kind)

    return change


def _fnuz(blocks: Blocks) -> Blocks | None:
    other = {"e4m3": E4M3FNUZ, "e5m2": E5M2FNUZ}.get(blocks.format.element.name)
    return None if other is None else _with_element(blocks, specials=other.specials, bias=other.bias)


def _without_subnormals(blocks: Blocks) -> Blocks | None:
    element = blocks.format.element
    if not isinstance(element, FloatFormat):
        return None
    is_subnormal = (blocks.codes & element.magnitude_mask) < 1 << element.mantissa_bits
    return with_codes(blocks, np.where(is_subnormal, blocks.codes & element.sign_mask, blocks.codes))


def _hidden_one(blocks: Blocks) -> Blocks | None:
    is_float = isinstance(blocks.format.element, FloatFormat)
    return _with_element(blocks, subnormals=False) if is_float else None


def _integer(fraction_bits: int) -> Change:
    def change(blocks: Blocks) -> Blocks | None:
        element = blocks.format.element
        if not isinstance(element, IntegerFormat) or element.fraction_bits == fraction_bits:
            return None
        return _with_element(blocks, fraction_bits=fraction_bits)

    return change


def _integer_codes(function: Callable[[NDArray[np.int64], IntegerFormat], NDArray[np.int64]]) -> Change:
    def change(blocks: Blocks) -> Blocks | None:
        element = blocks.format.element
        if not isinstance(element, IntegerFormat):
            return None
        return with_codes(blocks, function(blocks.codes.astype(np.int64), element) & ((1 << element.bits) - 1))

    return change


def _as_magnitudes(codes: NDArray[np.int64], fmt: IntegerFormat) -> NDArray[np.int64]:
    return np.where(codes & fmt.min_code, -(codes & fmt.max_code), codes)


def _clamped(codes: NDArray[np.int64], fmt: IntegerFormat) -> NDArray[np.int64]:
    return np.where(codes == fmt.min_code, fmt.min_code + 1, codes)


# ---------------------------------------------------------------------------------------------------------
# Scales
# ---------------------------------------------------------------------------------------------------------


def _scaled(change: Change) -> Change:
    """Of operands that have scales only: elements without have the scale one in every block."""

    def changed(blocks: Blocks) -> Blocks | None:
        has_scales = blocks.format.name != blocks.format.element.name
        return change(blocks) if has_scales else None

    return changed


def _nan_scale_as_number(blocks: Blocks) -> Blocks | None:
    return None if blocks.format.scale.specials == "none" else with_scale_format(blocks, specials="none")


def _zero_scale(blocks: Blocks) -> Blocks | None:
    return None if blocks.format.scale.subnormals else with_scale_format(blocks, subnormals=True)


def _lowest_scale_doubled(blocks: Blocks) -> Blocks | None:
    if blocks.format.scale.subnormals:
        return None
    return with_codes(blocks, blocks.codes, np.maximum(blocks.scales, 1))


def _signed_scale(blocks: Blocks) -> Blocks | None:
    """Two's complement without a bias: 0x80 is 2**-128."""
    scale = blocks.format.scale
    if scale.subnormals:
        return None
    middle = 1 << scale.bits - 1
    moved = with_codes(blocks, blocks.codes, blocks.scales ^ np.uint8(middle))
    return with_scale_format(moved, bias=middle, specials="none")


def scale_times(power: int) -> Change:
    """Scales are taken for 2**power of what they are."""
    return _scaled(lambda blocks: with_scale_format(blocks, bias=blocks.format.scale.bias - power))


def _of_a(change: Change) -> Callable[[Case], Results | None]:
    """A changed as a whole: a factor of the product is the same on either side."""

    def predict(case: Case) -> Results | None:
        vectors = case.vectors
        if isinstance(vectors, DequantizeVectors):
            return _both(change, case)
        if not isinstance(vectors, DotVectors | TileVectors):
            return None
        a = change(vectors.a)
        return None if a is None else results_of(case, a, vectors.b)

    return predict


def _unbiased(factor: int) -> Change:
    """The bias of E8M0 counted *factor* times."""
    return _scaled(
        lambda blocks: None
        if blocks.format.scale.subnormals
        else with_scale_format(blocks, bias=factor * blocks.format.scale.bias)
    )


def _neither_bias(case: Case) -> Results | None:
    change = _unbiased(0)
    return None if isinstance(case.vectors, DequantizeVectors) else _both(change, case)


def _one_scale(blocks: Blocks) -> Blocks | None:
    return with_codes(blocks, blocks.codes, np.full_like(blocks.scales, one_code(blocks.format.scale)))


def _scale_for_both(side: str, case: Case) -> Results | None:
    vectors = case.vectors
    if not isinstance(vectors, DotVectors) or not vectors.scaled:
        return None
    scales = vectors.a.scales if side == "a" else vectors.b.scales
    return results_of(case, *(with_codes(x, x.codes, scales) for x in (vectors.a, vectors.b)))


# ---------------------------------------------------------------------------------------------------------
# Order and number
# ---------------------------------------------------------------------------------------------------------


def _lanes(function: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> Callable[[Case], Results | None]:
    """The lanes of A only: where both operands have them in another order, products are the same."""
    return _of_a(lambda blocks: with_codes(blocks, function(blocks.codes)))


def _reversed(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return codes[..., ::-1]


def _swapped(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return codes.reshape(*codes.shape[:-1], -1, 2)[..., ::-1].reshape(codes.shape)


def _without(lanes: slice) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    def function(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        kept = codes.copy()
        kept[..., lanes] = 0
        return kept

    return function


def _sums_only(predict: Callable[[Case], Results | None]) -> Callable[[Case], Results | None]:
    return lambda case: predict(case) if isinstance(case.vectors, DotVectors | TileVectors) else None


def _exchanged(case: Case) -> Results | None:
    vectors = case.vectors
    if not isinstance(vectors, DotVectors) or vectors.a.format == vectors.b.format:
        return None
    a, b = (
        with_codes(x, y.codes & ((1 << x.format.element.bits) - 1), y.scales)
        for x, y in ((vectors.a, vectors.b), (vectors.b, vectors.a))
    )
    return results_of(case, a, b)


def _without_c(case: Case) -> Results | None:
    vectors = case.vectors
    if not isinstance(vectors, DotVectors | TileVectors) or vectors.c is None:
        return None
    return results_of(case, vectors.a, vectors.b, c=None)


def _steps(kept: Callable[[NDArray[np.bool_]], NDArray[np.bool_]]) -> Callable[[Case], Results | None]:
    """Only those blocks of each dot product or tile that *kept* says, given the marks of the last ones."""

    def predict(case: Case) -> Results | None:
        vectors = case.vectors
        if not isinstance(vectors, DotVectors | TileVectors) or vectors.last.all():
            return None
        chosen = kept(vectors.last)
        # Where the last block is left out, the one before it is the last.
        ends = vectors.last if chosen[vectors.last].all() else vectors.last | np.append(vectors.last[1:], True)
        a, b = (
            Blocks(x.format, x.codes[chosen], x.scales[chosen], tensor_scale=x.tensor_scale)
            for x in (vectors.a, vectors.b)
        )
        return results_of(case, a, b, last=ends[chosen])

    return predict


def _not_first(last: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return last | ~_first(last)


def _not_last(last: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return ~last | _first(last)


def _first(last: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.append(True, last[:-1])


OPERAND_CAUSES: tuple[Cause, ...] = (
    *_of_operands(
        "nan-scale-ignored",
        "The NaN code of a scale is taken for the number that its fields would say, 2^128 in E8M0",
        _scaled(_nan_scale_as_number),
        ("MX-5.1-h", "MX-5.4.1-c"),
    ),
    *_of_operands(
        "scale-00-as-zero", "Scale code 0x00 is taken for zero", _scaled(_zero_scale), ("MX-5.4.1-d",)
    ),
    *_of_operands(
        "scale-00-as-2^-126", "Scale code 0x00 is taken for 2^-126", _scaled(_lowest_scale_doubled), ("MX-5.4.1-d",)
    ),
    Cause(
        "scale-bias-not-subtracted",
        "The bias of one scale stays in the exponent: 127 too much.",
        _of_a(_unbiased(0)),
        ("MX-5.4.1-b",),
    ),
    Cause(
        "scale-biases-not-subtracted",
        "The biases of both scales stay in the exponent: 254 too much.",
        _neither_bias,
        ("MX-5.4.1-b",),
    ),
    Cause(
        "scale-bias-subtracted-twice",
        "The bias of a scale is subtracted once too often.",
        _of_a(_unbiased(2)),
        ("MX-5.4.1-b",),
    ),
    *_of_operands(
        "scale-signed",
        "Scale codes are taken for exponents in two's complement without a bias",
        _scaled(_signed_scale),
        ("MX-5.4.1-a", "MX-5.4.1-b"),
    ),
    Cause("scale-b-ignored", "The scale of B is taken for 1.", _sums_only(partial(_one, _scaled(_one_scale), "b"))),
    Cause("scale-a-ignored", "The scale of A is taken for 1.", _sums_only(partial(_one, _scaled(_one_scale), "a"))),
    Cause("scales-ignored", "All scales are taken for 1.", partial(_both, _scaled(_one_scale))),
    Cause("scale-a-for-both", "The scale of A is taken for that of B, too.", partial(_scale_for_both, "a")),
    Cause("scale-b-for-both", "The scale of B is taken for that of A, too.", partial(_scale_for_both, "b")),
    *_of_operands(
        "e4m3-as-ieee",
        "E4M3 is decoded with the top exponent for Inf and NaN, as IEEE 754 formats are: the largest number is 240",
        _special("ieee", ["e4m3"]),
        ("OFP8-5.1-e", "MX-5.3.1-d"),
    ),
    *_of_operands(
        "fp8-specials-as-numbers",
        "Inf and NaN codes of FP8 are taken for numbers",
        _special("none", ["e4m3", "e5m2"]),
        ("OFP8-5.1-d", "OFP8-5.1-e", "MX-5.1-i"),
    ),
    *_of_operands(
        "fp6-fp4-with-specials",
        "The top exponent of FP6 or FP4 is taken for Inf and NaN",
        _special("ieee", ["e3m2", "e2m3", "e2m1"]),
        ("MX-5.3.2-b", "MX-5.3.3-b"),
    ),
    *_of_operands("fp8-as-fnuz", "FP8 is decoded as the FNUZ formats are, with another bias", _fnuz, ("OFP8-5.1-f",)),
    *_of_operands(
        "subnormal-elements-flushed",
        "Subnormal elements are taken for zero",
        _without_subnormals,
        ("MX-5.3-b", "OFP8-5.1-c"),
    ),
    *_of_operands(
        "subnormal-elements-hidden-one",
        "Elements with exponent field 0 are decoded with a hidden one",
        _hidden_one,
        ("MX-5.3-b",),
    ),
    *_of_operands(
        "int8-grid-factor-missing", "The factor 2^-6 of INT8 is not applied", _integer(0), ("MX-5.3.4-h",)
    ),
    *_of_operands(
        "int8-sign-magnitude",
        "INT8 is taken for sign and magnitude, not for two's complement",
        _integer_codes(_as_magnitudes),
        ("MX-5.3.4-g",),
    ),
    *_of_operands(
        "int8-80-as-81", "The most negative INT8 code is taken for its neighbour", _integer_codes(_clamped),
        ("MX-5.3.4-a",),
    ),
    Cause("lanes-reversed", "The elements of A come in the opposite order, those of B do not.", _lanes(_reversed)),
    Cause("lanes-swapped", "Neighbouring elements of A are exchanged, those of B are not.", _lanes(_swapped)),
    Cause("first-lane-missing", "Element 0 of a block does not count.", _sums_only(_lanes(_without(slice(0, 1))))),
    Cause("last-lane-missing", "The last element does not count.", _sums_only(_lanes(_without(slice(-1, None))))),
    Cause("operands-exchanged", "A is decoded in the format of B, and B in that of A.", _exchanged, ("MX-6.1-b",)),
    Cause("initial-value-ignored", "The initial value is taken for +0.", _without_c),
    Cause("only-last-block", "The sum starts again with each block.", _steps(lambda last: last), ("MX-6.2-c",)),
    Cause("first-block-missing", "The first of several blocks does not count.", _steps(_not_first), ("MX-6.2-c",)),
    Cause("last-block-missing", "The last of several blocks does not count.", _steps(_not_last), ("MX-6.2-c",)),
)  # fmt: skip
"""What can be wrong with how operands are read, the most specific first."""
