"""What is tried, against what. A claim is cut into parts; one call of `try_part` tries one of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, ClassVar, NamedTuple, Protocol

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

import refmodel as mx
from exhaustive import thresholds
from exhaustive.thresholds import StepFunction
from refmodel import oracle
from refmodel.formats import (
    BFLOAT16,
    E8M0,
    FLOAT16,
    OCP_FORMATS,
    BlockFormat,
    NumberFormat,
    get_format,
    list_formats,
)
from refmodel.options import EncodeOptions, Rounding
from refmodel.sweeps import CHUNK, IEEE_MODES, EncodeSweep, ScaleSweep, list_sweeps, overflows, tiles

FIRST_SHOWN = 3
"""Differences of one part that are described in words."""

_SIGN_CHUNKS = 128
"""Chunks of 2**24 Float32 bit patterns that have one sign."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What trying a part has shown.

    Attributes:
        inputs: Numbers converted.
        differences: Results that are not those of the reference; an input may have several results.
        examples: The first differences, in words.
        digest: SHA-256 of the codes of a published chunk, else None.
    """

    inputs: int
    differences: int
    examples: tuple[str, ...] = ()
    digest: str | None = None


class Claim(Protocol):
    """A space of inputs and a reference.

    Attributes:
        name: Unique; for a published sweep that of the sweep.
        group: Row of the final table.
        against: The reference.
        parts: How many calls of `try_part` cover the space.
        cost: Relative time of a part, for the progress bar.
    """

    @property
    def name(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def against(self) -> str: ...
    @property
    def parts(self) -> int: ...
    @property
    def cost(self) -> int: ...
    def try_part(self, part: int) -> Outcome:
        """Try all inputs of one part, 0 <= part < parts."""
        ...


@dataclass(frozen=True, slots=True)
class EncodeClaim:
    """A published sweep of `encode` equals the thresholds."""

    sweep: EncodeSweep
    cost: ClassVar[int] = 1
    against: ClassVar[str] = "thresholds"

    @property
    def name(self) -> str:
        return self.sweep.name

    @property
    def group(self) -> str:
        return f"float32 to {self.sweep.format.name}"

    @property
    def parts(self) -> int:
        return self.sweep.chunks

    def try_part(self, part: int) -> Outcome:
        options = self.sweep.options
        negative, chunk = divmod(part, _SIGN_CHUNKS)
        steps = _encode_steps(self.sweep.format, options.rounding, options.overflow, bool(negative))
        got = self.sweep.codes(part)
        examples: list[str] = []
        differences = _compare(got, steps.fill(chunk * CHUNK, CHUNK), part * CHUNK, "code", examples)
        return Outcome(CHUNK, differences, tuple(examples), hashlib.sha256(got.data).hexdigest())


@dataclass(frozen=True, slots=True)
class ScaleClaim:
    """A published sweep of block scales, and the elements of those blocks, equal the thresholds.

    Every magnitude is a block of its own. Under the rule ``floor`` its negative is, too: what a scale does
    to negative elements does not depend on how it was chosen.
    """

    sweep: ScaleSweep
    cost: ClassVar[int] = 3
    against: ClassVar[str] = "thresholds"

    @property
    def name(self) -> str:
        return self.sweep.name

    @property
    def group(self) -> str:
        return f"float32 amax, mx {self.sweep.element.name}"

    @property
    def parts(self) -> int:
        return self.sweep.chunks

    def try_part(self, part: int) -> Outcome:
        element, rule = self.sweep.element, self.sweep.options.scale_rule
        signs = (False, True) if rule == "floor" else (False,)
        published = np.empty(CHUNK, np.uint8)
        differences, examples = 0, list[str]()
        for place, bits in tiles(part):
            begin, count = part * CHUNK + place.start, bits.size
            want = _scale_steps(element, rule).fill(begin, count)
            for negative in signs:
                first = begin + negative * (1 << 31)
                scales, codes = self.sweep.quantize(bits | np.uint32(negative << 31))
                differences += _compare(scales, want, first, "scale", examples)
                want_codes = _element_steps(element, rule, negative).fill(begin, count)
                differences += _compare(codes, want_codes, first, "element", examples)
                if not negative:
                    published[place] = scales
        inputs = len(signs) * CHUNK
        return Outcome(inputs, differences, tuple(examples), hashlib.sha256(published.data).hexdigest())


class Deviation(NamedTuple):
    """Float32 bit patterns *first* to *last*, which become the code *theirs* there and *ours* here."""

    first: int
    last: int
    theirs: int
    ours: int


@dataclass(frozen=True, slots=True)
class MlDtypesClaim:
    """`encode` under rne equals ml_dtypes but for stated inputs, where each gives its stated code.

    Attributes:
        format: The format.
        options: What makes the model choose as ml_dtypes does.
        dtype: Name of the type in ml_dtypes.
        deviations: The inputs where they differ nevertheless.
    """

    format: NumberFormat
    options: EncodeOptions
    dtype: str
    deviations: tuple[Deviation, ...]
    parts: ClassVar[int] = 256
    cost: ClassVar[int] = 2

    @property
    def name(self) -> str:
        return f"ml_dtypes-{self.format.name}"

    @property
    def group(self) -> str:
        return "float32 to six formats, rne"

    @property
    def against(self) -> str:
        return f"ml_dtypes {ml_dtypes.__version__}"

    def try_part(self, part: int) -> Outcome:
        dtype = np.dtype(getattr(ml_dtypes, self.dtype))
        differences, examples = 0, list[str]()
        for place, bits in tiles(part):
            values, begin = bits.view(np.float32), part * CHUNK + place.start
            with np.errstate(all="ignore"):
                theirs = values.astype(dtype).view(np.uint8)
            for first, last, their_code, our_code in self.deviations:
                start, stop = max(first - begin, 0), min(last + 1 - begin, bits.size)
                if start < stop:
                    stated = np.full(stop - start, their_code, np.uint8)
                    what = "ml_dtypes' code"
                    differences += _compare(theirs[start:stop], stated, begin + start, what, examples)
                    theirs[start:stop] = our_code
            ours = mx.encode(self.format, values, options=self.options)
            differences += _compare(ours, theirs, begin, "code", examples)
        return Outcome(CHUNK, differences, tuple(examples))


@dataclass(frozen=True, slots=True)
class SixteenBitClaim:
    """Every Float16 or BFloat16, encoded as it is and widened to Float64, equals the oracle."""

    format: NumberFormat
    source: str
    options: EncodeOptions
    parts: ClassVar[int] = 1
    cost: ClassVar[int] = 60
    against: ClassVar[str] = "oracle"

    @property
    def name(self) -> str:
        return f"{self.source}-{self.format.name}-{self.options.rounding}-{self.options.overflow}"

    @property
    def group(self) -> str:
        return f"{self.source} to six formats"

    def try_part(self, part: int) -> Outcome:
        source = {"float16": FLOAT16, "bfloat16": BFLOAT16}[self.source]
        dtype = {"float16": np.dtype(np.float16), "bfloat16": np.dtype(ml_dtypes.bfloat16)}[self.source]
        values = np.arange(1 << 16, dtype=np.uint16).view(dtype)
        convert = partial(oracle.convert, self.format, source, options=self.options)
        want = np.array([convert(bits=bits) for bits in range(1 << 16)], np.uint8)
        differences, examples = 0, list[str]()
        with np.errstate(invalid="ignore"):  # widening a signalling NaN quietens it
            wide = values.astype(np.float64)
        for what, given in (("code", values), ("code from float64", wide)):
            got = mx.encode(self.format, given, options=self.options)
            differences += _compare(got, want, 0, what, examples)
        return Outcome(1 << 16, differences, tuple(examples))


@dataclass(frozen=True, slots=True)
class DequantizeClaim:
    """Every scale times every element code, to Float32 and Float64, equals the oracle bit for bit.

    A scale that all blocks of an array share besides is left out. In differences an input is the scale code
    times the number of element codes, plus the element code.
    """

    format: BlockFormat
    parts: ClassVar[int] = 1
    cost: ClassVar[int] = 30
    against: ClassVar[str] = "oracle"
    group: ClassVar[str] = "scales x codes, dequantized"

    @property
    def name(self) -> str:
        return f"dequantize-{self.format.name}"

    def try_part(self, part: int) -> Outcome:
        count = 1 << self.format.element.bits
        single = BlockFormat(f"single_{self.format.name}", self.format.element, self.format.scale, 1)
        scales, codes = np.divmod(np.arange(256 * count), count)
        blocks = mx.Blocks(single, codes.astype(np.uint8)[:, None], scales.astype(np.uint8))
        factors = [oracle.decode(single.scale, scale) for scale in range(256)]
        elements = [oracle.decode(single.element, code) for code in range(count)]
        exact = [oracle.exact.product(factor, element) for factor in factors for element in elements]
        differences, examples = 0, list[str]()
        got = mx.dequantize(blocks).view(np.uint32)
        want = np.array([oracle.to_float32(number) for number in exact], np.uint32)
        differences += _compare(got, want, 0, "float32", examples)
        got = mx.dequantize(blocks, np.float64)
        doubles = np.array([oracle.to_float(number) for number in exact])
        differences += _compare(got.view(np.uint64), doubles.view(np.uint64), 0, "float64", examples)
        got = mx.dequantize(blocks, overflow="saturate").view(np.uint32)
        saturated = np.array(
            [_saturated(number, bits) for number, bits in zip(exact, want.tolist(), strict=True)], np.uint32
        )
        differences += _compare(got, saturated, 0, "float32, saturated", examples)
        return Outcome(got.size, differences, tuple(examples))


def _saturated(exact: oracle.Number, bits: int) -> int:
    """Return Float32 bits under A-23: the largest finite number for a finite one beyond it."""
    is_infinite = bits & 0x7FFFFFFF == thresholds.INFINITY
    return bits - 1 if is_infinite and exact.kind == "finite" else bits


def all_claims() -> list[Claim]:
    """Return everything that `make exhaustive` tries, what takes longest first."""
    published: list[Claim] = [
        ScaleClaim(sweep) if isinstance(sweep, ScaleSweep) else EncodeClaim(sweep) for sweep in list_sweeps()
    ]
    published.sort(key=lambda claim: isinstance(claim, EncodeClaim))
    elements = [get_format(name).element for name in OCP_FORMATS]
    roundings: tuple[Rounding, ...] = (*IEEE_MODES, "rto")
    sixteen_bits = [
        SixteenBitClaim(element, source, EncodeOptions(rounding=rounding, overflow=overflow))
        for source in ("float16", "bfloat16")
        for element in elements
        for overflow in overflows(element)
        for rounding in roundings
    ]
    return [
        *published,
        *_ml_dtypes_claims(),
        *sixteen_bits,
        *(DequantizeClaim(get_format(name)) for name in list_formats()),
    ]


_POSITIVE_NAN = (0x7F800001, 0x7FFFFFFF)
_NEGATIVE_NAN = (0xFF800001, 0xFFFFFFFF)


def _ml_dtypes_claims() -> Iterator[MlDtypesClaim]:
    signed_nan = {"e5m2": ("float8_e5m2", 0xFE, 0x7E), "e4m3": ("float8_e4m3fn", 0xFF, 0x7F)}
    for name, (dtype, theirs, ours) in signed_nan.items():
        # its casts overflow. A-15: it keeps the sign of NaN, by default we clear it.
        options = EncodeOptions(overflow="overflow")
        yield MlDtypesClaim(mx.get_element(name), options, dtype, (Deviation(*_NEGATIVE_NAN, theirs, ours),))
    for name, dtype in {"e3m2": "float6_e3m2fn", "e2m3": "float6_e2m3fn", "e2m1": "float4_e2m1fn"}.items():
        # NaN becomes a zero of the other sign, by default with us the largest positive value.
        fmt = mx.get_element(name)
        largest, minus_zero = fmt.max_code, 1 << fmt.bits - 1
        deviations = (
            Deviation(*_POSITIVE_NAN, minus_zero, largest),
            Deviation(*_NEGATIVE_NAN, 0, largest),
        )
        yield MlDtypesClaim(fmt, EncodeOptions(), dtype, deviations)
    # its zero and its negative numbers are NaN. What lies between 2**-127 and the tie at 1.5 * 2**-127
    # becomes 2**-126 there, though 2**-127 is nearer.
    as_theirs = EncodeOptions(overflow="overflow", unsigned_zero="nan", unsigned_negative="nan")
    yield MlDtypesClaim(E8M0, as_theirs, "float8_e8m0fnu", (Deviation(0x00400001, 0x005FFFFF, 1, 0),))


def _compare(got: NDArray[Any], want: NDArray[Any], first: int, what: str, examples: list[str]) -> int:
    """Return how many items differ; describe the first few, item 0 being that of input *first*."""
    if np.array_equal(got, want):
        return 0
    wrong = np.flatnonzero(got != want)
    for index in wrong[: FIRST_SHOWN - len(examples)].tolist():
        examples.append(
            f"input {first + index:#010x}: {what} {int(got[index]):#04x}, reference {int(want[index]):#04x}"
        )
    return wrong.size


@lru_cache(maxsize=256)
def _encode_steps(fmt: NumberFormat, rounding: str, overflow: str, negative: bool) -> StepFunction:
    return thresholds.encode_steps(fmt, rounding, overflow, negative)


@lru_cache(maxsize=64)
def _scale_steps(element: mx.formats.ElementFormat, rule: str) -> StepFunction:
    return thresholds.scale_steps(element, rule)


@lru_cache(maxsize=64)
def _element_steps(element: mx.formats.ElementFormat, rule: str, negative: bool) -> StepFunction:
    return thresholds.element_steps(element, rule, negative)
