"""Numbers and blocks as people write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction

import numpy as np

from refmodel.blocks import Blocks
from refmodel.errors import CodeRangeError, DefinitionError, ShapeError, ValueRefusedError, unknown_name
from refmodel.explain.encoding import encode_number
from refmodel.explain.exact import INPUT_FORMATS, Exact, FloatBits, decode_exact, power_of_two
from refmodel.formats import BlockFormat, get_format
from refmodel.options import EncodeOptions
from refmodel.packing import unpack

_PATTERN = re.compile(r"0x([0-9a-f]+)", re.IGNORECASE)
_HEX_FLOAT = re.compile(r"([+-]?)0x([0-9a-f]*)\.?([0-9a-f]*)(?:p([+-]?\d+))?", re.IGNORECASE)
_SPECIAL = re.compile(r"([+-]?)(inf|infinity|nan)", re.IGNORECASE)
_LONGEST = 1000
_DEFAULT = "float32"

# Far beyond every input format, so a number with a larger exponent rounds as one with this.
_HUGE_EXPONENT = 5000


def read_number(text: str, format: str | None = None) -> FloatBits:
    """Return the number that *text* stands for in an input format, rounded to nearest even if need be.

    Args:
        text: A decimal, ``inf``, ``nan``, a hexadecimal float such as ``0x1.8p-3``, or a bit pattern such as
            ``0x3f800000``, for which the format must be given.
        format: "float16", "bfloat16", "float32" or "float64"; float32 when None.

    Raises:
        UnknownNameError: If there is no such format.
        DefinitionError: If text is no number, or a bit pattern of unknown format.
        CodeRangeError: If a bit pattern does not fit the format.
        ValueRefusedError: If a number is beyond the range of the format.
    """
    if format is not None and (not isinstance(format, str) or format not in INPUT_FORMATS):
        raise unknown_name("input format", format, INPUT_FORMATS)
    text = text.strip()
    name = _DEFAULT if format is None else format
    if pattern := _PATTERN.fullmatch(text):
        if format is None:
            raise DefinitionError(
                f"{text[:40]} is a bit pattern; say of which format: {', '.join(INPUT_FORMATS)}. "
                "A hexadecimal float has a point or an exponent, as 0x1p0"
            )
        if len(pattern[1]) > _LONGEST:
            raise CodeRangeError(f"a pattern of {len(pattern[1])} hex digits does not fit {name}")
        return FloatBits(name, int(pattern[1], 16))
    fmt = INPUT_FORMATS[name]
    exact = _read_exact(text)
    # A NaN is the quiet one, its sign kept.
    nearest = EncodeOptions(overflow="overflow", nan_sign="keep")
    code = encode_number(fmt, exact, nearest, None, 0).code
    if exact.is_finite and not decode_exact(fmt, code).is_finite:
        raise ValueRefusedError(f"{text} is beyond the range of {name}; write inf for an infinity")
    return FloatBits(name, code)


def read_blocks(format: str | BlockFormat, texts: Sequence[str]) -> Blocks:
    """Return blocks [len(texts)] from lines of hexadecimal ``SCALE:CODES``.

    CODES are codes separated by commas, element 0 first, where codes that are left out at the end are 0; or
    one word of as many digits as the block has, element 0 in the least significant bits.

    Raises:
        UnknownNameError: If there is no such format.
        DefinitionError: If a text is not of that form.
        ShapeError: If there are more codes than elements.
        CodeRangeError: If a code does not fit its format.
    """
    block_format = get_format(format)
    blocks = [_read_block(block_format, text) for text in texts]
    return Blocks(block_format, [codes for _, codes in blocks], [scale for scale, _ in blocks])


def _read_block(fmt: BlockFormat, text: str) -> tuple[int, list[int]]:
    scale, colon, codes = text.partition(":")
    parts = codes.split(",") if codes else []
    if not colon or not all(re.fullmatch(r"(0x)?[0-9a-f]+", each, re.IGNORECASE) for each in (scale, *parts)):
        raise DefinitionError(f"{text[:80]!r} is not SCALE:CODES in hexadecimal, such as 7f:38,40")
    bits = fmt.block_size * fmt.element.bits
    is_word = len(parts) == 1 and len(codes.lower().removeprefix("0x")) == bits / 4
    if is_word and bits > 8 and bits % 8 == 0:
        packed = np.frombuffer(int(codes, 16).to_bytes(bits // 8, "little"), np.uint8)
        return int(scale, 16), unpack(packed, fmt.element, "le").tolist()
    if len(parts) > fmt.block_size:
        raise ShapeError(f"{len(parts)} codes; a block of {fmt.name} has {fmt.block_size} elements")
    for number_format, each in [(fmt.scale, scale), *((fmt.element, each) for each in parts)]:
        if int(each, 16) >> number_format.bits:
            width = f"the {number_format.bits} bits of {number_format.name}"
            raise CodeRangeError(f"code {each[:40]} does not fit {width}")
    return int(scale, 16), [int(each, 16) for each in parts] + [0] * (fmt.block_size - len(parts))


def _read_exact(text: str) -> Exact:
    if special := _SPECIAL.fullmatch(text):
        return Exact("nan" if special[2].lower() == "nan" else "infinite", special[1] == "-")
    if len(text) > _LONGEST:
        raise DefinitionError(f"a number of {len(text)} characters; {_LONGEST} is the most")
    if hexadecimal := _HEX_FLOAT.fullmatch(text):
        sign, whole, rest, power = hexadecimal.groups(default="")
        if whole or rest:
            exponent = int(power or "0") - 4 * len(rest)
            limited = max(-_HUGE_EXPONENT - 8 * _LONGEST, min(exponent, _HUGE_EXPONENT))
            return Exact("finite", sign == "-", int(whole + rest, 16) * power_of_two(limited))
    try:
        decimal = Decimal(text)
        if not decimal.is_finite():
            raise InvalidOperation
    except InvalidOperation:
        raise DefinitionError(
            f"{text!r} is not a number; write a decimal, inf, nan, a hexadecimal float such as 0x1.8p-3, or "
            "a bit pattern such as 0x3f800000 with its format"
        ) from None
    parts = decimal.as_tuple()
    assert isinstance(parts.exponent, int)  # it is a letter where the number is not finite
    limited = max(-_HUGE_EXPONENT - _LONGEST, min(parts.exponent, _HUGE_EXPONENT))
    magnitude = int("".join(map(str, parts.digits))) * Fraction(10) ** limited
    return Exact("finite", decimal.is_signed(), magnitude)
