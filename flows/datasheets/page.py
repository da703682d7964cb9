"""The pages: one for each unit that diagrams.toml draws, which are all with a DUT description, and an index."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from flows import rtl
from flows.datasheets import diagram
from flows.datasheets.header import HEADINGS, Header, read_header
from flows.parameter_sets import ParameterSet
from flows.synthesis.table import Figures, table, unit_table
from refmodel.conformance import Description, load_description
from refmodel.conformance.configuration import Configuration
from refmodel.errors import DefinitionError

FOLDER = rtl.ROOT / "docs" / "units"


def pages(figures: Figures, sets: Sequence[ParameterSet]) -> dict[str, str]:
    """Return the text of every file of docs/units by name.

    Raises:
        DefinitionError: If a unit has no diagram, its diagram shows what it has not, or its header lacks something.
    """
    files: dict[str, str] = {}
    drawn = diagram.read_diagrams()
    described = described_units()
    if missing := sorted(described.keys() - drawn.keys()):
        raise DefinitionError(f"{diagram.FILE.name}: has no diagram of {missing[0]}")
    units = {name: described.get(name, []) for name in drawn if (rtl.RTL / f"{name}.sv").is_file()}
    for name, descriptions in units.items():
        diagram.check(drawn[name])
        measured = [each for each in sets if each.unit == name and each.synthesis]
        files[f"{name}.md"] = _page(name, descriptions, figures, measured)
        files[f"{name}.svg"] = diagram.draw(drawn[name])
    files["README.md"] = _index(units, figures, sets)
    return files


def described_units() -> dict[str, list[Description]]:
    """Return the DUT descriptions in rtl/ by the module that they describe."""
    units: dict[str, list[Description]] = {}
    for path in sorted(rtl.RTL.glob("*.toml")):
        description = load_description(path)
        units.setdefault(description.design.top, []).append(description)
    return units


def _page(
    name: str, descriptions: Sequence[Description], figures: Figures, sets: Sequence[ParameterSet]
) -> str:
    module = rtl.read_module(rtl.source(name))
    header = read_header(name, module.header)
    lines = [f"# {name}", "", f"![block diagram of {name}]({name}.svg)", ""]
    lines += ["## Function", ""]
    for paragraph in header.text:
        lines += [paragraph, ""]
    lines += ["## Properties", "", *table(["", ""], _properties(header), left=2), ""]
    if module.parameters:
        rows = [[f"`{each.name}`", f"`{each.default}`", _cell(each.comment)] for each in module.parameters]
        lines += ["## Parameters", "", *table(["parameter", "default", "meaning"], rows, left=3), ""]
    lines += ["## Ports", "", *table(["port", "direction", "width", "carries"], _ports(module), left=4), ""]
    if descriptions:
        lines += ["## Verified configurations", "", _verified(descriptions), "", *_configurations(descriptions), ""]
    if sets:
        lines += ["## Area and path", "", "From [synthesis.md](../synthesis.md), which says what is measured.", ""]
        lines += [*unit_table(figures, sets), ""]
    lines += ["## Parts", "", _parts(name), ""]
    return "\n".join(lines)


def _properties(header: Header) -> list[list[str]]:
    names = {"Width": "Widths"}
    return [
        [f"**{names.get(heading, heading)}**", _cell(header.sections[heading])]
        for heading in HEADINGS
        if heading in header.sections
    ]


def _ports(module: rtl.Module) -> list[list[str]]:
    rows = []
    shown = ""
    for port in module.ports:
        group = port.group if port.group != shown else ""
        shown = port.group
        comment = f"{port.comment[0].upper()}{port.comment[1:]}." if port.comment else ""
        width = f"`{port.width}`" if port.width else "1"
        rows.append([f"`{port.name}`", port.direction, width, _cell(f"{group} {comment}".strip())])
    return rows


def _verified(descriptions: Sequence[Description]) -> str:
    count = sum(len(each.configurations) for each in descriptions)
    files = " and ".join(f"[{each.file.name}](../../rtl/{each.file.name})" for each in descriptions)
    return (
        f"{files} describes the unit to the bench; `make sim ALL=1` compares each of {count:,} configurations with the "
        "model bit for bit, in Verilator or, with `SIM=icarus`, in Icarus:"
    )


def _configurations(descriptions: Sequence[Description]) -> list[str]:
    """Return a table with a row for each rule, or set of options, and what it is combined with."""
    rows: dict[tuple[str, str], list[Configuration]] = {}
    for description in descriptions:
        for each in description.configurations:
            rows.setdefault((description.name, _rule(each)), []).append(each)
    lines = []
    for (name, rule), members in rows.items():
        lines.append(
            [
                name,
                rule,
                _list(each.format_name for each in members),
                _list(each.result or "" for each in members),
                _list(str(each.lanes or "") for each in members),
                _list("" if each.depth is None else str(each.depth) for each in members),
                str(len(members)),
            ]
        )
    return table(["description", "rule", "formats", "results", "lanes", "depths", "configurations"], lines, left=6)


def _rule(configuration: Configuration) -> str:
    if configuration.rule is not None:
        return f"`{configuration.rule_name}`"
    return ", ".join(f"{name} {value}" for name, value in configuration.options) or "-"


def _list(values: object) -> str:
    distinct = list(dict.fromkeys(str(each) for each in values if each != ""))  # type: ignore[attr-defined]
    if len(distinct) > 12:
        return f"{len(distinct)} of them"
    return _cell(", ".join(distinct)) or "-"


def _parts(name: str) -> str:
    parts = [path.stem for path in rtl.sources_of(name) if path.stem not in (name, rtl.PACKAGE.stem)]
    if not parts:
        return "None but the package `mx_pkg`."
    shown = ", ".join(f"[{each}](../../rtl/{each}.sv)" for each in parts)
    return f"The package [mx_pkg](../../rtl/mx_pkg.sv) and {len(parts)} modules: {shown}."


def _index(units: dict[str, list[Description]], figures: Figures, sets: Sequence[ParameterSet]) -> str:
    rows = []
    for name in units:
        header = read_header(name, rtl.read_module(rtl.source(name)).header)
        areas = [figures.cell(each, "xc7").number("lut") for each in sets if each.unit == name and each.synthesis]
        luts = sorted(area for area in areas if area is not None)
        ends = dict.fromkeys(f"{area:,.0f}" for area in luts[:1] + luts[-1:])
        count = sum(len(each.configurations) for each in units[name])
        row = [f"[{name}]({name}.md)", _cell(header.summary), _cell(header.sections["Throughput"])]
        rows.append([*row, f"{count:,}" if count else "-", " to ".join(ends) or "-"])
    parts = []
    reached = set(units)
    for path in rtl.sources()[1:]:
        if path.stem not in reached:
            header = read_header(path.stem, rtl.read_module(path).header, needed=())
            users = [unit for unit in units if path in rtl.sources_of(unit)]
            parts.append([f"[{path.stem}](../../rtl/{path.name})", _cell(header.summary), f"{len(users)}"])
    return "\n".join(
        [
            "# Units",
            "",
            "Datasheets of the RTL in `rtl/`, made by `make docs` from the headers of the modules, the descriptions",
            "that the bench reads, and the figures of `make synth`. Change those, not these pages.",
            "",
            *table(["unit", "what", "throughput", "configurations", "LUTs (7 series)"], rows, left=3),
            "",
            "## Parts",
            "",
            "Modules that the units are made of, each there once; the last column is the number of units that use it.",
            "",
            *table(["module", "what", "units"], parts, left=2),
            "",
        ]
    )


def _cell(text: str) -> str:
    """Return text for a cell of a table."""
    return re.sub(r"(?<!\\)([*|])", r"\\\1", text.replace("\n", " "))


def stale(files: dict[str, str], folder: Path = FOLDER) -> list[str]:
    """Return the names of files that differ from what stands in the folder, those too many among them."""
    standing = {path.name: path.read_text() for path in folder.iterdir()} if folder.is_dir() else {}
    return sorted(name for name in standing.keys() | files.keys() if standing.get(name) != files.get(name))
