"""Every choice that the specifications leave open, each a named field with a documented default.

The ids (A-1 ... A-33) are those of the project's clause list. The defaults follow the text literally
where it speaks and the most common choice where it does not. A named set of choices is a profile, see
`refmodel.profiles`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, TypeAlias, get_args, get_type_hints

from refmodel.errors import DefinitionError, unknown_name

Rounding: TypeAlias = Literal["rne", "rna", "rnz", "rtz", "rup", "rdn", "rto", "stochastic"]
"""Rounding mode of an encoder (A-16).

* ``rne``: to nearest, ties to the even last digit (MX-4.1-g); the mode that must exist.
* ``rna``: to nearest, ties away from zero.
* ``rnz``: to nearest, ties toward zero; Model Optimizer and ggml round to E2M1 so.
* ``rtz``: toward zero.
* ``rup``: toward +infinity.
* ``rdn``: toward -infinity.
* ``rto``: to odd; an inexact value goes to the neighbour with the odd code. One beyond the largest finite
  value counts as rounded toward zero (A-32).
* ``stochastic``: away from zero if the dropped fraction plus the caller's random fraction reaches 1 (A-33).
"""

Overflow: TypeAlias = Literal["saturate", "overflow"]
"""What becomes of a magnitude that is above the largest finite one after rounding (A-14, MX-5.3.1-e).

* ``saturate``: the largest finite value, sign kept; infinities too (SAT).
* ``overflow``: infinity, or NaN where the format has no infinity (OVF, NONSAT in OFP8).
"""

DirectedOverflow: TypeAlias = Literal["ieee", "table"]
"""What ``overflow`` means for a finite value under a mode that rounds it toward zero (A-32).

* ``ieee``: the largest finite value, as IEEE 754 section 7.4 has it.
* ``table``: infinity or NaN, as the letter of OFP8 Table 3 has it.
"""

Infinity: TypeAlias = Literal["table", "keep"]
"""An infinite input under ``saturate`` (A-8).

* ``table``: the largest finite value (MX-5.3.1-e, MX-5.3.2-g).
* ``keep``: infinity where the element has one; MX-6.3-e speaks of clamping normal numbers only.
"""

NanToFinite: TypeAlias = Literal["positive_max", "signed_max", "positive_zero", "inverted_zero", "error"]
"""What a NaN becomes in a format without NaN (A-13; MX-5.3.2-i, MX-5.3.3-i, MX-5.3.4-i).

* ``positive_max``: the largest positive value.
* ``signed_max``: the largest magnitude with the sign of the NaN.
* ``positive_zero``: +0.
* ``inverted_zero``: -0 for a positive and +0 for a negative NaN.
* ``error``: refused with NanError.
"""

NanSign: TypeAlias = Literal["positive", "keep", "negative"]
"""Sign of what a NaN becomes in a format with NaN (A-15): cleared, that of the input, or set.

The NaN that a number beyond the range becomes under ``overflow`` has the sign of the number.
"""

NanPayload: TypeAlias = Literal["quiet", "keep", "ones"]
"""Mantissa of a NaN in a format with several (A-15).

* ``quiet``: the top bit alone.
* ``keep``: the top bits of the input's mantissa, with the top one set.
* ``ones``: all bits set.
"""

NegativeZero: TypeAlias = Literal["keep", "positive"]
"""A zero result of negative sign (A-19): kept, or replaced by +0."""

SubnormalInput: TypeAlias = Literal["keep", "flush"]
"""Subnormal numbers of the input's own format (A-20): taken as they are, or as zero of the same sign."""

IntegerMinimum: TypeAlias = Literal["symmetric", "full"]
"""Range of an integer element (A-21): without the most negative code, or with it (MX-5.3.4-g)."""

Intermediate: TypeAlias = Literal["exact", "float32", "float16"]
"""Whether the input is first rounded (nearest even) to a narrower format: a double rounding (A-17)."""

TieWithoutMantissa: TypeAlias = Literal["larger", "even_code"]
"""A tie under ``rne`` in a format without mantissa, such as E8M0: the digit of both neighbours is 1 (A-11).

* ``larger``: to the larger magnitude, as IEEE 754-2019 section 4.3.1 has it for one digit: 1.5 and 3 go to 2
  and 4.
* ``even_code``: to the even code: in E8M0 1.5 and 3 both go to 2.
"""

UnsignedZero: TypeAlias = Literal["minimum", "nan"]
"""Zero in a format without zero, such as E8M0 (A-11): the value of smallest magnitude, or NaN."""

UnsignedNegative: TypeAlias = Literal["nan", "magnitude", "minimum"]
"""A number below zero in a format without sign, such as E8M0 (A-11).

* ``nan``: NaN; where the format has none, what ``nan_to_finite`` says.
* ``magnitude``: its absolute value, which is then rounded as a positive number.
* ``minimum``: code 0, the smallest value.
"""

UnsignedUnderflow: TypeAlias = Literal["minimum", "nan"]
"""A number that rounds below the smallest value of a format without zero (A-4, A-11).

* ``minimum``: the smallest value.
* ``nan``: NaN; it is rounded as if the exponents had no lower end.
"""

ScaleRule: TypeAlias = Literal["floor", "ceil", "rceil", "even", "midmax"]
"""How a power-of-two scale follows from amax, the largest magnitude of the block (A-1).

emax is the exponent of the element's largest power of two.

* ``floor``: floor(log2 amax) - emax (MX-6.3-b).
* ``ceil``: ceil(log2 amax) - emax.
* ``rceil``: ceil(log2(amax / largest element)).
* ``even``: floor(log2 of amax rounded to the element's mantissa width, half up) - emax (D-17).
* ``midmax``: ``floor``, plus one where the scaled maximum is strictly above the midpoint between the largest
  element and 2**(emax + 1); for E4M3 the midpoint to 480, which is 464.

All are computed from the bits of amax unless `ScaleArithmetic` says otherwise.
"""

ScaleArithmetic: TypeAlias = Literal["exact", "float32_divide", "float32_multiply", "float32_log2"]
"""How a rule computes log2 (A-2); whatever is not exact is rounded to Float32, to nearest even (D-15, D-16).

* ``exact``: from the bits of amax.
* ``float32_divide``: ``rceil`` divides amax by the largest element in Float32; Model Optimizer on a GPU.
* ``float32_multiply``: ``rceil`` multiplies amax by the Float32 reciprocal of it; Transformer Engine.
* ``float32_log2``: ``floor``, ``ceil`` and ``rceil`` round the logarithm of amax, or of the quotient of
  ``float32_divide``, to Float32 before floor or ceil is taken: numpy.log2 and torch.log2 of Float32 arrays.
"""

LowestDivisor: TypeAlias = Literal["scale", "double", "one"]
"""What the elements are divided by under scale code 0 (A-4).

* ``scale``: the scale.
* ``double``: twice the scale, for E8M0 2**-126, the smallest normal Float32; torchao.
* ``one``: 1, so the elements become zeros; Transformer Engine, torchao in mode RCEIL.
"""

ScaleRounding: TypeAlias = Literal["rne", "rup"]
"""How a scale with a mantissa follows from its exact value, amax / largest element (A-N1).

* ``rne``: to nearest, ties to even.
* ``rup``: up, so that no element is clamped.
"""

ElementBound: TypeAlias = Literal["largest", "power_of_two"]
"""The element that amax is mapped to under a scale with a mantissa (A-N9).

* ``largest``: the largest one, 6 for E2M1.
* ``power_of_two``: 2**emax, 4 for E2M1.
"""

ScaleBound: TypeAlias = Literal["largest", "power_of_two"]
"""The block scale that the largest magnitude of the array gets under a tensor scale (A-N9).

* ``largest``: the largest one, 448 for UE4M3.
* ``power_of_two``: 2**emax, 256 for UE4M3.
"""

Quotient: TypeAlias = Literal["exact", "float32_multiply", "float32_divide"]
"""How scales with a mantissa and the numbers divided by them are computed (A-N5).

With s for the block scale as stored, t for the tensor scale (1 without one) and bound for the two bounds:

* ``exact``: t is amax of the array / (element bound * scale bound), rounded to Float32. s is amax of the
  block / (element bound * t), rounded once. Elements are x / (s * t), rounded once.
* ``float32_multiply``: every operation rounds to Float32; Transformer Engine. e is (element bound * scale
  bound) / amax of the array, at most the largest Float32, and t is 1 / e; s is rounded from
  amax of the block * (e * (1 / element bound)), elements from x * f, where f is 1 / (s * t); what is rounded
  to s, and f, are limited as e is.
* ``float32_divide``: every operation rounds to Float32; torchao. t is amax of the array / (element bound *
  scale bound); s is rounded from (amax of the block / element bound) / t, elements from x * ((1 / t) / s).
"""

TensorZero: TypeAlias = Literal["one", "smallest"]
"""Tensor scale of an array whose largest magnitude is 0, or so small that the scale rounds to 0 (A-N6).

* ``one``: 1.0.
* ``smallest``: the smallest positive Float32.
"""

TensorInfinity: TypeAlias = Literal["ignore", "one"]
"""Tensor scale of an array with an infinity (A-N6, A-N10): that of its finite numbers, or 1.0."""

ZeroBlock: TypeAlias = Literal["minimum", "one", "negative_emax", "min_normal"]
"""Scale of a block without a non-zero number that counts (A-3, A-N2).

* ``minimum``: code 0: 2**-127 in E8M0, zero in UE4M3.
* ``one``: 1.0.
* ``negative_emax``: 2**-emax of the element.
* ``min_normal``: the smallest normal one: 2**-127 in E8M0, 2**-6 in UE4M3.
"""

ScaleUnderflow: TypeAlias = Literal["clamp", "nan", "zero", "min_normal"]
"""A scale below the scale format's range (A-4), or one that rounds to zero (A-N3).

* ``clamp``: the smallest positive scale.
* ``nan``: NaN.
* ``zero``: zero, and with it all elements, in a scale format that has zero.
* ``min_normal``: the smallest normal scale, also in place of subnormal ones.
"""

ScaleOverflow: TypeAlias = Literal["clamp", "nan"]
"""A scale above the scale format's range (A-5, A-N4): the largest scale, or NaN."""

NanInBlock: TypeAlias = Literal["nan_scale", "per_element"]
"""A NaN in a block (A-6): the whole block becomes NaN, or amax ignores it and it is encoded as an element."""

InfInBlock: TypeAlias = Literal["nan_scale", "max_scale", "power", "ignore"]
"""An infinity in a block (A-7).

* ``nan_scale``: the whole block becomes NaN.
* ``max_scale``: the largest scale; the infinity is encoded as an element.
* ``power``: amax is 2**128, as the exponent field of a Float32 infinity reads; the infinity is encoded as an
  element. torchao 0.18, except in mode RCEIL. For a scale with a mantissa the same as ``max_scale``.
* ``ignore``: amax is over the finite values; the infinity is encoded as an element.
"""

PartialBlock: TypeAlias = Literal["pad", "refuse"]
"""An axis that is not a multiple of the block size (A-9): padded with +0, or refused with ShapeError."""

DequantizeOverflow: TypeAlias = Literal["infinity", "saturate"]
"""A dequantized value beyond the range of the result (A-23): infinity, or the largest finite number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeOptions:
    """The choices that are open when a number becomes a code.

    Attributes:
        rounding: Rounding mode (A-16).
        overflow: What becomes of values beyond the range (A-14).
        directed_overflow: The same for a mode that rounds toward zero (A-32).
        infinity: An infinite input under ``saturate`` (A-8).
        nan_to_finite: NaN to a format without NaN (A-13).
        nan_sign: Sign of a NaN result (A-15).
        nan_payload: Mantissa of a NaN result (A-15).
        negative_zero: Zero results of negative sign (A-19).
        subnormal_input: Subnormal inputs (A-20).
        integer_minimum: Whether the most negative integer code is used (A-21).
        intermediate: A rounding that comes before the rounding (A-17).
        tie_without_mantissa: Ties under ``rne`` in a format without mantissa (A-11).
        unsigned_zero: Zero to a format without zero (A-11).
        unsigned_negative: A negative number to a format without sign (A-11).
        unsigned_underflow: A number too small for a format without zero (A-11).
        random_bits: Number of random bits a value takes under ``stochastic`` (A-33), 1 to 32.

    Raises:
        UnknownNameError: If a value is not one of its type's.
        DefinitionError: If random_bits is not an integer in that range.
    """

    rounding: Rounding = "rne"
    overflow: Overflow = "saturate"
    directed_overflow: DirectedOverflow = "ieee"
    infinity: Infinity = "table"
    nan_to_finite: NanToFinite = "positive_max"
    nan_sign: NanSign = "positive"
    nan_payload: NanPayload = "quiet"
    negative_zero: NegativeZero = "keep"
    subnormal_input: SubnormalInput = "keep"
    integer_minimum: IntegerMinimum = "symmetric"
    intermediate: Intermediate = "exact"
    tie_without_mantissa: TieWithoutMantissa = "larger"
    unsigned_zero: UnsignedZero = "minimum"
    unsigned_negative: UnsignedNegative = "nan"
    unsigned_underflow: UnsignedUnderflow = "minimum"
    random_bits: int = 16

    def __post_init__(self) -> None:
        check_choices(self)
        if not isinstance(self.random_bits, int) or not 1 <= self.random_bits <= 32:
            raise DefinitionError(f"random_bits={self.random_bits!r} must be an integer from 1 to 32")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeOptions(EncodeOptions):
    """The choices that are open when an array becomes blocks; those of its elements are inherited.

    Attributes:
        scale_rule: How a power-of-two scale follows from the largest magnitude (A-1).
        scale_arithmetic: How that rule computes it (A-2).
        scale_rounding: How a scale with a mantissa is rounded (A-N1).
        quotient: How scales with a mantissa, and numbers divided by them, are computed (A-N5).
        element_bound: The element that the largest magnitude is mapped to under such a scale (A-N9).
        scale_bound: The block scale of the largest magnitude of an array with a tensor scale (A-N9).
        tensor_zero: Tensor scale of an array of zeros (A-N6).
        tensor_infinity: Tensor scale of an array with an infinity (A-N6).
        zero_block: Scale of an all-zero block (A-3, A-N2).
        scale_underflow: A scale below the scale format's range (A-4, A-N3).
        scale_overflow: A scale above the scale format's range (A-5, A-N4).
        lowest_divisor: Divisor of the elements under scale code 0 of a power-of-two scale (A-4).
        nan_in_block: A NaN in a block (A-6).
        inf_in_block: An infinity in a block (A-7).
        partial_block: An axis that is not a multiple of the block size (A-9).

    Raises:
        UnknownNameError: If a value is not one of its type's.
    """

    scale_rule: ScaleRule = "floor"
    scale_arithmetic: ScaleArithmetic = "exact"
    scale_rounding: ScaleRounding = "rne"
    quotient: Quotient = "exact"
    element_bound: ElementBound = "largest"
    scale_bound: ScaleBound = "largest"
    tensor_zero: TensorZero = "one"
    tensor_infinity: TensorInfinity = "ignore"
    zero_block: ZeroBlock = "minimum"
    scale_underflow: ScaleUnderflow = "clamp"
    scale_overflow: ScaleOverflow = "clamp"
    lowest_divisor: LowestDivisor = "scale"
    nan_in_block: NanInBlock = "nan_scale"
    inf_in_block: InfInBlock = "nan_scale"
    partial_block: PartialBlock = "pad"


def choices(options_type: type[EncodeOptions]) -> dict[str, tuple[str, ...]]:
    """Return the allowed values of every field of an options class that is a choice among names."""
    if options_type not in _CHOICES:  # evaluating annotations takes a millisecond
        hints = get_type_hints(options_type)
        _CHOICES[options_type] = {
            f.name: get_args(hints[f.name]) for f in fields(options_type) if get_args(hints[f.name])
        }
    return _CHOICES[options_type]


_CHOICES: dict[type[EncodeOptions], dict[str, tuple[str, ...]]] = {}


def check_choices(options: EncodeOptions) -> None:
    """Raise UnknownNameError for the first field whose value is not one of its type's."""
    for name, allowed in choices(type(options)).items():
        if getattr(options, name) not in allowed:
            raise unknown_name(name, getattr(options, name), allowed)
