"""Digest files of the published sweeps, and checking somebody's codes against them.

A digest file is what ``sha256sum`` writes, one line a chunk, after lines that start with ``#``.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refmodel.errors import FileError, UnknownNameError
from refmodel.sweeps import CHUNK, Sweep, get_sweep, list_sweeps

SUFFIX = ".sha256"
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")


@dataclass(frozen=True, slots=True)
class WrongChunk:
    """A chunk whose codes are not those of the model.

    Attributes:
        chunk: Its number.
        count: How many codes are wrong.
        first: Float32 bits of the first input whose code is wrong.
        got: The code that was given for it.
        want: The code that the model gives.
    """

    chunk: int
    count: int
    first: int
    got: int
    want: int


@dataclass(frozen=True, slots=True)
class SweepCodes:
    """Somebody's codes of a sweep: one file with all chunks one after the other, or one file a chunk."""

    sweep: Sweep
    path: Path
    files: tuple[Path, ...]

    def chunk(self, number: int) -> NDArray[np.uint8]:
        """Return the codes of one chunk, uint8 [2**24].

        Raises:
            FileError: If the file has become shorter.
            OSError: If it cannot be read.
        """
        whole = len(self.files) == 1
        path = self.files[0 if whole else number]
        with path.open("rb") as file:
            file.seek(number * CHUNK if whole else 0)
            codes = np.fromfile(file, np.uint8, CHUNK)
        if codes.size != CHUNK:
            raise FileError(f"{path}: ends before the end of chunk {number:#04x}")
        return codes


def default_directory() -> Path:
    """Return vectors/digests of the checkout that this package lies in."""
    return Path(__file__).parent.parent / "vectors" / "digests"


def chunk_file(sweep: Sweep, chunk: int) -> str:
    """Return the path of the codes of a chunk within a directory of codes."""
    return f"{sweep.name}/{chunk:02x}.bin"


def read_digests(sweep: Sweep, directory: Path) -> tuple[str, ...]:
    """Return the SHA-256 of every chunk of a sweep, as hex.

    Raises:
        FileError: If there is no such file, or it is not a digest file of that sweep.
    """
    path = directory / (sweep.name + SUFFIX)
    try:
        lines = path.read_text("ascii").splitlines()
    except UnicodeDecodeError:
        raise FileError(f"{path}: not a digest file: it holds bytes that are not ASCII") from None
    except OSError as error:
        raise FileError(
            f"{path}: {error.strerror}; digest files are in vectors/digests of the repository"
        ) from None
    matches = [_LINE.fullmatch(line) for line in lines if not line.startswith("#")]
    names = [match and match[2] for match in matches]
    if names != [chunk_file(sweep, chunk) for chunk in range(sweep.chunks)]:
        raise FileError(
            f"{path}: not a digest file of {sweep.name}; it must have {sweep.chunks} lines "
            f"'<SHA-256 in hex>  {chunk_file(sweep, 0)}', chunk after chunk"
        )
    return tuple(match[1] for match in matches if match)


def write_digests(sweep: Sweep, digests: Sequence[str], directory: Path) -> None:
    """Write the digest file of a sweep, replacing one that is there."""
    path = directory / (sweep.name + SUFFIX)
    lines = [f"# {sweep.description}; one code a byte, {CHUNK} inputs a line"]
    lines += [f"{digest}  {chunk_file(sweep, chunk)}" for chunk, digest in enumerate(digests)]
    temporary = path.with_suffix(".tmp")
    temporary.write_text("\n".join(lines) + "\n", "ascii")
    temporary.replace(path)


def find_codes(directory: str | os.PathLike[str]) -> list[SweepCodes]:
    """Return the sweeps that a directory holds codes of, in the order of `list_sweeps`.

    Raises:
        FileError: If it holds none, a name that is no sweep's, both layouts of one sweep, or files that are
            missing or of the wrong size.
    """
    root = Path(directory)
    try:
        names = sorted(path.name for path in root.iterdir() if path.suffix == ".bin" or path.is_dir())
    except OSError as error:
        raise FileError(f"{root}: {error.strerror}") from None
    except ValueError as error:  # a null character in the path
        raise FileError(f"{str(root)!r}: not a path: {error}") from None
    found: dict[str, SweepCodes] = {}
    for name in names:
        path = root / name
        try:
            sweep = get_sweep(name.removesuffix(".bin"))
        except UnknownNameError:
            raise FileError(
                f"{path}: not named after a sweep; `mxref digests list` prints the names"
            ) from None
        if sweep.name in found:
            raise FileError(f"{root}: both {sweep.name}/ and {sweep.name}.bin; leave one")
        found[sweep.name] = _codes_of(sweep, path)
    if not found:
        raise FileError(
            f"{root}: no codes to check; `mxref digests list` prints the names of sweeps, "
            f"such as {list_sweeps()[0].name}.bin"
        )
    return [found[sweep.name] for sweep in list_sweeps() if sweep.name in found]


def _codes_of(sweep: Sweep, path: Path) -> SweepCodes:
    """Return the codes at *path* after a look at the sizes."""
    if not path.is_dir():
        _need_size(path, sweep.chunks * CHUNK)
        return SweepCodes(sweep, path, (path,))
    files = tuple(path.parent / chunk_file(sweep, chunk) for chunk in range(sweep.chunks))
    missing = [file.name for file in files if not file.exists()]
    if missing:
        raise FileError(
            f"{path}: {len(missing)} of {sweep.chunks} chunks are missing, the first is {missing[0]}"
        )
    for file in files:
        _need_size(file, CHUNK)
    return SweepCodes(sweep, path, files)


def _need_size(path: Path, size: int) -> None:
    found = path.stat().st_size
    if not path.is_file() or found != size:
        raise FileError(f"{path}: {found} bytes; it must be a file of {size}, one code a byte")


def check_codes(
    codes: SweepCodes, digests: Sequence[str], progress: Callable[[int], None] = lambda chunk: None
) -> list[WrongChunk]:
    """Compare somebody's codes with the digests of their sweep, in memory for a few chunks.

    Chunks whose digest differs are computed with the model to find where.

    Args:
        codes: From `find_codes`.
        digests: From `read_digests`.
        progress: Called with each chunk's number before it is read.

    Raises:
        FileError: If a file becomes shorter meanwhile, or digests are not those of this model.
        OSError: If a file cannot be read.
    """
    wrong = []
    for chunk, digest in enumerate(digests):
        progress(chunk)
        given = codes.chunk(chunk)
        if hashlib.sha256(given.data).hexdigest() == digest:
            continue
        wanted = codes.sweep.codes(chunk)
        if hashlib.sha256(wanted.data).hexdigest() != digest:
            raise FileError(
                f"{codes.sweep.name}{SUFFIX}: the digest of chunk {chunk:#04x} is not that of this model's "
                "codes; take the digests of the same version"
            )
        places = np.flatnonzero(given != wanted)
        place = int(places[0])
        wrong.append(
            WrongChunk(
                chunk, places.size, chunk * CHUNK + place, got=int(given[place]), want=int(wanted[place])
            )
        )
    return wrong
