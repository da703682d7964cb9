"""The source files of a design: those that are listed, and those that they need from libraries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

SUFFIXES = (".sv", ".v")
"""Suffixes of files that a library is searched for."""

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")


def expand(base: Path, patterns: Iterable[str]) -> tuple[list[Path], str | None]:
    """Return the files that *patterns*, relative to *base*, name, each once, and the first that names none."""
    files: dict[Path, None] = {}
    for pattern in patterns:
        if any(character in pattern for character in "*?["):
            # A pattern may be absolute or hold "..", which glob() of a path does not take.
            fixed, _, wild = _split_pattern(pattern)
            found = sorted(path for path in (base / fixed).glob(wild) if path.is_file())
        else:
            found = [base / pattern] if (base / pattern).is_file() else []
        if not found:
            return list(files), pattern
        files |= dict.fromkeys(path.resolve() for path in found)
    return list(files), None


def _split_pattern(pattern: str) -> tuple[str, str, str]:
    """Divide a pattern before its first part with a wildcard."""
    parts = Path(pattern).parts
    first = next(i for i, part in enumerate(parts) if any(character in part for character in "*?["))
    return str(Path(*parts[:first])), "/", str(Path(*parts[first:]))


def with_libraries(listed: Sequence[Path], libraries: Sequence[Path]) -> list[Path]:
    """Return the *listed* files and what they need of *libraries*, every file after those that it needs.

    A library is a directory with one module or package a file, of the same name. A file is needed if a source
    holds its name outside comments; so a file may be taken in vain, but none is forgotten. Listed files stay
    in their order.
    """
    known: dict[str, Path] = {}
    for library in libraries:
        for path in sorted(path for path in library.iterdir() if path.suffix in SUFFIXES):
            known.setdefault(path.stem, path.resolve())
    ordered: dict[Path, None] = {}
    entered: set[Path] = set()

    def visit(path: Path) -> None:
        if path in entered:
            return
        entered.add(path)
        text = _COMMENT.sub(" ", path.read_text(encoding="utf-8", errors="replace"))
        for word in dict.fromkeys(_WORD.findall(text)):
            needed = known.get(word)
            # A listed file comes in its own place.
            if needed is not None and needed not in listed:
                visit(needed)
        ordered[path] = None

    for path in listed:
        visit(path)
    return list(ordered)
