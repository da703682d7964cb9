"""`manifest.json` of a vector directory: what must stand in it, and the check that it does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from refmodel.accumulate import get_rule
from refmodel.errors import FileError, MxError
from refmodel.formats import BlockFormat
from refmodel.vectors.dotset import StimulusClassRange, get_vector_format

MANIFEST = "manifest.json"
FORMAT = "mx-refmodel-vectors"
VERSION = 1
OPERATION = "dot"


@dataclass(frozen=True, slots=True)
class Plane:
    """One file: its name, the bits of a word, the number of rows, and the SHA-256 of its bytes."""

    file: str
    bits: int
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest whose every field has been checked; attributes are its keys."""

    a_format: BlockFormat
    b_format: BlockFormat
    rule: str
    call: dict[str, object]
    blocks: int
    dots: int
    classes: tuple[StimulusClassRange, ...]
    planes: dict[str, Plane]


def parse_manifest(data: bytes, where: str) -> Manifest:
    """Return the manifest that the bytes of a file *where* hold.

    Raises:
        FileError: If it is not JSON, or a key is missing, unknown, of the wrong type, or contradicts another;
            the message names the line or the field.
    """
    reader = _Reader(where)
    top = reader.parse(data)
    # What the file is comes first: a manifest of something else is not judged by this one's keys.
    for key, expected in (("format", FORMAT), ("version", VERSION), ("operation", OPERATION)):
        reader.need_equal(top, "", key, expected)
    reader.need_keys(top, "", ("format", "version", "operation", *Manifest.__slots__))
    a_format, b_format = (reader.named(top, key, get_vector_format) for key in ("a_format", "b_format"))
    rule = reader.named(top, "rule", get_rule).name
    blocks, dots = (reader.need(top, "", key, _is_positive, _POSITIVE) for key in ("blocks", "dots"))
    if dots > blocks:
        raise reader.error("dots", f"is {dots}, more than blocks, {blocks}")
    reader.check_call(reader.need(top, "", "call", _is_object, "an object"))
    classes = reader.read_classes(reader.need(top, "", "classes", _is_list, "a list"), dots)
    widths = _plane_shapes(a_format, b_format, blocks, dots)
    planes = reader.read_planes(reader.need(top, "", "planes", _is_object, "an object"), widths)
    return Manifest(a_format, b_format, rule, top["call"], blocks, dots, classes, planes)


def _plane_shapes(
    a_format: BlockFormat, b_format: BlockFormat, blocks: int, dots: int
) -> dict[str, tuple[int, int]]:
    """Return plane name -> (bits of a word, rows)."""
    shapes = {}
    for side, block_format in (("a", a_format), ("b", b_format)):
        shapes[f"{side}_elements"] = (block_format.block_size * block_format.element.bits, blocks)
        shapes[f"{side}_scale"] = (block_format.scale.bits, blocks)
    return shapes | {"last": (1, blocks), "result": (32, dots)}


def _is_positive(value: Any) -> bool:
    return type(value) is int and value >= 1


def _is_natural(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(_is_positive(extent) for extent in value)


def _is_sha256(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")


_POSITIVE = "a positive integer"
_SHA256 = "64 lower-case hex digits"


@dataclass(frozen=True)
class _Reader:
    """Checks of the values of one file, which every message names."""

    where: str

    def error(self, field: str, problem: str) -> FileError:
        return FileError(f"{self.where}: field {field} {problem}")

    def parse(self, data: bytes) -> dict[str, Any]:
        def members_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            members: dict[str, Any] = {}
            for key, value in pairs:
                if key in members:
                    raise FileError(f"{self.where}: key {key!r} occurs twice in one object")
                members[key] = value
            return members

        try:
            top = json.loads(data.decode(), object_pairs_hook=members_once)
        except UnicodeDecodeError as error:
            raise FileError(f"{self.where}: not UTF-8 text: {error.reason} at byte {error.start}") from error
        except json.JSONDecodeError as error:
            raise FileError(f"{self.where}: line {error.lineno}: not valid JSON: {error.msg}") from error
        except FileError:
            raise
        except (RecursionError, ValueError) as error:  # nested too deep, or a number of too many digits
            raise FileError(f"{self.where}: not valid JSON: {type(error).__name__}") from error
        if not isinstance(top, dict):
            raise FileError(f"{self.where}: holds {_show(top)}; expected an object")
        return top

    def need(
        self, values: Mapping[str, Any], prefix: str, key: str, check: Callable[[Any], bool], expected: str
    ) -> Any:
        """Return values[key] if *check* accepts it."""
        if key not in values:
            raise self.error(prefix + key, f"is missing; expected {expected}")
        if not check(values[key]):
            raise self.error(prefix + key, f"is {_show(values[key])}; expected {expected}")
        return values[key]

    def need_equal(self, values: Mapping[str, Any], prefix: str, key: str, expected: str | int) -> None:
        """Raise unless values[key] is *expected*."""

        def is_expected(value: Any) -> bool:
            return type(value) is type(expected) and value == expected

        self.need(values, prefix, key, is_expected, _show(expected))

    def need_keys(self, values: Mapping[str, Any], prefix: str, keys: tuple[str, ...]) -> None:
        """Raise unless *values* has just these keys."""
        for key in keys:
            if key not in values:
                raise self.error(prefix + key, "is missing")
        for key in values:
            if key not in keys:
                raise self.error(prefix + key, f"is unknown; the keys here are {', '.join(keys)}")

    def an_object(self, value: Any, prefix: str) -> dict[str, Any]:
        """Return *value*, an item of a list whose members have this prefix, if it is an object."""
        if not isinstance(value, dict):
            raise self.error(prefix.removesuffix("."), f"is {_show(value)}; expected an object")
        return value

    def named(self, values: Mapping[str, Any], key: str, get: Callable[[str], Any]) -> Any:
        """Return what the name values[key] stands for."""
        name = self.need(values, "", key, _is_text, "a name")
        try:
            return get(name)
        except MxError as error:
            raise self.error(key, f"is wrong: {error}") from error

    def check_call(self, call: dict[str, Any]) -> None:
        self.need_keys(call, "call.", ("seed", "count", "multi_block", "inputs"))
        self.need(call, "call.", "seed", _is_natural, "a non-negative integer")
        self.need(call, "call.", "count", _is_positive, _POSITIVE)
        self.need(call, "call.", "multi_block", lambda value: isinstance(value, bool), "true or false")
        inputs = self.need(call, "call.", "inputs", _is_list, "a list")
        for number, each in enumerate(inputs):
            prefix = f"call.inputs[{number}]."
            self.need_keys(self.an_object(each, prefix), prefix, ("label", "a", "b"))
            self.need(each, prefix, "label", _is_text, "text")
            for side in ("a", "b"):
                tensor = self.need(each, prefix, side, _is_object, "an object")
                self.need_keys(tensor, f"{prefix}{side}.", ("dtype", "shape", "sha256"))
                self.need(tensor, f"{prefix}{side}.", "dtype", _is_text, "text")
                self.need(tensor, f"{prefix}{side}.", "shape", _is_shape, "two positive integers")
                self.need(tensor, f"{prefix}{side}.", "sha256", _is_sha256, _SHA256)

    def read_classes(self, classes: list[Any], dots: int) -> tuple[StimulusClassRange, ...]:
        ranges: list[StimulusClassRange] = []
        first = 0
        for number, each in enumerate(classes):
            prefix = f"classes[{number}]."
            self.need_keys(self.an_object(each, prefix), prefix, StimulusClassRange.__slots__)
            self.need(each, prefix, "name", _is_text, "text")
            self.need(each, prefix, "description", _is_text, "text")
            self.need_equal(each, prefix, "first", first)
            first += self.need(each, prefix, "count", _is_natural, "a non-negative integer")
            if each["name"] in (known.name for known in ranges):
                raise self.error(f"{prefix}name", f"is {each['name']!r}, like that of a class before")
            ranges.append(StimulusClassRange(**each))
        if first != dots:
            raise self.error("classes", f"cover {first} dots; field dots says {dots}")
        return tuple(ranges)

    def read_planes(self, planes: dict[str, Any], shapes: dict[str, tuple[int, int]]) -> dict[str, Plane]:
        self.need_keys(planes, "planes.", tuple(shapes))
        read = {}
        for name, (bits, rows) in shapes.items():
            prefix = f"planes.{name}."
            plane = self.need(planes, "planes.", name, _is_object, "an object")
            self.need_keys(plane, prefix, Plane.__slots__)
            for key, expected in (("file", f"{name}.hex"), ("bits", bits), ("rows", rows)):
                self.need_equal(plane, prefix, key, expected)
            self.need(plane, prefix, "sha256", _is_sha256, _SHA256)
            read[name] = Plane(**plane)
        return read


def _show(value: object) -> str:
    """Return a JSON value for a one-line message."""
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
