"""Which configurations of which designs a run simulates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from refmodel.conformance import Configuration, Description
from refmodel.conformance.configuration import parse_pair
from refmodel.errors import DefinitionError, unknown_name


@dataclass(frozen=True, slots=True)
class Selection:
    """One configuration of a design."""

    description: Description
    configuration: Configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What is asked for along each axis; an empty list asks for nothing in particular."""

    unit: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    rule: tuple[str, ...] = ()
    result: tuple[str, ...] = ()
    lanes: tuple[str, ...] = ()
    depth: tuple[str, ...] = ()
    config: str | None = None


_AXES: dict[str, Callable[[Configuration], str]] = {
    "formats": lambda each: each.format_name,
    "rule": lambda each: each.rule_name,
    "result": lambda each: each.result,
    "lanes": lambda each: str(each.lanes),
    "depth": lambda each: "-" if each.depth is None else str(each.depth),
    "config": lambda each: each.name,
}


def select_configurations(
    descriptions: Mapping[str, Description], filters: Filters, *, everything: bool
) -> tuple[Selection, ...]:
    """Return what a run simulates.

    Without filters the quick configurations, or every one if *everything*. With filters those of them that fit;
    of a design of which no quick configuration fits, any that does.

    Raises:
        UnknownNameError: If no design has that name, or no configuration that format, rule, ...
        DefinitionError: If nothing fits all filters.
    """
    for name in filters.unit:
        if name not in descriptions:
            raise unknown_name("unit", name, descriptions)
    designs = [descriptions[name] for name in filters.unit or descriptions]
    wanted = {axis: _asked(axis, filters) for axis in _AXES}
    for axis, values in wanted.items():
        known = dict.fromkeys(_AXES[axis](each) for design in designs for each in design.configurations)
        for value in values:
            if value not in known:
                raise unknown_name(axis if axis != "formats" else "format", value, _readable(known))
    chosen: list[Selection] = []
    for design in designs:
        fitting = [
            each
            for each in design.configurations
            if all(not values or _AXES[axis](each) in values for axis, values in wanted.items())
        ]
        quick = [each for each in fitting if each.quick]
        has_filter = any(wanted.values())
        chosen += [Selection(design, each) for each in (fitting if everything or (has_filter and not quick) else quick)]
    if not chosen:
        raise DefinitionError("no configuration fits all of what is asked for; ALL=1 CLASSES=1 lists what there is")
    return tuple(chosen)


def _asked(axis: str, filters: Filters) -> tuple[str, ...]:
    given: tuple[str, ...] | str | None = getattr(filters, axis)
    values = (given,) if isinstance(given, str) else given or ()
    if axis == "formats":
        return tuple(value if value == "mixed" else parse_pair(value).name for value in values)
    return values


def _readable(known: Iterable[str]) -> list[str]:
    """Return the names for a message: all, or the first of very many."""
    names, most = list(known), 40
    return names if len(names) <= most else [*names[:most], f"... {len(names) - most} more"]
