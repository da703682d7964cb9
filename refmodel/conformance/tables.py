"""Reading a TOML file: every value is asked for by key and kind, and what nobody asked for is an error.

Each message names the file, the table, the key, and what would be right there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from refmodel.errors import DescriptionError, MxError

_T = TypeVar("_T")

REQUIRED: Any = object()
"""Default of a key that must be there."""

_LONGEST_FILE = 1 << 20


class Table:
    """A table of a TOML file, read key by key; `finish` refuses the keys that were not read.

    Attributes:
        file: Path of the file.
        name: Name of the table as the file spells it: ``[reset]``, ``[configurations] number 2``, and empty
            for the top of the file.
    """

    def __init__(self, file: Path, name: str, values: Mapping[str, Any]) -> None:
        self.file, self.name, self._values = file, name, values
        self._read: dict[str, None] = {}

    def error(self, key: str | None, problem: str) -> DescriptionError:
        """Return the error for a *key* of this table, or for the table itself."""
        where = " ".join(word for word in (self.name, f"key {key!r}" if key else "") if word)
        return DescriptionError(f"{self.file}: {where or 'the file'}: {problem}")

    def __contains__(self, key: str) -> bool:
        self._read[key] = None  # a key that is there is read next, and one that is not is known
        return key in self._values

    def names(self) -> Iterator[str]:
        """Return the keys that the file gives, all of them counted as read."""
        self._read |= dict.fromkeys(self._values)
        return iter(self._values)

    def value(self, key: str, default: Any = REQUIRED, expected: str = "a value") -> Any:
        """Return the value of *key* whatever it is, or *default*."""
        self._read[key] = None
        if key in self._values:
            return self._values[key]
        if default is REQUIRED:
            raise self.error(key, f"is missing; expected {expected}{self._similar(key)}")
        return default

    def text(self, key: str, default: Any = REQUIRED, expected: str = "a non-empty string") -> Any:
        """Return a non-empty string."""
        return self._checked(key, default, expected, lambda value: isinstance(value, str) and value != "")

    def choice(self, key: str, choices: Collection[str], default: Any = REQUIRED) -> Any:
        """Return one of a few words."""
        expected = "one of " + ", ".join(f'"{each}"' for each in choices)
        return self._checked(key, default, expected, lambda value: isinstance(value, str) and value in choices)

    def flag(self, key: str, default: Any = REQUIRED) -> Any:
        """Return true or false."""
        return self._checked(key, default, "true or false", lambda value: isinstance(value, bool))

    def integer(self, key: str, default: Any = REQUIRED, *, low: int = 0, high: int = 1 << 20) -> Any:
        """Return an integer from *low* to *high*."""
        expected = f"an integer from {low} to {high}"
        return self._checked(key, default, expected, lambda value: _is_integer(value) and low <= value <= high)

    def scalar(self, key: str) -> int | str:
        """Return a non-empty string or an integer; true and false are 1 and 0."""
        value = self.value(key, expected="an integer or a string")
        if not isinstance(value, (int, str)) or value == "":
            raise self.error(key, f"is {show(value)}; expected an integer or a string")
        return int(value) if isinstance(value, bool) else value

    def one_or_more(
        self, key: str, default: Any, expected: str, check: Callable[[Any], bool] = lambda value: True
    ) -> tuple[Any, ...]:
        """Return the values of a list, or a single value as a tuple of one; none may occur twice."""
        given = self.value(key, default, expected)
        values = given if isinstance(given, (list, tuple)) else [given]
        if not values:
            raise self.error(key, f"is an empty list; expected {expected}")
        for index, value in enumerate(values):
            if not check(value):
                raise self.error(key, f"holds {show(value)}; expected {expected}")
            if value in values[:index]:
                raise self.error(key, f"holds {show(value)} twice")
        return tuple(values)

    def texts(self, key: str, default: Any = REQUIRED, expected: str = "a list of strings") -> tuple[str, ...]:
        """Return non-empty strings: a list, or one."""
        return self.one_or_more(key, default, expected, lambda value: isinstance(value, str) and value != "")

    def integers(self, key: str, default: Any = REQUIRED, *, low: int = 0, high: int = 1 << 20) -> tuple[int, ...]:
        """Return integers from *low* to *high*: a list, or one."""
        expected = f"integers from {low} to {high}"
        return self.one_or_more(key, default, expected, lambda value: _is_integer(value) and low <= value <= high)

    def table(self, key: str, *, optional: bool = False) -> Table:
        """Return a table inside this one; an empty one if it may be left out and is."""
        name = self._inner(key)
        given = self.value(key, {} if optional else REQUIRED, f"a table {name}")
        if not isinstance(given, dict):
            raise self.error(key, f"is {show(given)}; expected a table {name}")
        return Table(self.file, name, given)

    def tables(self, key: str) -> list[Table]:
        """Return the tables of an array of tables, at least one."""
        given = self.value(key, REQUIRED, f"at least one table [[{key}]]")
        if not isinstance(given, list) or not given or not all(isinstance(each, dict) for each in given):
            raise self.error(key, f"is {show(given)}; expected at least one table [[{key}]]")
        return [Table(self.file, f"[[{key}]] number {i}", each) for i, each in enumerate(given, start=1)]

    def named(self, key: str, what: str, get: Callable[[Any], _T], value: Any = REQUIRED) -> _T:
        """Return what *value* (that of *key* by default) stands for; an error of *get* is one of this key."""
        given = self.value(key) if value is REQUIRED else value
        try:
            return get(given)
        except DescriptionError:
            raise
        except MxError as error:
            raise self.error(key, f"{show(given)} is no {what}: {error}") from error

    def finish(self) -> None:
        """Refuse keys that nobody has read."""
        for key in self._values:
            if key not in self._read:
                known = ", ".join(self._read) or "none"
                raise self.error(key, f"is unknown{_did_you_mean(key, self._read)}; the keys here are: {known}")

    def _checked(self, key: str, default: Any, expected: str, check: Callable[[Any], bool]) -> Any:
        given = self.value(key, default, expected)
        if given is not default and not check(given):
            raise self.error(key, f"is {show(given)}; expected {expected}")
        return given

    def _inner(self, key: str) -> str:
        if not self.name:
            return f"[{key}]"
        return f"[{self.name[1:-1]}.{key}]" if self.name.endswith("]") else f"{self.name}, table {key!r}"

    def _similar(self, key: str) -> str:
        close = get_close_matches(key, [name for name in self._values if name not in self._read], 1)
        return f"; is {close[0]!r} meant to be it?" if close else ""


def read_toml(path: Path) -> Table:
    """Return the top table of a file.

    Raises:
        DescriptionError: If it cannot be read or is not TOML; the message names the line.
    """
    try:
        with open(path, "rb") as stream:
            data = stream.read(_LONGEST_FILE + 1)
    except OSError as error:
        raise DescriptionError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # a null character in the path
        raise DescriptionError(f"{str(path)!r}: not a path: {error}") from error
    if len(data) > _LONGEST_FILE:
        raise DescriptionError(f"{path}: is larger than {_LONGEST_FILE} bytes; that is no description")
    try:
        return Table(path, "", tomllib.loads(data.decode()))
    except UnicodeDecodeError as error:
        raise DescriptionError(f"{path}: not UTF-8 text: {error.reason} at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise DescriptionError(f"{path}: not valid TOML: {error}") from error
    except (RecursionError, ValueError) as error:  # nested too deep, or a number of too many digits
        raise DescriptionError(f"{path}: not valid TOML: {type(error).__name__}") from error


def show(value: object) -> str:
    """Return a value for a one-line message."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = f'"{value}"' if isinstance(value, str) else "a table" if isinstance(value, dict) else repr(value)
    text = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return text if len(text) <= 60 else text[:57] + "..."


def _did_you_mean(key: str, known: Mapping[str, None] | Sequence[str]) -> str:
    close = get_close_matches(key, list(known), 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
