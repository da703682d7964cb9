"""Reading recorded results: instruction operands and the bits a machine made of them.

Two layouts are read. `read_archive` takes the archive of `silicon.fetch`; `read_folder` takes a folder of
``.npz`` files of our own, one recording each::

    rule                 name of the accumulation rule the machine is believed to follow, a string
    element_a, element_b names of the element formats, strings
    a, b                 element codes [n, K]
    c, d                 uint32 [n]: Float32 bits of the initial values and of the results
    machine              optional: what it was recorded on, a string
    scales_a, scales_b   optional: E8M0 codes [n, K / 32]
"""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.elements import decode_table
from refmodel.errors import FileError
from refmodel.operands import OPERAND_FORMATS


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Dot products as a machine formed them.

    Attributes:
        name: Its name where it comes from.
        machine: What it was recorded on.
        rule: Name of the accumulation rule to hold it against.
        element_a, element_b: Names of the element formats.
        a, b: Element codes, [n, K].
        c: uint32 [n], Float32 bits of the initial values.
        d: uint32 [n], Float32 bits of the results.
        scales_a, scales_b: E8M0 codes [n, K / 32], or None where operands have no scales.
    """

    name: str
    machine: str
    rule: str
    element_a: str
    element_b: str
    a: NDArray[Any]
    b: NDArray[Any]
    c: NDArray[np.uint32]
    d: NDArray[np.uint32]
    scales_a: NDArray[np.uint8] | None = None
    scales_b: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        n = len(self.d) if self.d.ndim == 1 else -1
        for name in ("c", "d"):
            array = getattr(self, name)
            if array.dtype != np.uint32 or array.shape != (n,):
                raise FileError(f"{self.name}: {name} is {array.dtype} {array.shape}; it must be uint32 [n]")
        if self.a.ndim != 2 or self.a.shape != self.b.shape or len(self.a) != n:
            raise FileError(
                f"{self.name}: a has shape {self.a.shape}, b {self.b.shape}, d {self.d.shape}; "
                "they must be [n, K], [n, K], [n]"
            )
        for name in ("scales_a", "scales_b"):
            scales = getattr(self, name)
            if scales is not None and (n, self.a.shape[1]) != (len(scales), 32 * scales.shape[-1]):
                raise FileError(f"{self.name}: {name} has shape {scales.shape}; it must be [n, K / 32]")


# --------------------------------------------------------------------------------------------------
# The archive
# --------------------------------------------------------------------------------------------------

_INSTRUCTIONS = "tests/data/hw_mini/index.json"
_TOOLBOX = "tests/data/toolbox/SOURCES.json"

_MACHINES = {"ada": "nv_ada_fp8"}
_TOOLBOX_MACHINES = {
    "Ada": "nv_ada_fp8",
    "L40S": "nv_ada_fp8",
    "H100": "nv_hopper_fp8_fast",
    "H200": "nv_hopper_fp8_fast",
}


def read_archive(path: Path) -> Iterator[Recording]:
    """Yield the FP8 instructions recorded on an RTX 4060, then the 5000 each of four other machines.

    Raises:
        FileError: If the archive is missing, damaged, or laid out in another way.
    """
    try:
        with tarfile.open(path) as archive:
            files = _Files(archive)
            yield from _instructions(files)
            yield from _toolbox(files)
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise FileError(f"{path}: {error}") from error
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{path}: not the layout of recordings this reads ({error!r})") from error


class _Files:
    """The members of the archive below its one top folder."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self.archive = archive
        self.members = {member.name.partition("/")[2]: member for member in archive.getmembers()}
        self.arrays: dict[str, Any] = {}

    def read(self, name: str) -> bytes:
        file = self.archive.extractfile(self.members[name])
        if file is None:
            raise KeyError(name)
        return file.read()

    def array(self, file: str, key: str) -> NDArray[Any]:
        """Return one array of an .npz member."""
        if file not in self.arrays:
            self.arrays[file] = np.load(io.BytesIO(self.read(file)), allow_pickle=False)
        array: NDArray[Any] = self.arrays[file][key]
        return array


def _instructions(files: _Files) -> Iterator[Recording]:
    """The cases of kind ``mma`` of one index: single instructions, or chains of them along K.

    Layout ``vector``: result i of row i of a and of b. Layout ``tile``: of a [t, m, K] and b [t, n, K] the
    products of every row of one with every row of the other.
    """
    index = json.loads(files.read(_INSTRUCTIONS))
    folder = _INSTRUCTIONS.rpartition("/")[0]
    if index["format"] != "mmaemu-hwmini/1":
        raise FileError(f"{_INSTRUCTIONS}: format {index['format']!r}; this reads 'mmaemu-hwmini/1'")
    for case in index["cases"]:
        if case["kind"] != "mma":  # whole matrix products with an epilogue: no dot product of their own
            continue
        parameters = case["params"]
        a, b, c, d = (
            files.array(f"{folder}/{file}", key)
            for file, key in (*(case["inputs"][name] for name in "abc"), case["expect"]["bits"])
        )
        if parameters["layout"] == "tile":
            shape = (*d.shape, a.shape[-1])
            a = np.broadcast_to(a[:, :, None, :], shape).reshape(-1, shape[-1])
            b = np.broadcast_to(b[:, None, :, :], shape).reshape(-1, shape[-1])
        yield Recording(
            name=case["id"],
            machine=f"RTX 4060, {parameters['layout']}s",
            rule=_MACHINES[parameters["preset"]],
            element_a=parameters["fmt_a"],
            element_b=parameters["fmt_b"],
            a=a,
            b=b,
            c=c.reshape(-1),
            d=d.reshape(-1),
        )


def _toolbox(files: _Files) -> Iterator[Recording]:
    """Sets of 5000 dot products of 32 numbers a machine, operands given as Float32.

    The results of the B200 are left out: they come from an instruction that its compiler replaces by others,
    and no preset stands for it.
    """
    index = json.loads(files.read(_TOOLBOX))
    if index["format"] != "mmaemu-toolbox-vectors/1":
        raise FileError(f"{_TOOLBOX}: format {index['format']!r}; this reads 'mmaemu-toolbox-vectors/1'")
    file = _TOOLBOX.rpartition("/")[0] + "/vectors.npz"
    for entry in index["sets"]:
        machine, element = entry["gpu"], entry["fmt"]
        if machine not in _TOOLBOX_MACHINES:
            continue
        a, b, c, d = (files.array(file, entry[name]) for name in "abcd")
        if machine in ("H100", "H200"):  # recorded without an initial value
            c = np.zeros_like(c)
        yield Recording(
            name=f"toolbox {machine} {element}",
            machine=f"{machine}, toolbox",
            rule=_TOOLBOX_MACHINES[machine],
            element_a=element,
            element_b=element,
            a=codes_of_float32(element, a),
            b=codes_of_float32(element, b),
            c=c,
            d=d,
        )


def codes_of_float32(element: str, bits: NDArray[np.uint32]) -> NDArray[Any]:
    """Return the element codes of numbers given as Float32 bits.

    Raises:
        FileError: If a number is not a value of the element format.
    """
    table = decode_table(OPERAND_FORMATS[element]).astype(np.float32).view(np.uint32)
    order = np.argsort(table)
    position = np.minimum(np.searchsorted(table[order], bits), len(order) - 1)
    codes = order[position]
    if not np.array_equal(table[codes], bits):
        raise FileError(f"operands that are not values of {element}")
    return codes.astype(np.uint8)


# --------------------------------------------------------------------------------------------------
# Recordings of our own layout
# --------------------------------------------------------------------------------------------------


def read_folder(folder: Path) -> Iterator[Recording]:
    """Yield the recordings in the ``.npz`` files of *folder*, by name; none if there is no such folder.

    Raises:
        FileError: If a file is damaged or lacks a field.
    """
    for path in sorted(folder.glob("*.npz")):
        try:
            with np.load(path, allow_pickle=False) as arrays:
                fields = {name: arrays[name] for name in arrays.files}
        except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
            raise FileError(f"{path}: not a readable .npz file ({error})") from error
        needed = ("rule", "element_a", "element_b", "a", "b", "c", "d")
        missing = [name for name in needed if name not in fields]
        if missing:
            raise FileError(f"{path}: no {', '.join(missing)}; a recording has {', '.join(needed)}")
        yield Recording(
            name=path.stem,
            machine=str(fields.get("machine", path.stem)),
            rule=str(fields["rule"]),
            element_a=str(fields["element_a"]),
            element_b=str(fields["element_b"]),
            a=fields["a"],
            b=fields["b"],
            c=fields["c"],
            d=fields["d"],
            scales_a=fields.get("scales_a"),
            scales_b=fields.get("scales_b"),
        )
