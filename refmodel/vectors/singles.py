"""Sets of single numbers: codes of an element or scale format to Float32, and numbers to codes.

The codes of a format are few, so a set of codes to numbers has all of them, whatever its count. A set of numbers to
codes has, where its count has room, each point at which a code changes and what is beside it: classes after the
measurements that they come from, in which 10,000 such numbers found every fault of an encoder that any input shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from refmodel import oracle
from refmodel.elements import decode, decode_table, encode
from refmodel.encoding import check_encoding
from refmodel.errors import DefinitionError, unknown_name
from refmodel.formats import BFLOAT16, FLOAT32, FloatFormat, NumberFormat, get_number_format
from refmodel.operands import OPERAND_FORMATS
from refmodel.options import EncodeOptions
from refmodel.vectors.dotset import check_request
from refmodel.vectors.draws import Draws
from refmodel.vectors.numbers import NUMBER_FORMATS, Bits, InputFormat, as_numbers
from refmodel.vectors.numbers import NumberFormat as InputNumbers
from refmodel.vectors.pieces import FIRST, RowPieces, check_stream
from refmodel.vectors.vectorset import Plane, RowSet, StimulusClassRange

SOURCES = {"fp32": FLOAT32, "bf16": BFLOAT16}
"""Formats of numbers, as the oracle takes them."""


@dataclass(frozen=True, eq=False)
class DecodeVectors(RowSet):
    """Codes, and the numbers that they stand for.

    Attributes:
        codes: uint8 [N].
        values: uint32 [N], Float32 bits.
        format: Element or scale format.
        classes: The stimulus classes, in order, covering all codes.
        call: What made the set, as JSON values.
    """

    operation: ClassVar[str] = "decode"
    unit: ClassVar[str] = "codes"
    arrays: ClassVar[tuple[str, ...]] = ("codes", "values")

    codes: NDArray[np.uint8]
    values: NDArray[np.uint32]
    format: NumberFormat
    classes: tuple[StimulusClassRange, ...]
    call: dict[str, object]

    def planes(self) -> tuple[Plane, ...]:
        """Return code and value."""
        return (
            Plane("code", "input", self.codes[:, None], self.format.bits),
            Plane("value", "output", self.values[:, None], 32),
        )

    def parameters(self) -> dict[str, object]:
        """Return the format."""
        return {"number_format": self.format.name}

    def by_model(self) -> dict[str, NDArray[Any]]:
        """Return the numbers computed again."""
        return {"value": _decoded(self.format, self.codes)[:, None]}

    def by_oracle(self, i: int) -> dict[str, list[int]]:
        """Return the number of code *i* by the oracle."""
        return {"value": [oracle.to_float32(oracle.decode(self.format, int(self.codes[i])))]}

    @property
    def oracle_vectors(self) -> int:
        """How many codes the oracle judges in about a second."""
        return 50_000

    @property
    def number_formats(self) -> tuple[str, ...]:
        """The name of the format."""
        return (self.format.name,)

    @property
    def title(self) -> str:
        """The format."""
        return f"{self.format.name} to fp32"


def make_decode_vectors(
    fmt: str | NumberFormat, *, count: int, seed: int, progress: Callable[[str], None] = lambda step: None
) -> DecodeVectors:
    """Make the set of all codes of a format.

    Args:
        fmt: Element or scale format of at most 8 bits, by name or description.
        count, seed: As `make_encode_vectors`; they change nothing.
        progress: Called with the name of each step before it starts.

    Raises:
        UnknownNameError: If there is no such format.
        DefinitionError: If it has more bits, or count or seed is out of range.
    """
    number_format = get_code_format(fmt)
    check_request(count, seed)
    progress("codes")
    codes = np.arange(1 << number_format.bits, dtype=np.uint8)
    return DecodeVectors(
        codes=codes,
        values=_decoded(number_format, codes),
        format=number_format,
        classes=(StimulusClassRange("codes", "every code of the format", 0, codes.size),),
        call={"seed": seed, "count": count, "inputs": [], "shard": [0, 1]},
    )


def _decoded(fmt: NumberFormat, codes: NDArray[np.uint8]) -> NDArray[np.uint32]:
    return decode(fmt, codes).astype(np.float32).view(np.uint32)


def get_code_format(fmt: str | NumberFormat) -> NumberFormat:
    """Return the element or scale format of that name, of codes of at most 8 bits.

    Raises:
        UnknownNameError: If there is no such format.
        DefinitionError: If it has more bits.
    """
    number_format = OPERAND_FORMATS[fmt] if isinstance(fmt, str) and fmt in OPERAND_FORMATS else get_number_format(fmt)
    if number_format.bits > 8:
        raise DefinitionError(f"{number_format.name}: vector sets are of codes of at most 8 bits")
    return number_format


@dataclass(frozen=True, eq=False)
class EncodeVectors(RowSet):
    """Numbers, and the codes that they become.

    Attributes:
        values: Bits of the numbers, uint32 [N]; uint16 for BF16.
        codes: uint8 [N].
        format: Element or scale format.
        input_format: Format of the numbers.
        options: The choices of the conversion.
        classes: The stimulus classes, in order, covering all numbers.
        call: What made the set, as JSON values.
    """

    operation: ClassVar[str] = "encode"
    unit: ClassVar[str] = "numbers"
    arrays: ClassVar[tuple[str, ...]] = ("values", "codes")

    values: NDArray[Any]
    codes: NDArray[np.uint8]
    format: NumberFormat
    input_format: InputFormat
    options: EncodeOptions
    classes: tuple[StimulusClassRange, ...]
    call: dict[str, object]

    def planes(self) -> tuple[Plane, ...]:
        """Return value and code."""
        return (
            Plane("value", "input", self.values[:, None], NUMBER_FORMATS[self.input_format].width),
            Plane("code", "output", self.codes[:, None], self.format.bits),
        )

    def parameters(self) -> dict[str, object]:
        """Return the formats and the options."""
        return {
            "number_format": self.format.name,
            "input_format": self.input_format,
            "options": asdict(self.options),
        }

    def by_model(self) -> dict[str, NDArray[Any]]:
        """Return the codes computed again."""
        return {"code": encode_results(self.values, self.format, self.input_format, self.options)[:, None]}

    def by_oracle(self, i: int) -> dict[str, list[int]]:
        """Return the code of number *i* by the oracle."""
        return {"code": [oracle.convert(self.format, SOURCES[self.input_format], int(self.values[i]), self.options)]}

    @property
    def oracle_vectors(self) -> int:
        """How many numbers the oracle judges in about a second."""
        return 20_000

    @property
    def number_formats(self) -> tuple[str, ...]:
        """The name of the format."""
        return (self.format.name,)

    @property
    def title(self) -> str:
        """Formats and the options that matter most."""
        return f"{self.input_format} to {self.format.name}, {self.options.rounding}, {self.options.overflow}"


@dataclass(frozen=True)
class EncodeRequest:
    """What a class of numbers is asked for: as many, of this format of numbers, for codes of that format."""

    draws: Draws
    format: NumberFormat
    numbers: InputNumbers
    count: int

    @property
    def points(self) -> Bits:
        """Magnitudes of the format, the ties between them, and the tie and the value beyond the largest."""
        table = decode_table(self.format)
        values = np.unique(np.abs(table[np.isfinite(table)]))
        step = values[-1] - values[-2]
        if isinstance(self.format, FloatFormat) and not self.format.mantissa_bits:
            step = values[-1]
        # What follows the largest may not be a number of the input any more, nor the tie before it.
        candidates = np.concatenate([values, (values[1:] + values[:-1]) / 2, values[-1] + np.array([step / 2, step])])
        return np.unique(self.numbers.nearest(candidates[candidates < 2.0**128]))

    def signed(self, bits: Bits) -> Bits:
        """Return magnitudes of both signs, each once."""
        unique = np.unique(bits)
        return np.concatenate([unique, unique | np.uint32(self.numbers.sign)])

    def chosen(self, bits: Bits) -> Bits:
        """Return all of *bits*, or a random choice where the count does not have room for all, in their order."""
        if len(bits) <= self.count:
            return bits
        return bits[np.sort(self.draws.permutation(len(bits))[: self.count])]


def specials(request: EncodeRequest) -> Bits:
    """Zeros, infinities, NaN with each bit of the payload alone and with all, the ends of the input's normal and
    subnormal numbers; of both signs."""
    numbers = request.numbers
    payloads = [1 << i for i in range(numbers.fraction_bits)]
    ends = [0, 1, (1 << numbers.fraction_bits) - 1, 1 << numbers.fraction_bits, numbers.infinity - 1]
    nans = [numbers.infinity + payload for payload in (*payloads, (1 << numbers.fraction_bits) - 1)]
    return request.signed(np.array([*ends, numbers.infinity, *nans], np.uint32))


def breakpoints(request: EncodeRequest) -> Bits:
    """Every value of the format, every tie between two, and what follows the largest, exact and one unit in the
    last place to either side; of both signs."""
    points = request.points
    return request.chosen(request.signed(np.concatenate([request.numbers.moved(points, ulps) for ulps in (0, -1, 1)])))


def sticky(request: EncodeRequest) -> Bits:
    """Every value and every tie with one of the bits below their last one set, each alone: a sticky bit that is
    forgotten; of both signs."""
    points = request.points.astype(np.int64)
    lowest = points & -points
    bit = np.int64(1) << np.arange(request.numbers.fraction_bits)
    walked = np.where((bit < lowest[:, None]) & (points[:, None] > 0), points[:, None] | bit, points[:, None])
    return request.chosen(request.signed(walked.ravel().astype(np.uint32)))


def exponents(request: EncodeRequest) -> Bits:
    """Every exponent of the input with significands at and beside both ends and the middle; of both signs."""
    width = request.numbers.fraction_bits
    full, half = (1 << width) - 1, 1 << width - 1
    significands = np.array([0, 1, half - 1, half, half + 1, full], np.uint32)
    fields = np.arange(255, dtype=np.uint32) << np.uint32(width)
    return request.chosen(request.signed((fields[:, None] | significands).ravel()))


def random(request: EncodeRequest) -> Bits:
    """Random numbers, three of four around the range of the format."""
    n, numbers, draws = request.count, request.numbers, request.draws
    high, low = (draws.integers(0, 1 << 16, n).astype(np.uint32) for _ in range(2))
    bits = low if numbers.width == 16 else high << np.uint32(16) | low
    fields = request.points >> np.uint32(numbers.fraction_bits)
    first, end = max(0, int(fields.min()) - 2), min(254, int(fields.max()) + 2) + 1
    near = draws.integers(first, end, n).astype(np.uint32) << np.uint32(numbers.fraction_bits)
    kept = bits & np.uint32(numbers.sign | (1 << numbers.fraction_bits) - 1)
    return np.where(draws.integers(0, 4, n) == 0, bits, kept | near)


@dataclass(frozen=True, slots=True)
class EncodeClass:
    """A named generator of numbers: its docstring says what it provokes, *percent* is its share of a set."""

    name: str
    generate: Callable[[EncodeRequest], Bits]
    percent: int

    @property
    def description(self) -> str:
        """What it provokes, in a sentence."""
        text = " ".join((self.generate.__doc__ or "").split()).removesuffix(".")
        return text[0].lower() + text[1:]


ENCODE_CLASSES: tuple[EncodeClass, ...] = (
    EncodeClass("specials", specials, 0),
    EncodeClass("breakpoints", breakpoints, 80),
    EncodeClass("sticky", sticky, 8),
    EncodeClass("exponents", exponents, 5),
    EncodeClass("random", random, 0),
)
"""The classes; the first has all that it has, and the last brings a set to its count."""


def make_encode_vectors(
    fmt: str | NumberFormat,
    *,
    input_format: InputFormat = "fp32",
    options: EncodeOptions | None = None,
    count: int,
    seed: int,
    progress: Callable[[str], None] = lambda step: None,
) -> EncodeVectors:
    """Make a set of at least *count* conversions of a number to a code.

    The set is a function of the arguments: the same call gives the same bits on every machine.

    Args:
        fmt: Element or scale format of at most 8 bits, by name or description.
        input_format: Format of the numbers, ``fp32`` or ``bf16``.
        options: The choices of the conversion; the defaults when None. Stochastic rounding has no vectors.
        count: Numbers wanted, 1 to MAX_COUNT. Special numbers and a few of each class are there in any case.
        seed: Non-negative.
        progress: Called with the name of each step before it starts.

    Raises:
        UnknownNameError: If a format does not exist.
        DefinitionError: If count or seed is out of range, rounding is stochastic, the format cannot be encoded with
            these options, or has more than 8 bits.
        ValueRefusedError: If the options refuse NaN, which every set has.
    """
    number_format = get_code_format(fmt)
    options = EncodeOptions() if options is None else options
    check_request(count, seed)
    if input_format not in NUMBER_FORMATS:
        raise unknown_name("input format", input_format, NUMBER_FORMATS)
    if options.rounding == "stochastic":
        raise DefinitionError("rounding='stochastic': vectors of encode have no random numbers; choose another")
    check_encoding(number_format, options)
    parts, classes, made = [], [], 0
    for each in ENCODE_CLASSES:
        progress(each.name)
        is_last = each is ENCODE_CLASSES[-1]
        share = max(16, count - made if is_last else _share(count, made, each.percent))
        draws = Draws(seed, "encode", each.name, number_format.name, input_format)
        part = each.generate(EncodeRequest(draws, number_format, NUMBER_FORMATS[input_format], share))
        classes.append(StimulusClassRange(each.name, each.description, made, len(part)))
        parts.append(part)
        made += len(part)
    progress("results")
    values = as_numbers(np.concatenate(parts), input_format)
    return EncodeVectors(
        values=values,
        codes=encode_results(values, number_format, input_format, options),
        format=number_format,
        input_format=input_format,
        options=options,
        classes=tuple(classes),
        call={"seed": seed, "count": count, "inputs": [], "shard": [0, 1]},
    )


def encode_pieces(fmt: str | NumberFormat, *, count: int, **call: Any) -> RowPieces:
    """Return the pieces of a set of at least *count* numbers; arguments and errors as `make_encode_vectors`."""
    check_stream(count)
    first = make_encode_vectors(fmt, count=min(count, FIRST), **call)
    last = ENCODE_CLASSES[-1]

    def more(number: int, size: int) -> EncodeVectors:
        draws = Draws(call["seed"], "encode", last.name, first.format.name, first.input_format, number)
        part = last.generate(EncodeRequest(draws, first.format, NUMBER_FORMATS[first.input_format], size))
        values = as_numbers(part, first.input_format)
        codes = encode_results(values, first.format, first.input_format, first.options)
        classes = (StimulusClassRange(last.name, last.description, 0, size),)
        return replace(first, values=values, codes=codes, classes=classes)

    return RowPieces(first, count, more)


def decode_pieces(fmt: str | NumberFormat, *, count: int, **call: Any) -> RowPieces:
    """Return the one piece of a set of all codes; arguments and errors as `make_decode_vectors`."""
    check_stream(count)
    return RowPieces(make_decode_vectors(fmt, count=min(count, FIRST), **call), count, None)


def _share(count: int, made: int, percent: int) -> int:
    """Return the share of a class; what classes before it left of theirs is there for those after it."""
    return max(count * percent // 100, (count - made) // 2)


def encode_results(
    values: NDArray[Any], fmt: NumberFormat, input_format: InputFormat, options: EncodeOptions
) -> NDArray[np.uint8]:
    """Return the codes [N] of the bits [N] of numbers."""
    numbers = NUMBER_FORMATS[input_format].values(values.astype(np.uint32))
    codes: NDArray[np.uint8] = encode(fmt, numbers, options=options)
    return codes
