"""Readers of a vector directory for other languages, generated from its manifest: SystemVerilog, VHDL, C.

A reader has the shapes of the planes, the stimulus classes, and what loads the planes: ``hex`` planes in SystemVerilog
and VHDL, ``bin`` planes in C. It knows no path; the directory is given where it is used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refmodel.errors import DefinitionError, FileError, MissingPackageError, unknown_name
from refmodel.vectors.files import read_manifest
from refmodel.vectors.manifest import Manifest
from refmodel.writing import write_text


@dataclass(frozen=True, slots=True)
class Language:
    """A language that readers are made for.

    Attributes:
        suffix: Of the file, and of its template.
        form: The form of the planes that the reader loads.
    """

    suffix: str
    form: str


LANGUAGES = {"sv": Language("sv", "hex"), "vhdl": Language("vhd", "hex"), "c": Language("h", "bin")}
"""Languages by name."""

DEFAULT_NAME = "mx_vectors"


def write_readers(
    directory: str | os.PathLike[str],
    output: str | os.PathLike[str],
    languages: Sequence[str],
    name: str = DEFAULT_NAME,
) -> list[Path]:
    """Write the readers of a vector directory and return their paths.

    Args:
        directory: The vector directory, of which the manifest alone is read.
        output: Folder to write NAME.sv, NAME.vhd and NAME.h into; made if it is not there.
        languages: Of `LANGUAGES`.
        name: Name of package, type and file.

    Raises:
        UnknownNameError: If there is no such language.
        DefinitionError: If the name is no identifier in all languages.
        FileError: If the manifest is wrong, or the directory has not the form that a reader loads.
        MissingPackageError: If Jinja is not installed.
        OSError: If the system refuses.
    """
    for language in languages:
        if language not in LANGUAGES:
            raise unknown_name("language", language, LANGUAGES)
    if not re.fullmatch(r"[a-z]+[0-9]*(_[a-z0-9]+)+", name):
        raise DefinitionError(
            f"name {name!r}: write lower-case letters, digits and single underscores, with one at least, such as mx_dot"
        )
    manifest = read_manifest(Path(directory))
    for language in languages:
        form = LANGUAGES[language].form
        if form not in manifest.forms:
            raise FileError(f"{directory}: has no planes in form {form!r}, which a reader in {language} needs")
    texts = {f"{name}.{LANGUAGES[each].suffix}": reader_text(manifest, each, name) for each in languages}
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        write_text(folder / file, text)
    return [folder / file for file in texts]


def reader_text(manifest: Manifest, language: str, name: str = DEFAULT_NAME) -> str:
    """Return the text of a reader.

    Raises:
        MissingPackageError: If Jinja is not installed.
    """
    template = _environment().get_template(f"vectors.{LANGUAGES[language].suffix}.j2")
    steps, vectors = next(iter(manifest.counts)), list(manifest.counts)[-1]
    counts = ", ".join(f"{number} {what}" for what, number in reversed(manifest.counts.items()))
    text: str = template.render(
        title=f"Vectors of operation {manifest.operation}: {_formats(manifest.parameters)}",
        counts=counts,
        name=name,
        numbers=manifest.counts,
        steps=steps.removesuffix("s") if steps != vectors else "",
        planes=[
            {
                "name": plane,
                "direction": shape.direction,
                "codes": shape.codes,
                "code_bits": shape.code_bits,
                "bits": shape.bits,
                "rows": shape.rows,
            }
            for plane, shape in manifest.shapes.items()
        ],
        classes=manifest.classes,
    )
    return text


def _formats(parameters: dict[str, Any]) -> str:
    """Return the names of formats, rule and layout for a comment."""
    values = (getattr(value, "name", value) for key, value in parameters.items() if key != "options")
    return ", ".join(str(value) for value in values)


def _environment() -> Any:
    try:
        import jinja2
    except ImportError:
        raise MissingPackageError("readers need the package jinja2: pip install 'mx-refmodel[readers]'") from None
    return jinja2.Environment(
        loader=jinja2.PackageLoader("refmodel.vectors"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    )
