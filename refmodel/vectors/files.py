"""The vector directory: `manifest.json`, and planes in one or several of the forms of `refmodel.vectors.forms`.

A word is a row of codes without gaps, code 0 in the least significant bits. Which planes there are follows
from the operation: `VectorSet.planes`.

A directory is complete or absent: it is written under another name and renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.blocks import Blocks
from refmodel.errors import DefinitionError, FileError, MxError, unknown_name
from refmodel.formats import BlockFormat
from refmodel.vectors.acceptable import ACCEPTABLE, acceptable_lines
from refmodel.vectors.conversions import DequantizeVectors, QuantizeVectors
from refmodel.vectors.dotset import DotVectors, unscaled_blocks
from refmodel.vectors.flags import describe_flags
from refmodel.vectors.forms import FORMS, Contents, LineFile, read_bytes
from refmodel.vectors.manifest import FORMAT, MANIFEST, VERSION, Acceptable, Manifest, describe_plane, parse_manifest
from refmodel.vectors.packings import PackVectors, UnpackVectors
from refmodel.vectors.singles import DecodeVectors, EncodeVectors
from refmodel.vectors.tiles import TileVectors
from refmodel.vectors.vectorset import PlaneShape, StimulusClassRange, VectorSet

HEX = "hex"
"""The form that is written unless another is asked for."""


def write_vectors(
    vectors: VectorSet | Iterable[VectorSet],
    directory: str | os.PathLike[str],
    forms: Sequence[str] = (HEX,),
    undeclared: Sequence[str] = (),
) -> Path:
    """Write a vector directory and return its path.

    A vector directory of that name is replaced; anything else that stands there is left alone.

    Args:
        vectors: A set, or its parts one after the other, each of which is forgotten once it is written.
        directory: Where.
        forms: In which forms, of `FORMS`.
        undeclared: Choices that a design leaves open, see `refmodel.vectors.acceptable`.

    Raises:
        DefinitionError: If such a choice decides no result of the set.
        FileError: As `check_destination`.
        UnknownNameError: If there is no such form.
        OSError: If the system refuses; nothing is left behind then.
    """
    check_forms(forms)
    target = check_destination(directory)
    target.parent.mkdir(parents=True, exist_ok=True)
    mark = secrets.token_hex(4)
    temporary, old = (target.with_name(f".{target.name}.{mark}.{kind}") for kind in ("new", "old"))
    temporary.mkdir()
    try:
        _write_files([vectors] if isinstance(vectors, VectorSet) else vectors, temporary, forms, undeclared)
        if target.exists():
            target.rename(old)
        temporary.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
    return target


def check_forms(forms: Sequence[str]) -> None:
    """Refuse forms that do not exist, none at all, and one twice.

    Raises:
        UnknownNameError, DefinitionError: If so.
    """
    for form in forms:
        if form not in FORMS:
            raise unknown_name("form", form, FORMS)
    if not forms or len(set(forms)) != len(forms):
        raise DefinitionError(f"forms {', '.join(forms) or 'none'}: give one or more of {', '.join(FORMS)}, each once")


def check_destination(directory: str | os.PathLike[str]) -> Path:
    """Return the path that *directory* leads to, if a vector directory may be written there.

    Raises:
        FileError: If something stands there that is not a vector directory with nothing else in it.
    """
    try:
        target = Path(directory).resolve()
    except (ValueError, RuntimeError) as error:  # a null character, a loop of links
        raise FileError(f"{str(directory)!r}: not a path: {error}") from error
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return target
    if not target.is_dir():
        raise FileError(f"{directory}: is a file; give the name of a directory that does not exist yet")
    try:
        manifest = read_manifest(target)
    except MxError:
        raise FileError(
            f"{directory}: exists and is not a vector directory (no valid {MANIFEST}); it is left as it is"
        ) from None
    ours = {MANIFEST, *manifest.files}
    others = sorted(entry.name for entry in target.iterdir() if entry.name not in ours)
    if others:
        raise FileError(f"{directory}: also holds {others[0]!r}, which is no part of the vectors; it is left as it is")
    return target


def read_vectors(directory: str | os.PathLike[str]) -> VectorSet:
    """Read a vector directory and check everything about it but the results.

    Raises:
        FileError: If a file is missing or unreadable, a manifest key is missing, unknown, of the wrong type
            or contradicts another, a plane has too few or too many rows, a row is not of its width or not
            hex, or a digest does not match; the message names file, and line or field.
    """
    path = Path(directory)
    manifest = read_manifest(path)
    found = {
        form: FORMS[form].read(Contents(path, form, manifest.shapes, digests))
        for form, digests in manifest.forms.items()
    }
    if manifest.acceptable is not None:
        _check_acceptable(path, manifest.acceptable)
    (form, codes), *others = found.items()
    for other, same in others:
        for plane, wanted in codes.items():
            differs = (same[plane] != wanted).any(axis=1)
            if differs.any():
                row = int(np.argmax(differs)) + 1
                raise FileError(f"{path}: word {row} of plane {plane} is one in form {form}, another in form {other}")
    return _READERS[manifest.operation](path, manifest, codes)


def read_dot_vectors(directory: str | os.PathLike[str]) -> DotVectors:
    """Read a vector directory of dot products.

    Raises:
        FileError: As `read_vectors`, and if it is of another operation.
    """
    vectors = read_vectors(directory)
    if not isinstance(vectors, DotVectors):
        raise FileError(f"{directory}: holds vectors of operation {vectors.operation!r}, not of 'dot'")
    return vectors


def _dot_vectors(path: Path, manifest: Manifest, codes: dict[str, NDArray[Any]]) -> DotVectors:
    last = _last(path, manifest, codes)
    a, b = (_operand(manifest, codes, side, last.shape) for side in ("a", "b"))
    return DotVectors(
        a=a,
        b=b,
        last=last,
        results=codes["result"][:, 0],
        rule=manifest.parameters["rule"],
        classes=manifest.classes,
        call=manifest.call,
        c=codes["c"][:, 0] if "c" in codes else None,
        scaled="a_scale" in codes,
    )


def _tile_vectors(path: Path, manifest: Manifest, codes: dict[str, NDArray[Any]]) -> TileVectors:
    last = _last(path, manifest, codes)
    a, b = (
        _operand(manifest, codes, side, (last.size, manifest.parameters[extent]))
        for side, extent in (("a", "rows"), ("b", "columns"))
    )
    return TileVectors(
        a=a,
        b=b,
        last=last,
        results=codes["result"],
        rule=manifest.parameters["rule"],
        classes=manifest.classes,
        call=manifest.call,
        c=codes.get("c"),
        scaled="a_scale" in codes,
    )


def _last(path: Path, manifest: Manifest, codes: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    last: NDArray[np.bool_] = codes["last"][:, 0].astype(bool)
    _check_last(path, manifest, last)
    return last


def _operand(manifest: Manifest, codes: dict[str, NDArray[Any]], side: str, shape: tuple[int, ...]) -> Blocks:
    """Return the blocks of A or B, of that shape; of elements without scales, those that keep them."""
    fmt = manifest.parameters[f"{side}_format"]
    elements = codes[f"{side}_elements"].reshape(*shape, -1)
    if isinstance(fmt, BlockFormat):
        return Blocks(fmt, elements, codes[f"{side}_scale"].reshape(shape))
    return unscaled_blocks(fmt, elements)


def _quantize_vectors(path: Path, manifest: Manifest, codes: dict[str, NDArray[Any]]) -> QuantizeVectors:
    return QuantizeVectors(
        values=codes["values"],
        elements=codes["elements"],
        scales=codes["scale"][:, 0],
        format=manifest.parameters["block_format"],
        input_format=manifest.parameters["input_format"],
        options=manifest.parameters["options"],
        classes=manifest.classes,
        call=manifest.call,
    )


def _dequantize_vectors(path: Path, manifest: Manifest, codes: dict[str, NDArray[Any]]) -> DequantizeVectors:
    return DequantizeVectors(
        elements=codes["elements"],
        scales=codes["scale"][:, 0],
        values=codes["values"],
        format=manifest.parameters["block_format"],
        classes=manifest.classes,
        call=manifest.call,
    )


def _decode_vectors(path: Path, manifest: Manifest, codes: dict[str, NDArray[Any]]) -> DecodeVectors:
    return DecodeVectors(
        codes=codes["code"][:, 0],
        values=codes["value"][:, 0],
        format=manifest.parameters["number_format"],
        classes=manifest.classes,
        call=manifest.call,
    )


def _encode_vectors(path: Path, manifest: Manifest, codes: dict[str, NDArray[Any]]) -> EncodeVectors:
    return EncodeVectors(
        values=codes["value"][:, 0],
        codes=codes["code"][:, 0],
        format=manifest.parameters["number_format"],
        input_format=manifest.parameters["input_format"],
        options=manifest.parameters["options"],
        classes=manifest.classes,
        call=manifest.call,
    )


def _pack_vectors(path: Path, manifest: Manifest, codes: dict[str, NDArray[Any]]) -> PackVectors:
    kind = PackVectors if manifest.operation == "pack" else UnpackVectors
    elements = codes["elements"]
    return kind(
        elements=elements,
        scales=codes["scale"][:, 0] if "scale" in codes else np.zeros(len(elements), np.uint8),
        packed=codes["packed"],
        format=manifest.parameters["block_format"],
        layout=manifest.parameters["layout"],
        scale_position=manifest.parameters["scale_position"],
        classes=manifest.classes,
        call=manifest.call,
    )


_READERS: dict[str, Callable[[Path, Manifest, dict[str, NDArray[Any]]], VectorSet]] = {
    "dot": _dot_vectors,
    "matmul_tile": _tile_vectors,
    "quantize": _quantize_vectors,
    "dequantize": _dequantize_vectors,
    "decode": _decode_vectors,
    "encode": _encode_vectors,
    "pack": _pack_vectors,
    "unpack": _pack_vectors,
}


def _write_files(
    parts: Iterable[VectorSet], directory: Path, forms: Sequence[str], undeclared: Sequence[str]
) -> None:
    """Write all files; the classes of parts, and how many of what they have, are added up."""
    first: VectorSet | None = None
    shapes: dict[str, PlaneShape] = {}
    counts: dict[str, int] = {}
    classes: list[StimulusClassRange] = []
    with ExitStack() as stack:
        writers = {form: FORMS[form].writer(directory) for form in forms}
        for writer in writers.values():
            stack.callback(writer.close)
        alternatives = None
        if undeclared:
            alternatives = LineFile(directory / ACCEPTABLE)
            stack.callback(alternatives.close)
        for part in parts:
            first = first or part
            for plane in part.planes():
                rows = shapes[plane.name].rows if plane.name in shapes else 0
                shapes[plane.name] = replace(plane.shape, rows=rows + plane.shape.rows)
            made = sum(each.count for each in classes)
            if alternatives is not None:
                alternatives.write(acceptable_lines(part, undeclared, made))
            for each in part.classes:
                if classes and classes[-1].name == each.name:
                    classes[-1] = replace(classes[-1], count=classes[-1].count + each.count)
                else:
                    classes.append(replace(each, first=made + each.first))
            counts = {name: counts.get(name, 0) + number for name, number in part.counts().items()}
            for writer in writers.values():
                writer.append(part)
        digests = {form: writer.finish() for form, writer in writers.items()}
        acceptable: dict[str, object] = {}
        if alternatives is not None:
            several, digest = alternatives.lines, alternatives.finish()
            acceptable["acceptable"] = {"undeclared": [*undeclared], "vectors": several, "sha256": digest}
    assert first is not None, "a set has a part"
    flags, described = describe_flags(first, [each.name for each in classes])
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "operation": first.operation,
        **first.parameters(),
        "call": first.call,
        **counts,
        "flags": described,
        "classes": [{**asdict(each), "flags": flags[each.name]} for each in classes],
        **acceptable,
        "planes": {name: describe_plane(shape) for name, shape in shapes.items()},
        "forms": digests,
    }
    (directory / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="ascii", newline="\n")


def read_manifest(directory: Path) -> Manifest:
    """Return the manifest of a vector directory.

    Raises:
        FileError: As `parse_manifest`, and if it cannot be read.
    """
    path = directory / MANIFEST
    return parse_manifest(read_bytes(path), str(path))


def _check_acceptable(directory: Path, acceptable: Acceptable) -> None:
    path = directory / ACCEPTABLE
    data = read_bytes(path)
    lines = data.count(b"\n")
    if lines != acceptable.vectors:
        raise FileError(f"{path}: has {lines} lines; {MANIFEST} field acceptable.vectors says {acceptable.vectors}")
    digest = hashlib.sha256(data).hexdigest()
    if digest != acceptable.sha256:
        raise FileError(f"{path}: SHA-256 is {digest}, but {MANIFEST} field acceptable.sha256 says {acceptable.sha256}")


def _check_last(directory: Path, manifest: Manifest, last: NDArray[np.bool_]) -> None:
    path = directory / f"last.{next(iter(manifest.forms))}"
    (rows, _), (what, expected) = manifest.counts.items()
    marked = int(np.count_nonzero(last))
    if marked != expected:
        raise FileError(f"{path}: marks {marked} last {rows}, but {MANIFEST} field {what} says {expected}")
    if not last[-1]:
        raise FileError(f"{path}: line {last.size} is 0; the last of the {rows} of the file must end one of the {what}")
