"""`manifest.json` of a vector directory: what must stand in it, and the check that it does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from refmodel.accumulate import AccumulationRule, from_dict, get_rule
from refmodel.errors import FileError, MxError
from refmodel.formats import BlockFormat, ElementFormat, NumberFormat
from refmodel.layouts import get_plan, list_layouts
from refmodel.options import EncodeOptions, QuantizeOptions
from refmodel.packing import SCALE_POSITIONS
from refmodel.vectors.dotset import LANES_WITHOUT_SCALE, get_operand_format, get_vector_format
from refmodel.vectors.flags import OUTCOMES
from refmodel.vectors.forms import FORMS
from refmodel.vectors.numbers import NUMBER_FORMATS
from refmodel.vectors.singles import get_code_format
from refmodel.vectors.target import result_width
from refmodel.vectors.vectorset import Direction, PlaneShape, StimulusClassRange

MANIFEST = "manifest.json"
FORMAT = "mx-refmodel-vectors"
VERSION = 4


@dataclass(frozen=True, slots=True)
class Acceptable:
    """What `acceptable.jsonl` holds: choices left open, how many vectors have several results, and its SHA-256."""

    undeclared: tuple[str, ...]
    vectors: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest whose every field has been checked.

    Attributes:
        operation: Name of the operation.
        parameters: What its manifest has besides: formats, rule, options, by key.
        call: What made the set.
        counts: How many of what the planes have a word for.
        classes: The stimulus classes.
        shapes: Planes by name.
        forms: For each form in which the planes are there, the SHA-256 of its files by name.
        acceptable: What there is of acceptable results besides those of the planes, if choices are left open.
    """

    operation: str
    parameters: dict[str, Any]
    call: dict[str, object]
    counts: dict[str, int]
    classes: tuple[StimulusClassRange, ...]
    shapes: dict[str, PlaneShape]
    forms: dict[str, dict[str, str]]
    acceptable: Acceptable | None = None

    @property
    def files(self) -> list[str]:
        """Names of all files beside the manifest."""
        files = [file for digests in self.forms.values() for file in digests]
        return files if self.acceptable is None else [*files, "acceptable.jsonl"]


@dataclass(frozen=True, slots=True)
class _Operation:
    """How to read the manifest of an operation.

    Attributes:
        parameters: Keys of its parameters, and what checks and translates each.
        counts: Keys of its counts, the number of vectors last.
        call: Keys of its call besides seed, count, inputs and shard; each is true or false.
        shapes: Function of parameters, counts and call to the planes.
    """

    parameters: dict[str, Callable[[_Reader, Mapping[str, Any], str], Any]]
    counts: tuple[str, ...]
    call: tuple[str, ...]
    shapes: Callable[[dict[str, Any], dict[str, int], dict[str, Any]], dict[str, PlaneShape]]


def parse_manifest(data: bytes, where: str) -> Manifest:
    """Return the manifest that the bytes of a file *where* hold.

    Raises:
        FileError: If it is not JSON, or a key is missing, unknown, of the wrong type, or contradicts another;
            the message names the line or the field.
    """
    reader = _Reader(where)
    top = reader.parse(data)
    # What the file is comes first: a manifest of something else is not judged by this one's keys.
    for key, expected in (("format", FORMAT), ("version", VERSION)):
        reader.need_equal(top, "", key, expected)
    name = reader.need(top, "", "operation", lambda value: value in list(_OPERATIONS), _one_of(_OPERATIONS))
    operation = _OPERATIONS[name]
    keys = ("format", "version", "operation", *operation.parameters, "call", *operation.counts, "flags", "classes")
    optional = ("acceptable",) if "acceptable" in top else ()
    reader.need_keys(top, "", (*keys, *optional, "planes", "forms"))
    parameters = {key: read(reader, top, key) for key, read in operation.parameters.items()}
    counts = {key: reader.need(top, "", key, _is_positive, _POSITIVE) for key in operation.counts}
    rows, vectors = operation.counts[0], operation.counts[-1]
    if counts[vectors] > counts[rows]:
        raise reader.error(vectors, f"is {counts[vectors]}, more than {rows}, {counts[rows]}")
    call = reader.need(top, "", "call", _is_object, "an object")
    reader.check_call(call, operation.call)
    reader.check_flags(reader.need(top, "", "flags", _is_object, "an object"))
    listed = reader.need(top, "", "classes", _is_list, "a list")
    classes = reader.read_classes(listed, list(top["flags"]), counts[vectors], vectors)
    shapes = operation.shapes(parameters, counts, call)
    reader.check_planes(reader.need(top, "", "planes", _is_object, "an object"), shapes)
    forms = reader.read_forms(reader.need(top, "", "forms", _is_object, "an object"), shapes)
    acceptable = reader.read_acceptable(top, counts[vectors]) if optional else None
    return Manifest(name, parameters, call, counts, classes, shapes, forms, acceptable)


def describe_plane(shape: PlaneShape) -> dict[str, str | int]:
    """Return what the manifest says of a plane."""
    return {"direction": shape.direction, "codes": shape.codes, "bits": shape.bits, "rows": shape.rows}


def _operand_format(reader: _Reader, top: Mapping[str, Any], key: str) -> BlockFormat | ElementFormat:
    fmt: BlockFormat | ElementFormat = reader.named(top, key, get_operand_format)
    return fmt


def _lanes(reader: _Reader, top: Mapping[str, Any], key: str) -> int:
    a, b = (reader.named(top, f"{side}_format", get_operand_format) for side in ("a", "b"))
    if isinstance(a, BlockFormat) != isinstance(b, BlockFormat):
        raise reader.error("b_format", f"is {_show(b.name)}; A and B both have block scales or neither")
    lanes = a.block_size if isinstance(a, BlockFormat) else LANES_WITHOUT_SCALE
    reader.need_equal(top, "", key, lanes)
    return lanes


def _rule(reader: _Reader, top: Mapping[str, Any], key: str) -> AccumulationRule:
    """A rule is given by its name, or by its fields."""
    given = reader.need(top, "", key, lambda value: isinstance(value, str | dict), "a name or an object")
    try:
        return get_rule(given) if isinstance(given, str) else from_dict(given)
    except MxError as error:
        raise reader.error(key, f"is wrong: {error}") from error


def _dot_shapes(parameters: dict[str, Any], counts: dict[str, int], call: dict[str, Any]) -> dict[str, PlaneShape]:
    blocks, dots = counts["blocks"], counts["dots"]
    shapes = {}
    for side in ("a", "b"):
        fmt = parameters[f"{side}_format"]
        element = fmt.element if isinstance(fmt, BlockFormat) else fmt
        shapes[f"{side}_elements"] = PlaneShape("input", parameters["lanes"], element.bits, blocks)
        if isinstance(fmt, BlockFormat):
            shapes[f"{side}_scale"] = PlaneShape("input", 1, fmt.scale.bits, blocks)
    shapes["last"] = PlaneShape("input", 1, 1, blocks)
    if call["initial_values"]:
        shapes["c"] = PlaneShape("input", 1, 32, dots)
    return shapes | {"result": PlaneShape("output", 1, result_width(parameters["rule"]), dots)}


def _tile_shapes(parameters: dict[str, Any], counts: dict[str, int], call: dict[str, Any]) -> dict[str, PlaneShape]:
    extents = {"a": parameters["rows"], "b": parameters["columns"]}
    of_dots = _dot_shapes(parameters, {"blocks": counts["steps"], "dots": counts["tiles"]}, call)
    entries = extents["a"] * extents["b"]
    return {
        name: replace(shape, codes=shape.codes * (1 if name == "last" else extents.get(name[:2].rstrip("_"), entries)))
        for name, shape in of_dots.items()
    }


def _extent(reader: _Reader, top: Mapping[str, Any], key: str) -> int:
    extent: int = reader.need(top, "", key, _is_positive, _POSITIVE)
    return extent


def _block_format(reader: _Reader, top: Mapping[str, Any], key: str) -> BlockFormat:
    fmt: BlockFormat = reader.named(top, key, get_vector_format)
    return fmt


def _input_format(reader: _Reader, top: Mapping[str, Any], key: str) -> str:
    name: str = reader.need(top, "", key, lambda value: value in list(NUMBER_FORMATS), _one_of(NUMBER_FORMATS))
    return name


def _options_of(kind: type[EncodeOptions]) -> Callable[[_Reader, Mapping[str, Any], str], EncodeOptions]:
    def read(reader: _Reader, top: Mapping[str, Any], key: str) -> EncodeOptions:
        given = reader.need(top, "", key, _is_object, "an object")
        reader.need_keys(given, f"{key}.", tuple(field.name for field in fields(kind)))
        try:
            return kind(**given)
        except MxError as error:
            raise reader.error(key, f"is wrong: {error}") from error

    return read


def _number_format(reader: _Reader, top: Mapping[str, Any], key: str) -> NumberFormat:
    fmt: NumberFormat = reader.named(top, key, get_code_format)
    return fmt


def _layout(reader: _Reader, top: Mapping[str, Any], key: str) -> str:
    bits = reader.named(top, "block_format", get_vector_format).element.bits
    layouts = list_layouts(bits)
    name: str = reader.need(top, "", key, lambda value: value in list(layouts), _one_of(layouts))
    return name


def _scale_position(reader: _Reader, top: Mapping[str, Any], key: str) -> str:
    name: str = reader.need(top, "", key, lambda value: value in list(SCALE_POSITIONS), _one_of(SCALE_POSITIONS))
    return name


def _quantize_shapes(parameters: dict[str, Any], counts: dict[str, int], call: dict[str, Any]) -> dict[str, PlaneShape]:
    fmt, blocks = parameters["block_format"], counts["blocks"]
    width = NUMBER_FORMATS[parameters["input_format"]].width
    return {"values": PlaneShape("input", fmt.block_size, width, blocks)} | _block_shapes(fmt, "output", blocks)


def _dequantize_shapes(
    parameters: dict[str, Any], counts: dict[str, int], call: dict[str, Any]
) -> dict[str, PlaneShape]:
    fmt, blocks = parameters["block_format"], counts["blocks"]
    return _block_shapes(fmt, "input", blocks) | {"values": PlaneShape("output", fmt.block_size, 32, blocks)}


def _block_shapes(fmt: BlockFormat, direction: Direction, blocks: int) -> dict[str, PlaneShape]:
    return {
        "elements": PlaneShape(direction, fmt.block_size, fmt.element.bits, blocks),
        "scale": PlaneShape(direction, 1, fmt.scale.bits, blocks),
    }


def _decode_shapes(parameters: dict[str, Any], counts: dict[str, int], call: dict[str, Any]) -> dict[str, PlaneShape]:
    rows = counts["codes"]
    return {
        "code": PlaneShape("input", 1, parameters["number_format"].bits, rows),
        "value": PlaneShape("output", 1, 32, rows),
    }


def _encode_shapes(parameters: dict[str, Any], counts: dict[str, int], call: dict[str, Any]) -> dict[str, PlaneShape]:
    rows = counts["numbers"]
    return {
        "value": PlaneShape("input", 1, NUMBER_FORMATS[parameters["input_format"]].width, rows),
        "code": PlaneShape("output", 1, parameters["number_format"].bits, rows),
    }


def _pack_shapes(parameters: dict[str, Any], counts: dict[str, int], call: dict[str, Any]) -> dict[str, PlaneShape]:
    return _with_packed(parameters, counts, "input") | {"packed": _packed(parameters, counts, "output")}


def _unpack_shapes(parameters: dict[str, Any], counts: dict[str, int], call: dict[str, Any]) -> dict[str, PlaneShape]:
    return {"packed": _packed(parameters, counts, "input")} | _with_packed(parameters, counts, "output")


def _with_packed(parameters: dict[str, Any], counts: dict[str, int], direction: Direction) -> dict[str, PlaneShape]:
    shapes = _block_shapes(parameters["block_format"], direction, counts["blocks"])
    if parameters["scale_position"] == "apart":
        del shapes["scale"]
    return shapes


def _packed(parameters: dict[str, Any], counts: dict[str, int], direction: Direction) -> PlaneShape:
    fmt: BlockFormat = parameters["block_format"]
    plan = get_plan(parameters["layout"], fmt.element.bits)
    beside = 0 if parameters["scale_position"] == "apart" else 1
    return PlaneShape(direction, fmt.block_size // plan.unit * plan.unit_bytes + beside, 8, counts["blocks"])


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


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(_is_positive(extent) for extent in value)


def _is_shard(value: Any) -> bool:
    if not (isinstance(value, list) and len(value) == 2 and _is_natural(value[0]) and _is_natural(value[1])):
        return False
    return bool(value[0] < value[1])


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

    def check_call(self, call: dict[str, Any], switches: tuple[str, ...]) -> None:
        self.need_keys(call, "call.", ("seed", "count", *switches, "inputs", "shard"))
        self.need(call, "call.", "seed", _is_natural, "a non-negative integer")
        self.need(call, "call.", "count", _is_positive, _POSITIVE)
        for switch in switches:
            self.need(call, "call.", switch, lambda value: isinstance(value, bool), "true or false")
        self.need(call, "call.", "shard", _is_shard, "two integers: number of the shard, from 0, and of how many")
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

    def check_flags(self, flags: dict[str, Any]) -> None:
        for name, flag in flags.items():
            prefix = f"flags.{name}."
            self.an_object(flag, prefix)
            declared = ("declared",) if "declared" in flag else ()
            self.need_keys(flag, prefix, ("why", "outcome", "clauses", *declared))
            self.need(flag, prefix, "why", _is_text, "text")
            self.need(flag, prefix, "outcome", lambda value: value in OUTCOMES, _one_of(OUTCOMES))
            self.need(flag, prefix, "clauses", _are_texts, "a list of ids")
            if declared:
                self.need(flag, prefix, "declared", _is_object, "an object")

    def read_classes(
        self, classes: list[Any], flags: list[str], vectors: int, what: str
    ) -> tuple[StimulusClassRange, ...]:
        ranges: list[StimulusClassRange] = []
        first = 0
        for number, each in enumerate(classes):
            prefix = f"classes[{number}]."
            self.need_keys(self.an_object(each, prefix), prefix, (*StimulusClassRange.__slots__, "flags"))
            self.need(each, prefix, "name", _is_text, "text")
            self.need(each, prefix, "description", _is_text, "text")
            self.need_equal(each, prefix, "first", first)
            first += self.need(each, prefix, "count", _is_natural, "a non-negative integer")
            if each["name"] in (known.name for known in ranges):
                raise self.error(f"{prefix}name", f"is {each['name']!r}, like that of a class before")
            for flag in self.need(each, prefix, "flags", _are_texts, "a list of names"):
                if flag not in flags:
                    raise self.error(f"{prefix}flags", f"has {_show(flag)}, which field flags does not explain")
            ranges.append(StimulusClassRange(**{key: each[key] for key in StimulusClassRange.__slots__}))
        if first != vectors:
            raise self.error("classes", f"cover {first} {what}; field {what} says {vectors}")
        return tuple(ranges)

    def read_acceptable(self, top: dict[str, Any], vectors: int) -> Acceptable:
        given = self.need(top, "", "acceptable", _is_object, "an object")
        prefix = "acceptable."
        self.need_keys(given, prefix, Acceptable.__slots__)
        undeclared = self.need(given, prefix, "undeclared", _are_texts, "a list of names")
        count = self.need(given, prefix, "vectors", _is_natural, "a non-negative integer")
        if count > vectors:
            raise self.error(f"{prefix}vectors", f"is {count}, more than there are, {vectors}")
        digest = self.need(given, prefix, "sha256", _is_sha256, _SHA256)
        return Acceptable(tuple(undeclared), count, digest)

    def check_planes(self, planes: dict[str, Any], shapes: dict[str, PlaneShape]) -> None:
        self.need_keys(planes, "planes.", tuple(shapes))
        for name, shape in shapes.items():
            plane = self.need(planes, "planes.", name, _is_object, "an object")
            wanted = describe_plane(shape)
            self.need_keys(plane, f"planes.{name}.", tuple(wanted))
            for key, expected in wanted.items():
                self.need_equal(plane, f"planes.{name}.", key, expected)

    def read_forms(self, forms: dict[str, Any], shapes: dict[str, PlaneShape]) -> dict[str, dict[str, str]]:
        if not forms:
            raise self.error("forms", f"is empty; expected {_one_of(FORMS)}")
        for form in forms:
            if form not in FORMS:
                raise self.error(f"forms.{form}", f"is unknown; expected {_one_of(FORMS)}")
            prefix = f"forms.{form}."
            digests = self.need(forms, "forms.", form, _is_object, "an object")
            self.need_keys(digests, prefix, tuple(FORMS[form].files(shapes)))
            for file in digests:
                self.need(digests, prefix, file, _is_sha256, _SHA256)
        return forms


def _show(value: object) -> str:
    """Return a JSON value for a one-line message."""
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


_OPERATIONS = {
    "dot": _Operation(
        parameters={"a_format": _operand_format, "b_format": _operand_format, "lanes": _lanes, "rule": _rule},
        counts=("blocks", "dots"),
        call=("multi_block", "initial_values"),
        shapes=_dot_shapes,
    ),
    "matmul_tile": _Operation(
        parameters={
            "a_format": _operand_format,
            "b_format": _operand_format,
            "lanes": _lanes,
            "rows": _extent,
            "columns": _extent,
            "rule": _rule,
        },
        counts=("steps", "tiles"),
        call=("initial_values",),
        shapes=_tile_shapes,
    ),
    "quantize": _Operation(
        parameters={
            "block_format": _block_format,
            "input_format": _input_format,
            "options": _options_of(QuantizeOptions),
        },
        counts=("blocks",),
        call=(),
        shapes=_quantize_shapes,
    ),
    "dequantize": _Operation(
        parameters={"block_format": _block_format},
        counts=("blocks",),
        call=(),
        shapes=_dequantize_shapes,
    ),
    "decode": _Operation(
        parameters={"number_format": _number_format},
        counts=("codes",),
        call=(),
        shapes=_decode_shapes,
    ),
    "encode": _Operation(
        parameters={
            "number_format": _number_format,
            "input_format": _input_format,
            "options": _options_of(EncodeOptions),
        },
        counts=("numbers",),
        call=(),
        shapes=_encode_shapes,
    ),
} | {
    name: _Operation(
        parameters={"block_format": _block_format, "layout": _layout, "scale_position": _scale_position},
        counts=("blocks",),
        call=(),
        shapes=shapes,
    )
    for name, shapes in (("pack", _pack_shapes), ("unpack", _unpack_shapes))
}


def _one_of(names: Iterable[str]) -> str:
    return "one of " + ", ".join(map(_show, names))
