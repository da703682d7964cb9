"""Formats described in text or JSON: named ones by their name, any other by its fields.

A number format is a name or ``WORD:WORD:...``:

* ``eXmY:SPECIALS``: X exponent and Y mantissa bits, specials ``none``, ``fn`` or ``ieee``; then, if wanted,
  ``bias=N`` (2**(X - 1) - 1 otherwise), ``unsigned``, ``no-subnormals``, ``ignored=N``.
* ``intN``: N bits of two's complement; then, if wanted, ``fraction=F`` fraction bits (N - 2 otherwise, the
  range of INT8).

A block format is a name or ``ELEMENT/SCALE/SIZE``, or ``ELEMENT/SCALE/SIZE/float32`` with a tensor scale.
SIZE is a number of elements, or ``axis``: the length of the axis along which blocks run, a scale a channel.

>>> parse_format("e3m4:fn:bias=3/e8m0/16").element.max_value
30.0
>>> parse_format("mxint8") == get_format("mxint8")
True
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar, cast

from refmodel.errors import DefinitionError, MxError, UnknownNameError
from refmodel.formats import (
    SPECIALS,
    BlockFormat,
    ElementFormat,
    FloatFormat,
    IntegerFormat,
    NumberFormat,
    ScaleFormat,
    get_element,
    get_format,
    get_number_format,
    get_scale,
    list_formats,
)

MAX_BLOCK_SIZE = 1 << 16
"""Elements of a block, where the number is given."""

_Number = TypeVar("_Number", bound=NumberFormat)

_FLOAT = re.compile(r"e(\d{1,2})m(\d{1,2})")
_INTEGER = re.compile(r"int(\d{1,2})")
_NUMBER = re.compile(r"(bias|fraction|ignored)=(-?\d{1,4})")
_SYNTAX = "eXmY:none, :fn or :ieee[:bias=N][:unsigned][:no-subnormals][:ignored=N], or intN[:fraction=N]"
_MAX_ELEMENT_BITS = 8


def parse_number_format(text: str) -> NumberFormat:
    """Return the element or scale format that *text* names or describes.

    The name of a described format is its description, as short as it can be, so that it is parsed back to the
    same format.

    Raises:
        UnknownNameError: If text is neither a name nor has the form of a description.
        DefinitionError: If the description contradicts itself, or a value is not a Float32.
    """
    try:
        return get_number_format(text)
    except UnknownNameError as error:
        name, *words = text.split(":")
        is_float, is_integer = _FLOAT.fullmatch(name), _INTEGER.fullmatch(name)
        if not (is_float and words) and not is_integer:
            raise UnknownNameError(f"{error}; or describe one: {_SYNTAX}") from None
    given = _words(text, words)
    if is_integer:
        return _integer(text, int(is_integer[1]), given)
    assert is_float is not None
    return _float(text, int(is_float[1]), int(is_float[2]), given)


def parse_element(text: str) -> ElementFormat:
    """Return the element format that *text* names or describes: a number format of 2 to 8 bits.

    Raises:
        UnknownNameError, DefinitionError: As `parse_number_format`; also if it is wider, or a scale's name.
    """
    return _as_element(get_element(text) if ":" not in text and _is_name(text) else parse_number_format(text))


def parse_format(text: str, length: int | None = None) -> BlockFormat:
    """Return the block format that *text* names or describes.

    Args:
        text: The name or description.
        length: What ``axis`` as block size stands for, 1 at least; it is refused when None.

    Raises:
        UnknownNameError: If text is neither a name nor of the form ELEMENT/SCALE/SIZE.
        DefinitionError: If a part of it contradicts itself or the others.
    """
    parts = text.split("/")
    if len(parts) == 1:
        try:
            return get_format(text)
        except UnknownNameError as error:
            raise UnknownNameError(f"{error}; or describe one: ELEMENT/SCALE/SIZE") from None
    if len(parts) not in (3, 4):
        raise DefinitionError(f"format {text[:80]!r}: write ELEMENT/SCALE/SIZE, such as e2m1/e8m0/16")
    element, scale = parse_element(parts[0]), _as_scale(parse_number_format(parts[1]))
    size = length if parts[2] == "axis" else _block_size(text, parts[2])
    if size is None:
        raise DefinitionError(f"format {text[:80]!r}: there is no axis here; give the block size as a number")
    tensor_scale = get_scale(parts[3]) if len(parts) == 4 else None
    names = [element.name, scale.name, str(size), *parts[3:]]
    return BlockFormat("/".join(names), element, scale, size, tensor_scale)


def describe_format(fmt: BlockFormat) -> dict[str, Any]:
    """Return a block format as JSON values, from which `format_from_description` makes it again."""
    described = asdict(fmt)
    for key in ("element", "scale", "tensor_scale"):
        if described[key] is not None:
            kind = "integer" if isinstance(getattr(fmt, key), IntegerFormat) else "float"
            described[key] = {"kind": kind, **described[key]}
    return described


def format_from_description(described: object) -> BlockFormat:
    """Return the block format that JSON values describe.

    Raises:
        DefinitionError: If a key is missing, unknown or of the wrong type, if the fields contradict each
            other, or if the name is that of another format.
    """
    values = _need_object(described, "block format", (field.name for field in fields(BlockFormat)))
    name, size = values["name"], values["block_size"]
    if not isinstance(name, str) or type(size) is not int:
        raise DefinitionError("block format: name must be a text and block_size an integer")
    element = _as_element(_number_from(values["element"], "element"))
    scale = _as_scale(_number_from(values["scale"], "scale"))
    tensor_scale = values["tensor_scale"]
    if tensor_scale is not None:
        tensor_scale = _as_scale(_number_from(tensor_scale, "tensor_scale"))
    fmt = BlockFormat(name, element, scale, size, tensor_scale)
    if name in list_formats() and get_format(name) != fmt:
        raise DefinitionError(f"block format: {name!r} is the name of another format than the one described")
    return fmt


def _words(text: str, words: list[str]) -> dict[str, int | str]:
    """Return the words after the first: numbers by name, specials as such, flags as 1."""
    given: dict[str, int | str] = {}
    for word in words:
        key, value = word, cast("int | str", 1)
        if word in SPECIALS:
            key, value = "specials", word
        elif number := _NUMBER.fullmatch(word):
            key, value = number[1], int(number[2])
        elif word not in ("unsigned", "no-subnormals"):
            raise DefinitionError(f"format {text[:80]!r}: {word[:40]!r} means nothing here; write {_SYNTAX}")
        if key in given:
            raise DefinitionError(f"format {text[:80]!r}: {key} is given twice")
        given[key] = value
    return given


def _float(text: str, exponent_bits: int, mantissa_bits: int, given: dict[str, int | str]) -> FloatFormat:
    if "fraction" in given:
        raise DefinitionError(f"format {text[:80]!r}: fraction= is for integers")
    specials = given.get("specials")
    if specials is None:
        raise DefinitionError(f"format {text[:80]!r}: say which codes are no numbers: {', '.join(SPECIALS)}")
    usual = 2 ** (exponent_bits - 1) - 1 if exponent_bits else 0
    bias, ignored = int(given.get("bias", usual)), int(given.get("ignored", 0))
    words = [f"e{exponent_bits}m{mantissa_bits}", str(specials)]
    words += [f"bias={bias}"] * (bias != usual)
    words += [word for word in ("unsigned", "no-subnormals") if word in given]
    words += [f"ignored={ignored}"] * (ignored != 0)
    return _representable(
        FloatFormat(
            ":".join(words),
            exponent_bits,
            mantissa_bits,
            bias,
            cast(Any, specials),
            signed="unsigned" not in given,
            subnormals="no-subnormals" not in given,
            ignored_bits=ignored,
        )
    )


def _integer(text: str, bits: int, given: dict[str, int | str]) -> IntegerFormat:
    for key in given:
        if key != "fraction":
            raise DefinitionError(f"format {text[:80]!r}: {key} is for floating point")
    usual = bits - 2
    fraction = int(given.get("fraction", usual))
    name = f"int{bits}" + f":fraction={fraction}" * (fraction != usual)
    return _representable(IntegerFormat(name, bits, fraction))


def _is_name(text: str) -> bool:
    try:
        get_number_format(text)
    except UnknownNameError:
        return False
    return True


def _representable(fmt: _Number) -> _Number:
    """Return *fmt* if it has normal numbers, and Float32 all its values: what the model's exactness rests on.

    Raises:
        DefinitionError: If one is not.
    """
    if fmt.bits > 32 or (isinstance(fmt, FloatFormat) and fmt.exponent_bits + fmt.mantissa_bits < 2):
        raise DefinitionError(
            f"format {fmt.name[:80]!r}: {fmt.bits} bits; a code has at most 32, exponent and mantissa "
            "together at least 2"
        )
    precision = fmt.bits - 1 if isinstance(fmt, IntegerFormat) else fmt.mantissa_bits + 1
    if fmt.quantum_exponent < -149 or fmt.emax > 127 or precision > 24:
        raise DefinitionError(
            f"format {fmt.name[:80]!r}: has {precision}-bit values from 2**{fmt.quantum_exponent} to above "
            f"2**{fmt.emax}; Float32 must hold all of them (24 bits, 2**-149 to 2**127)"
        )
    return fmt


def _as_element(fmt: NumberFormat) -> ElementFormat:
    if fmt.bits > _MAX_ELEMENT_BITS:
        raise DefinitionError(f"format {fmt.name[:80]!r}: {fmt.bits} bits; an element has 8 at most")
    return fmt


def _as_scale(fmt: NumberFormat) -> ScaleFormat:
    if isinstance(fmt, IntegerFormat):
        raise DefinitionError(f"format {fmt.name[:80]!r}: a scale is a floating-point format")
    return fmt


def _block_size(text: str, size: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", size):
        raise DefinitionError(f"format {text[:80]!r}: block size {size[:20]!r} is not an integer, or axis")
    if int(size) > MAX_BLOCK_SIZE:
        raise DefinitionError(f"format {text[:80]!r}: block size {size}; {MAX_BLOCK_SIZE} is the most")
    return int(size)


def _need_object(value: object, what: str, keys: Any) -> Mapping[str, Any]:
    expected = list(keys)
    if not isinstance(value, dict) or sorted(value) != sorted(expected):
        raise DefinitionError(f"{what}: must be an object with just the keys {', '.join(expected)}")
    return value


def _number_from(described: object, what: str) -> NumberFormat:
    kinds: dict[object, type[NumberFormat]] = {"float": FloatFormat, "integer": IntegerFormat}
    kind = described.get("kind") if isinstance(described, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        raise DefinitionError(f"{what}: must be an object with kind 'float' or 'integer'")
    known = fields(kinds[kind])
    values = dict(_need_object(described, what, ("kind", *(field.name for field in known))))
    del values["kind"]
    types = {"int": int, "bool": bool, "str": str, "Specials": str}
    for field in known:
        if type(values[field.name]) is not types[str(field.type)]:
            raise DefinitionError(f"{what}: {field.name} must be of type {field.type}")
    if any(abs(value) > 1 << 12 for value in values.values() if type(value) is int):
        raise DefinitionError(f"{what}: a number is beyond 4096")
    try:
        fmt = _representable(FloatFormat(**values) if kind == "float" else IntegerFormat(**values))
    except MxError as error:
        raise DefinitionError(f"{what}: {error}") from None
    if _is_name(fmt.name) and get_number_format(fmt.name) != fmt:
        raise DefinitionError(f"{what}: {fmt.name!r} is the name of another format than the one described")
    return fmt
