"""The RTL as text: its files, and what a module's header comment, parameters and ports say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from refmodel.errors import DefinitionError, unknown_name

ROOT = Path(__file__).resolve().parent.parent
RTL = ROOT / "rtl"
PACKAGE = RTL / "mx_pkg.sv"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a module: name, default as it is written, and what the comments beside it say."""

    name: str
    default: str
    comment: str


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a module.

    Attributes:
        name, direction: As in the source; direction is ``input`` or ``output``.
        width: The range as written, ``signed [9:0]`` for one; empty for a single bit.
        group: The comment above the group of ports that this one is in.
        comment: What the comment beside it says.
    """

    name: str
    direction: str
    width: str
    group: str
    comment: str


@dataclass(frozen=True, slots=True)
class Module:
    """A module as its source describes it.

    Attributes:
        name: Its name, and that of its file.
        header: The lines of the comment at the top, without the slashes.
        parameters, ports: In the order of the source.
    """

    name: str
    header: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    ports: tuple[Port, ...]


def sources() -> list[Path]:
    """Return the files of rtl/, the package first."""
    return [PACKAGE, *sorted(path for path in RTL.glob("*.sv") if path != PACKAGE)]


def source(unit: str) -> Path:
    """Return the file of module *unit*.

    Raises:
        UnknownNameError: If there is none.
    """
    path = RTL / f"{unit}.sv"
    if not path.is_file() or path == PACKAGE:
        raise unknown_name("unit", unit, [each.stem for each in sources()[1:]])
    return path


def sources_of(unit: str) -> list[Path]:
    """Return the package and the files that *unit* needs, itself included, in the order of `sources`."""
    everything = {path.stem: path for path in sources()}
    needed = {PACKAGE.stem, source(unit).stem}
    waiting = [unit]
    while waiting:
        words = set(re.findall(r"\w+", without_comments(everything[waiting.pop()].read_text())))
        waiting += (found := words & everything.keys() - needed)
        needed |= found
    return [path for name, path in everything.items() if name in needed]


def without_comments(text: str) -> str:
    """Return SystemVerilog *text* without comments and blank lines; strings keep their slashes."""
    code = re.sub(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', lambda match: match[1] or "", text, flags=re.S)
    return "\n".join(line.rstrip() for line in code.splitlines() if line.strip()) + "\n"


def used_code(unit: str) -> str:
    """Return all that decides what *unit* is: its modules without comments, and of the package what they reach."""
    package, *modules = (without_comments(path.read_text()) for path in sources_of(unit))
    items = {
        match[1] or match[2]: match[0]
        for match in re.finditer(
            r"localparam[^=;]*?(\w+)\s*=[^;]*;|function automatic[^;(]*?(\w+)\s*\(.*?endfunction", package, re.S
        )
    }
    reached: dict[str, str] = {}
    waiting = set(re.findall(r"\w+", " ".join(modules)))
    while names := waiting & items.keys() - reached.keys():
        reached |= {name: items[name] for name in names}
        waiting = set(re.findall(r"\w+", " ".join(items[name] for name in names)))
    return "\n".join([*modules, *(reached[name] for name in sorted(reached))])


@cache
def constants() -> dict[str, int]:
    """Return the integer constants of mx_pkg by name: ids of formats, rules and so on."""
    found = re.findall(r"localparam int (\w+) = (\d+);", PACKAGE.read_text())
    return {name: int(value) for name, value in found}


def parameter_value(value: int | str) -> int:
    """Return the number that a parameter is set to by a name of mx_pkg, a literal or an integer.

    Raises:
        DefinitionError: If *value* is none of these.
    """
    if isinstance(value, int):
        return int(value)
    if value in constants():
        return constants()[value]
    if re.fullmatch(r"-?\d+", value):
        return int(value)
    if literal := re.fullmatch(r"\d+'([bdh])([0-9A-Fa-f_]+)", value):
        return int(literal[2].replace("_", ""), {"b": 2, "d": 10, "h": 16}[literal[1]])
    raise DefinitionError(f"parameter value {value!r} is neither an integer nor a constant of {PACKAGE.name}")


def read_module(path: Path) -> Module:
    """Return what the source of a module says about it.

    The style of rtl/ is what is read: a comment at the top, one parameter and one port a line.

    Raises:
        DefinitionError: If the file has no module of its name in that style.
    """
    text = path.read_text()
    match = re.search(
        rf"^module {path.stem} (?:#\(\n(?P<parameters>.*?)\n\) )?\(\n(?P<ports>.*?)\n\);", text, re.M | re.S
    )
    if match is None:
        raise DefinitionError(f"{path.name}: holds no module {path.stem} in the style of rtl/")
    header = [line.removeprefix("//").removeprefix(" ") for line in _leading_comment(text)]
    return Module(
        path.stem,
        tuple(header),
        tuple(_parameters(path, match["parameters"] or "")),
        tuple(_ports(path, match["ports"])),
    )


def _leading_comment(text: str) -> Iterable[str]:
    for line in text.splitlines():
        if not line.startswith("//"):
            return
        yield line


def _declarations(text: str) -> Iterable[str]:
    """Yield the lines of *text*, those of a declaration that is broken inside brackets as one."""
    held = ""
    for line in text.splitlines():
        held = f"{held}{line.strip()}" if held else line
        code = held.split("//")[0]
        if sum(code.count(left) - code.count(right) for left, right in ("()", "[]", "{}")) == 0:
            yield held
            held = ""
    if held:
        yield held


def _parameters(path: Path, text: str) -> Iterable[Parameter]:
    last: Parameter | None = None
    above: list[str] = []
    for line in _declarations(text):
        if match := re.fullmatch(r"\s*parameter (.*?)(?:\s+//\s*(.*))?", line):
            if last:
                yield last
            declaration = match[1].rstrip().removesuffix(",")
            if not (parts := re.fullmatch(r"(?:[\w\[\]:]+\s+)*?(\w+)\s*=\s*(.*)", declaration)):
                raise DefinitionError(f"{path.name}: cannot read the parameter {declaration!r}")
            last = Parameter(parts[1], parts[2], " ".join([*above, match[2] or ""]).strip())
            above = []
        elif match := re.fullmatch(r"(\s*)//\s*(.*)", line):
            if last and len(match[1]) > 2:  # to the right of a declaration: goes on with its comment
                last = replace(last, comment=f"{last.comment} {match[2]}".strip())
            else:
                above.append(match[2])
        elif line.strip():
            raise DefinitionError(f"{path.name}: cannot read {line.strip()!r} among the parameters")
    if last:
        yield last


def _ports(path: Path, text: str) -> Iterable[Port]:
    last: Port | None = None
    group: list[str] = []
    fresh = False  # whether a port follows the comment that *group* holds
    for line in _declarations(text):
        match = re.fullmatch(
            r"\s*(input|output)\s+(?:logic|wire)\s*((?:signed\s*)?(?:\[.*\])?)\s*(\w+),?(?:\s*//\s*(.*))?", line
        )
        if match:
            if last:
                yield last
            last = Port(match[3], match[1], match[2], " ".join(group), match[4] or "")
            fresh = False
        elif not line.strip():
            if not fresh:
                group = []
        elif match := re.fullmatch(r"(\s*)//\s*(.*)", line):
            if last and len(match[1]) > 2:
                last = replace(last, comment=f"{last.comment} {match[2]}".strip())
            else:
                group = [*group, match[2]] if fresh else [match[2]]
                fresh = True
        else:
            raise DefinitionError(f"{path.name}: cannot read {line.strip()!r} among the ports")
    if last:
        yield last
