"""Element, scale and block formats as data, and the registry of named formats.

A format is described by the few numbers that its specification prints (OCP MX v1.0
sections 5.2 to 5.4, OFP8 Rev 1.0 section 5.1); every limit is derived from them, so no
table is typed twice. This module is the only one that the model and the oracle share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar, cast

from refmodel.errors import DefinitionError, unknown_name

_T = TypeVar("_T")

Specials: TypeAlias = Literal["none", "fn", "ieee", "fnuz"]
"""Which codes are not numbers.

* ``none``: every code is finite.
* ``fn``: finite with NaN; the magnitude with all bits set is NaN, there is no infinity.
* ``ieee``: exponent field all ones means infinity (mantissa 0) or NaN.
* ``fnuz``: finite with NaN, unsigned zero; the code that would be -0 is NaN, every other one is finite.
"""

SPECIALS: tuple[Specials, ...] = ("none", "fn", "ieee", "fnuz")


@dataclass(frozen=True, slots=True)
class FloatFormat:
    """A binary floating-point format: optional sign bit, exponent field, mantissa field, MSB first.

    Attributes:
        name: Lower-case name used in every public call and file.
        exponent_bits: Width of the biased exponent field, at least 1.
        mantissa_bits: Width of the trailing significand field; may be 0.
        bias: Exponent bias.
        specials: Which codes are NaN or infinity, see `Specials`.
        signed: Whether a sign bit stands above the exponent field.
        subnormals: Whether exponent field 0 means zero and subnormals (MX-5.3-b). False for
            E8M0, where every field value is a power of two (MX-5.4.1-d).
        ignored_bits: Bits of a code above all fields that decoding ignores and encoding leaves 0. 1 for
            UE4M3, which is stored in a byte (NV-FMT-c, A-N7).

    Raises:
        DefinitionError: If the fields contradict each other.
    """

    name: str
    exponent_bits: int
    mantissa_bits: int
    bias: int
    specials: Specials = "none"
    signed: bool = True
    subnormals: bool = True
    ignored_bits: int = 0

    def __post_init__(self) -> None:
        if self.specials not in SPECIALS:
            raise unknown_name(f"specials of format {self.name!r}:", self.specials, SPECIALS)
        if self.exponent_bits < 1 or self.mantissa_bits < 0 or self.ignored_bits < 0:
            raise DefinitionError(
                f"format {self.name!r}: exponent_bits={self.exponent_bits} must be at least 1, "
                f"mantissa_bits={self.mantissa_bits} and ignored_bits={self.ignored_bits} at least 0"
            )
        if self.specials == "fnuz" and not self.signed:
            raise DefinitionError(f"format {self.name!r}: fnuz specials take the code of -0 and need a sign")
        if self.specials == "ieee" and self.mantissa_bits == 0:
            raise DefinitionError(f"format {self.name!r}: ieee specials need a mantissa field to hold NaN")
        if self.specials == "ieee" and self.exponent_bits == 1:
            raise DefinitionError(
                f"format {self.name!r}: ieee specials take exponent field 1 and leave no normal number; "
                "use exponent_bits of at least 2"
            )

    @property
    def bits(self) -> int:
        """Width of a code."""
        return self.ignored_bits + int(self.signed) + self.exponent_bits + self.mantissa_bits

    @property
    def sign_mask(self) -> int:
        """The sign bit as a mask; 0 for an unsigned format."""
        return (1 << (self.exponent_bits + self.mantissa_bits)) if self.signed else 0

    @property
    def magnitude_mask(self) -> int:
        """The exponent and the mantissa field."""
        return (1 << (self.exponent_bits + self.mantissa_bits)) - 1

    @property
    def emin(self) -> int:
        """Exponent of the smallest normal number."""
        return (1 if self.subnormals else 0) - self.bias

    @property
    def emax(self) -> int:
        """Exponent of the largest representable power of two (15, 8, 4, 2, 2 for the OCP floats)."""
        return (self.max_code >> self.mantissa_bits) - self.bias

    @property
    def quantum_exponent(self) -> int:
        """Exponent of the spacing of the lowest binade; every finite value is a multiple of 2**this."""
        return self.emin - self.mantissa_bits

    @property
    def max_code(self) -> int:
        """Code of the largest finite positive value."""
        if self.specials == "ieee":
            return (((1 << self.exponent_bits) - 1) << self.mantissa_bits) - 1
        return self.magnitude_mask - (1 if self.specials == "fn" else 0)

    @property
    def max_value(self) -> float:
        """The largest finite value; exact."""
        significand = (self.max_code & ((1 << self.mantissa_bits) - 1)) | (1 << self.mantissa_bits)
        return float(significand) * 2.0 ** (self.emax - self.mantissa_bits)

    @property
    def infinity_code(self) -> int | None:
        """Code of +Inf, or None where the format has no infinity."""
        return self.max_code + 1 if self.specials == "ieee" else None

    @property
    def nan_codes(self) -> range:
        """Magnitude codes (sign bit clear) that are NaN; empty where the format has none, and for ``fnuz``."""
        first = self.max_code + (2 if self.specials == "ieee" else 1)
        return range(first, self.magnitude_mask + 1)

    @property
    def quiet_nan_code(self) -> int | None:
        """Code of the NaN with only the first mantissa bit set, or the only NaN; None without NaN (A-15)."""
        if self.specials == "fnuz":
            return self.sign_mask
        if self.infinity_code is None:
            return next(iter(self.nan_codes), None)
        return self.infinity_code | (1 << (self.mantissa_bits - 1))

    @property
    def is_power_of_two(self) -> bool:
        """Whether every finite value is a power of two, as in E8M0."""
        return self.mantissa_bits == 0 and not self.subnormals


@dataclass(frozen=True, slots=True)
class IntegerFormat:
    """A two's-complement fixed-point format: value = signed integer * 2**-fraction_bits.

    OCP INT8 has 8 bits and 6 fraction bits (MX-5.3.4-h). The most negative code has no positive
    counterpart; whether encoding may produce it is an option (MX-5.3.4-g), decoding always knows it.

    Raises:
        DefinitionError: If the fields contradict each other.
    """

    name: str
    bits: int
    fraction_bits: int

    def __post_init__(self) -> None:
        if self.bits < 2:
            raise DefinitionError(f"format {self.name!r}: bits={self.bits} must be at least 2")

    @property
    def emax(self) -> int:
        """Exponent of the largest representable power of two (0 for OCP INT8)."""
        return self.bits - 2 - self.fraction_bits

    @property
    def quantum_exponent(self) -> int:
        """Exponent of the spacing: every value is a multiple of 2**this."""
        return -self.fraction_bits

    @property
    def max_code(self) -> int:
        """Code of the largest value."""
        return (1 << (self.bits - 1)) - 1

    @property
    def max_value(self) -> float:
        """The largest value; exact."""
        return self.max_code * 2.0**-self.fraction_bits

    @property
    def min_code(self) -> int:
        """Code of the most negative value (0x80 = -2.0 for OCP INT8)."""
        return 1 << (self.bits - 1)


ElementFormat: TypeAlias = FloatFormat | IntegerFormat
ScaleFormat: TypeAlias = FloatFormat
NumberFormat: TypeAlias = FloatFormat | IntegerFormat


@dataclass(frozen=True, slots=True)
class BlockFormat:
    """A block format: *block_size* elements of one format that share one scale (MX-5.1-a).

    Attributes:
        name: Lower-case name used in every public call and file.
        element: Element format.
        scale: Scale format; its negative values, if any, are decoded but never chosen.
        block_size: Number of elements that share a scale. The length of the blocked axis makes one scale per
            channel, the size of an array blocked along no axis one scale per tensor.
        tensor_scale: Format of a second scale that all blocks of an array share (NV-FMT-d), or None.
            Float32 is the only one.

    Raises:
        DefinitionError: If block_size is below 1, or tensor_scale is another format or beside a block scale
            that is a power of two or wider than 8 bits.
    """

    name: str
    element: ElementFormat
    scale: ScaleFormat
    block_size: int = 32
    tensor_scale: ScaleFormat | None = None

    def __post_init__(self) -> None:
        if self.block_size < 1:
            raise DefinitionError(f"format {self.name!r}: block_size={self.block_size} must be at least 1")
        if self.tensor_scale is not None and self.tensor_scale != FLOAT32:
            raise DefinitionError(
                f"format {self.name!r}: tensor_scale={self.tensor_scale.name!r} must be None or 'float32'"
            )
        if self.tensor_scale is not None and (self.scale.bits > 8 or self.scale.is_power_of_two):
            raise DefinitionError(
                f"format {self.name!r}: a tensor scale goes with a block scale that has a mantissa and "
                f"at most 8 bits, unlike {self.scale.name!r}"
            )

    @property
    def block_bits(self) -> int:
        """Bits of one encoded block, scale included (MX-5.1-d)."""
        return self.scale.bits + self.block_size * self.element.bits


E5M2 = FloatFormat("e5m2", exponent_bits=5, mantissa_bits=2, bias=15, specials="ieee")
E4M3 = FloatFormat("e4m3", exponent_bits=4, mantissa_bits=3, bias=7, specials="fn")
E3M2 = FloatFormat("e3m2", exponent_bits=3, mantissa_bits=2, bias=3)
E2M3 = FloatFormat("e2m3", exponent_bits=2, mantissa_bits=3, bias=1)
E2M1 = FloatFormat("e2m1", exponent_bits=2, mantissa_bits=1, bias=1)
INT8 = IntegerFormat("int8", bits=8, fraction_bits=6)
# Narrower integers with the range of INT8, from -2 to below 2.
INT6 = IntegerFormat("int6", bits=6, fraction_bits=4)
INT4 = IntegerFormat("int4", bits=4, fraction_bits=2)

E8M0 = FloatFormat(
    "e8m0", exponent_bits=8, mantissa_bits=0, bias=127, specials="fn", signed=False, subnormals=False
)
UE4M3 = FloatFormat(  # NV-FMT-c
    "ue4m3", exponent_bits=4, mantissa_bits=3, bias=7, specials="fn", signed=False, ignored_bits=1
)
# Elements of AMD CDNA3: one exponent lower than the OCP formats.
E4M3FNUZ = FloatFormat("e4m3fnuz", exponent_bits=4, mantissa_bits=3, bias=8, specials="fnuz")
E5M2FNUZ = FloatFormat("e5m2fnuz", exponent_bits=5, mantissa_bits=2, bias=16, specials="fnuz")
FLOAT16 = FloatFormat("float16", exponent_bits=5, mantissa_bits=10, bias=15, specials="ieee")
BFLOAT16 = FloatFormat("bfloat16", exponent_bits=8, mantissa_bits=7, bias=127, specials="ieee")
FLOAT32 = FloatFormat("float32", exponent_bits=8, mantissa_bits=23, bias=127, specials="ieee")
FLOAT64 = FloatFormat("float64", exponent_bits=11, mantissa_bits=52, bias=1023, specials="ieee")

_ELEMENTS: dict[str, ElementFormat] = {f.name: f for f in (E5M2, E4M3, E3M2, E2M3, E2M1, INT8, INT6, INT4)}
_SCALES: dict[str, ScaleFormat] = {f.name: f for f in (E8M0, UE4M3, BFLOAT16, FLOAT32)}
_OCP_BLOCKS = (  # MX-5.2 Table 1
    BlockFormat("mxfp8_e5m2", E5M2, E8M0),
    BlockFormat("mxfp8_e4m3", E4M3, E8M0),
    BlockFormat("mxfp6_e3m2", E3M2, E8M0),
    BlockFormat("mxfp6_e2m3", E2M3, E8M0),
    BlockFormat("mxfp4_e2m1", E2M1, E8M0),
    BlockFormat("mxint8", INT8, E8M0),
)
_OTHER_BLOCKS = (
    BlockFormat("nvfp4", E2M1, UE4M3, 16, tensor_scale=FLOAT32),  # NV-FMT-a to NV-FMT-e
    BlockFormat("nvint4", INT4, UE4M3, 16, tensor_scale=FLOAT32),
    BlockFormat("mxint6", INT6, E8M0),
    BlockFormat("mxint4", INT4, E8M0),
)
_BLOCKS: dict[str, BlockFormat] = {b.name: b for b in (*_OCP_BLOCKS, *_OTHER_BLOCKS)}

OCP_FORMATS = tuple(b.name for b in _OCP_BLOCKS)
"""Names of the six concrete MX-compliant formats."""


def get_element(element: str | ElementFormat) -> ElementFormat:
    """Return the element format of that name; a format passes through unchanged.

    Raises:
        UnknownNameError: If there is no such element format.
    """
    return _lookup("element format", element, _ELEMENTS, (FloatFormat, IntegerFormat))


def get_scale(scale: str | ScaleFormat) -> ScaleFormat:
    """Return the scale format of that name; a format passes through unchanged.

    Raises:
        UnknownNameError: If there is no such scale format.
    """
    return _lookup("scale format", scale, _SCALES, (FloatFormat,))


def get_number_format(fmt: str | NumberFormat) -> NumberFormat:
    """Return the element or scale format of that name; a format passes through unchanged.

    Raises:
        UnknownNameError: If there is no such format.
    """
    return _lookup("element or scale format", fmt, _ELEMENTS | _SCALES, (FloatFormat, IntegerFormat))


def get_format(fmt: str | BlockFormat) -> BlockFormat:
    """Return the block format of that name; a format passes through unchanged.

    Raises:
        UnknownNameError: If there is no such block format.
    """
    return _lookup("block format", fmt, _BLOCKS, (BlockFormat,))


def list_formats() -> tuple[str, ...]:
    """Return the names of all block formats, those of MX v1.0 (`OCP_FORMATS`) first."""
    return tuple(_BLOCKS)


def _lookup(kind: str, key: object, table: Mapping[str, _T], types: tuple[type, ...]) -> _T:
    if isinstance(key, types):
        return cast(_T, key)
    if isinstance(key, str) and key in table:
        return table[key]
    raise unknown_name(kind, key, table)
