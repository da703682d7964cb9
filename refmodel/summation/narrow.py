"""Groups of narrow elements aligned with the running value, in few operations: T-FDPA and ST-FDPA of FP8, FP6, FP4.

Same bits as `refmodel.summation.aligned`, which makes an exponent for each product and rounds in general. Here

* the largest exponent E of a group comes from sums: where a product of exponent s has the weight 2**(8 s), the
  weights of up to 64 products add up to something from 2**(8 E) up to 2**(8 E + 6), and matrices of weights are
  multiplied by BLAS. For rows with rows, products and exponents are looked up for the pair of codes;
* terms are Float32 where the sum of a group has at most 24 bits: then that is exact in any order;
* every number is zero or normal in Float32, so that rounding toward zero clears low bits. `Plan.evaluate` makes sure of
  that first, and returns None where it is not so, or an operand is not finite: the general way is taken then.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate.rule import AccumulationRule
from refmodel.blocks import Blocks
from refmodel.formats import E8M0, ElementFormat, IntegerFormat
from refmodel.operands import Operand
from refmodel.summation.decoded import ZERO, element_tables
from refmodel.summation.rounder import Array

Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

_SPACING = 3
"""Weights are powers of 2**8: the logarithm of the 8."""
_MOST = 64
"""Elements of a group: so many weights add up to less than 2**7 times the largest."""
_STRETCH = 1 << 16
"""Elements of both operands decoded at a time."""
_NAN_SCALE = 0xFF


@dataclass(frozen=True, slots=True)
class _Float:
    """A float type as bits.

    Attributes:
        type, integer: The type, and the integer type of its size.
        fraction, bias: Fraction bits; bias of the exponent.
        bottom: The exponent of groups without non-zero products, below that of every other term.
        least, most: Exponents that initial values must keep to, so that all terms do.
    """

    type: Any
    integer: Any
    fraction: int
    bias: int
    bottom: int
    least: int
    most: int


_SINGLE = _Float(np.float32, np.int32, 23, 127, -60, -36, 60)
_DOUBLE = _Float(np.float64, np.int64, 52, 1023, -200, -100, 100)


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """Tables of an element format: value, and weight of the exponent, of every code; least and largest exponent."""

    values: Floats
    weights: Floats
    low: int
    high: int


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How to evaluate a rule over operands of two element formats.

    Attributes:
        rule: The rule.
        size: Elements of a group.
        float: Type of terms and running values.
        weight: Type of the sums of weights.
        a, b: The operands' formats.
        products, exponents: Of every pair of codes, those of *a* in front; `ZERO` is the exponent of zero.
        bits: Of a code of *b*.
    """

    rule: AccumulationRule
    size: int
    float: _Float
    weight: _Float
    a: _Side
    b: _Side
    products: Floats
    exponents: NDArray[np.int16]
    bits: int

    def evaluate(
        self, a: Operand, b: Operand, rows: tuple[slice, slice], columns: tuple[int, int], running: Array, outer: bool
    ) -> Array | None:
        """Return the running values after elements *columns* (first, end), or None if this way is not open."""
        if not self._keeps_to_normal_numbers(a, b, rows, columns, running):
            return None
        values: Any = running.astype(self.float.type)
        step = self.size
        if isinstance(a, Blocks):
            step = a.format.block_size
        step *= max(1, _STRETCH // (step * sum(r.stop - r.start for r in rows)))
        for first in range(*columns, step):
            part = first, min(first + step, columns[1])
            values = self._stretch(self._codes(a, rows[0], part), self._codes(b, rows[1], part),
                                   self._scales(a, b, rows, part, outer), values, outer)  # fmt: skip
        return values.astype(np.float64) if np.isfinite(values).all() else None

    def _keeps_to_normal_numbers(
        self, a: Operand, b: Operand, rows: tuple[slice, slice], columns: tuple[int, int], running: Array
    ) -> bool:
        low, high = self.a.low + self.b.low, self.a.high + self.b.high
        if isinstance(a, Blocks) and isinstance(b, Blocks):
            for operand, chosen in ((a, rows[0]), (b, rows[1])):
                size, scale = operand.format.block_size, operand.format.scale
                codes = operand.scales[chosen, columns[0] // size : -(-columns[1] // size)]
                if not codes.size or (codes == _NAN_SCALE).any():
                    return False
                low += int(codes.min()) - scale.bias
                high += int(codes.max()) - scale.bias
        assert self.rule.align_bits is not None
        bits, floor = self.rule.align_bits, self.rule.exp_floor
        length = columns[1] - columns[0]
        least = self.float.least
        if floor is not None:  # below it nothing may lie that it could cut
            least = max(least, floor - bits + 23)
        magnitude = np.abs(running)
        inside = (magnitude == 0) | ((magnitude >= 2.0**least) & (magnitude < 2.0**self.float.most))
        return (
            low - bits >= max(-126, self.float.bottom)
            and high + 3 + length.bit_length() <= 126
            and (floor is None or floor <= low)
            and bool(inside.all())
        )

    def _codes(self, operand: Operand, rows: slice, columns: tuple[int, int]) -> NDArray[Any]:
        """Codes [rows, whole groups]; +0 is filled in at the end."""
        if isinstance(operand, Blocks):
            size = operand.format.block_size
            codes = operand.codes[rows, columns[0] // size : -(-columns[1] // size)]
            codes = codes.reshape(len(codes), -1)
        else:
            codes = operand.codes[rows, slice(*columns)]
        missing = -codes.shape[1] % self.size
        return np.pad(codes, ((0, 0), (0, missing))) if missing else codes

    def _scales(
        self, a: Operand, b: Operand, rows: tuple[slice, slice], columns: tuple[int, int], outer: bool
    ) -> NDArray[np.int64] | None:
        """Exponents of the scales of the groups, [groups, *batch]; None without scales."""
        if not (isinstance(a, Blocks) and isinstance(b, Blocks)):
            return None
        size = a.format.block_size
        blocks = slice(columns[0] // size, -(-columns[1] // size))
        x, y = (
            np.repeat(operand.scales[chosen, blocks].T.astype(np.int64) - operand.format.scale.bias,
                      size // self.size, axis=0)
            for operand, chosen in ((a, rows[0]), (b, rows[1]))
        )  # fmt: skip
        return x[:, :, None] + y[:, None, :] if outer else x + y

    def _stretch(
        self, a: NDArray[Any], b: NDArray[Any], scales: NDArray[np.int64] | None, running: Any, outer: bool
    ) -> Any:
        """Return the running values after codes [rows, K] of whole groups."""
        kind, groups = self.float, a.shape[1] // self.size
        if outer:
            positions = [codes.T.astype(np.intp, order="C") for codes in (a, b)]
            x, y = (
                side.values.take(at, mode="wrap").reshape(groups, self.size, -1)
                for side, at in zip((self.a, self.b), positions, strict=True)
            )
            exponents = self._largest_by_weight(positions[0], positions[1], groups)
            terms = np.empty((self.size, *running.shape), kind.type)
        else:
            pairs = _interleaved(((a.astype(np.uint16) << self.bits) | b), self.size)
            products = self.products.take(pairs, mode="wrap").reshape(groups, -1, pairs.shape[1])
            each = self.exponents.take(pairs, mode="wrap").reshape(groups, -1, pairs.shape[1])
            exponents = _joined(np.maximum, each.max(axis=1), len(a)).astype(kind.integer)
        if scales is not None:
            exponents += scales
        exponents = np.maximum(exponents, kind.bottom)
        fields = (exponents + kind.bias).astype(kind.integer) << kind.fraction
        for group in range(groups):
            shift = None if scales is None else scales[group] << kind.fraction
            if outer:
                np.multiply(x[group][:, :, None], y[group][:, None, :], out=terms)
            else:
                terms = products[group]
            running = self._group(terms, fields[group], shift, running)
        return running

    def _largest_by_weight(self, a: NDArray[np.intp], b: NDArray[np.intp], groups: int) -> NDArray[Any]:
        """The largest sum of exponents of each group of non-zero products, `ZERO` without, [groups, m, n]."""
        kind = self.weight
        x, y = (
            side.weights.take(at, mode="wrap").reshape(groups, self.size, -1)
            for side, at in zip((self.a, self.b), (a, b), strict=True)
        )
        sums = np.matmul(x.transpose(0, 2, 1), y)
        exponents: NDArray[Any] = sums.view(kind.integer) >> (kind.fraction + _SPACING)
        exponents += self.a.low + self.b.low - (_first_field(kind) >> _SPACING)
        if not sums.all():
            exponents[sums == 0] = ZERO
        return exponents

    def _group(self, terms: Any, fields: Any, shift: Any, running: Any) -> Any:
        """Return the running values after one group.

        Args:
            terms: Products [size, *batch], or [size / 4, rows * 4] as of `_interleaved`, unscaled; overwritten.
            fields: Largest exponents of the products, as fields of a float [*batch].
            shift: Exponents of the scales, as fields.
            running: Running values [*batch].
        """
        kind = self.float
        assert self.rule.align_bits is not None
        fields = np.maximum(fields, running.view(kind.integer) & kind.integer((2 * kind.bias + 1) << kind.fraction))
        fields -= kind.integer(self.rule.align_bits << kind.fraction)  # of 2**(E - F)
        unit_fields = kind.integer((2 * kind.bias) << kind.fraction) - fields
        unit = unit_fields.view(kind.type)  # 2**(F - E)
        factor = unit if shift is None else (unit_fields + shift).view(kind.type)
        lanes = terms[0].size // factor.size
        np.multiply(terms, factor if lanes == 1 else np.repeat(factor, lanes), out=terms)
        total = np.add.reduce(np.trunc(terms, out=terms), axis=0)
        if lanes > 1:
            total = _joined(np.add, total, len(running))
        kept = running * unit
        total += np.trunc(kept, out=kept)
        total *= fields.view(kind.type)
        fraction = 13 if self.rule.acc_format == "e8m13" else 23
        bits = total.view(kind.integer)
        bits &= kind.integer(-1 << (kind.fraction - fraction))
        total += kind.type(0)  # makes +0 of the -0 that numpy 1 adds up from nothing but -0
        return total


def _interleaved(pairs: NDArray[np.uint16], size: int) -> NDArray[np.intp]:
    """Return codes [rows, K] as [K / 4, rows * 4], four neighbours together; as [K, rows] if groups forbid that.

    Moving eight bytes at a time takes a fraction of the time of moving two.
    """
    if size % 4 or not pairs.size:
        return pairs.T.astype(np.intp, order="C")
    fours = np.ascontiguousarray(np.ascontiguousarray(pairs).view(np.uint64).T)
    return fours.view(np.uint16).astype(np.intp)


def _joined(operation: np.ufunc, values: Any, rows: int) -> Any:
    """Reduce [..., rows * 4] over the neighbours that `_interleaved` put together; [..., rows] is left alone."""
    if values.shape[-1] == rows:
        return values
    parts = values.reshape(*values.shape[:-1], rows, -1)
    return operation(operation(parts[..., 0], parts[..., 1]), operation(parts[..., 2], parts[..., 3]))


def _first_field(kind: _Float) -> int:
    """The exponent field of the least sum of weights: a multiple of 8, or one more, as 7 fields stay below the next."""
    return 1 if kind is _SINGLE else 1024


def narrow_plan(rule: AccumulationRule, a: Operand, b: Operand) -> Plan | None:
    """Return the plan for such a rule and such operands, None if it is not for them."""
    formats = [(each.format.scale, each.format.block_size) for each in (a, b) if isinstance(each, Blocks)]
    if any(scale != E8M0 for scale, _ in formats):
        return None
    size = rule.group_size if isinstance(rule.group_size, int) else 0
    if rule.group_size == "block" and formats:
        size = formats[0][1]
    if not 1 <= size <= _MOST or any(block % size for _, block in formats):
        return None
    elements = [each.format.element if isinstance(each, Blocks) else each.format for each in (a, b)]
    return _plan(rule, elements[0], elements[1], size)


@lru_cache(maxsize=64)
def _plan(rule: AccumulationRule, a: ElementFormat, b: ElementFormat, size: int) -> Plan | None:
    fits = (
        rule.align_bits is not None
        and rule.align_round == rule.acc_round == "RZ"
        and rule.acc_in_align
        and rule.term_exponent in ("clamped_sum", "normalised_inputs")
        and rule.acc_format in ("fp32", "e8m13")
        and rule.scale_apply in ("product_exponent", "epilogue_tensor")
        and rule.overflow == "inf"
        and rule.zero_sign == "always_plus"
        and not (rule.ftz or rule.daz or rule.input_drop_bits or rule.input_emin)
    )
    if not fits or any(isinstance(each, IntegerFormat) or each.bits > 8 for each in (a, b)):
        return None
    assert rule.align_bits is not None
    normalised = rule.term_exponent == "normalised_inputs"
    tables = [element_tables(each, normalised=normalised) for each in (a, b)]
    spans = [(int(e[e > ZERO].min()), int(e.max())) for _, e in tables]
    narrow = rule.align_bits + 2 + (size + 1).bit_length() <= 24 and rule.scale_apply == "epilogue_tensor"
    kind = _SINGLE if narrow else _DOUBLE
    width = sum(high - low for low, high in spans) << _SPACING
    weight = _SINGLE if width + 8 <= 253 else _DOUBLE
    first = _first_field(weight) - weight.bias  # exponent of the least product of weights
    sides = []
    for (values, exponents), (low, high), start in zip(tables, spans, (first // 2, first - first // 2), strict=True):
        powers = np.where(exponents == ZERO, 0.0, 2.0 ** (8.0 * (exponents - low) + start))
        sides.append(_Side(values.astype(kind.type), powers.astype(weight.type), low, high))
    with np.errstate(invalid="ignore"):  # Inf * 0
        products = np.multiply.outer(tables[0][0], tables[1][0]).ravel().astype(kind.type)
    sums = np.add.outer(tables[0][1], tables[1][1]).ravel()
    sums = np.where(products == 0, ZERO, np.maximum(sums, ZERO)).astype(np.int16)
    return Plan(rule, size, kind, weight, sides[0], sides[1], products, sums, b.bits)
