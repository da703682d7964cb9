"""The tables of a DUT description that say what is to be simulated: [rules.*] and [[configurations]]."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Literal, get_args

from refmodel.accumulate import AccumulationRule, from_dict, get_rule, to_dict
from refmodel.conformance.configuration import (
    NUMBER_BITS,
    Configuration,
    NamedRule,
    OperandPair,
    parse_pair,
    scale_of,
)
from refmodel.conformance.operations import Operation
from refmodel.conformance.tables import REQUIRED, Table, show
from refmodel.errors import DefinitionError, unknown_name
from refmodel.formats import OCP_FORMATS
from refmodel.options import QuantizeOptions, choices

ResultField = Literal["acc_format", "out_format"]

_NARROW_NAN = {"fp32": 0x7FC00000, "bf16": 0x7FC0, "fp16": 0x7E00}


@dataclass(frozen=True, slots=True)
class DescribedRule:
    """A rule as a description gives it.

    Attributes:
        name: Its name in the description.
        rule: The rule.
        result_field: Which of its formats follows the result of a configuration; None if results are as it says.
        parameters: The parameters of the design that select it.
    """

    name: str
    rule: AccumulationRule
    result_field: ResultField | None
    parameters: Mapping[str, int | str]

    def named(self, table: Table, result: str | None) -> NamedRule:
        """Return the rule giving results of the format *result*, None for its own.

        Raises:
            DescriptionError: If it cannot; the message names key ``results`` of *table*.
        """
        return NamedRule(self.name, self._with_result(table, result), self.parameters)

    def _with_result(self, table: Table, result: str | None) -> AccumulationRule:
        rule = self.rule
        if result is None or result == rule.result_format:
            return rule
        if self.result_field is None:
            raise table.error(
                "results",
                f"holds {show(result)}, but rule {rule.name} gives {rule.result_format}; say in [rules.{rule.name}] "
                'result_field = "acc_format" (the sum is rounded to it) or "out_format" (the result is, once more)',
            )
        nan = _NARROW_NAN[result] if rule.nan_pattern == _NARROW_NAN[rule.result_format] else rule.nan_pattern
        changes: dict[str, Any] = {self.result_field: result, "nan_pattern": nan}
        try:
            return replace(rule, **changes)
        except DefinitionError as error:
            raise table.error("results", f"holds {show(result)}: {error}") from error


@dataclass(frozen=True, slots=True)
class DescribedProfile:
    """The choices of an implementation that several designs share: a file that their descriptions name.

    Attributes:
        options: Choices of conversions, where a configuration gives no others.
        rules: Accumulation rules by name.
    """

    options: Mapping[str, str] = field(default_factory=dict)
    rules: dict[str, DescribedRule] = field(default_factory=dict)


def read_profile(table: Table) -> DescribedProfile:
    """Return the profile of a file.

    Raises:
        DescriptionError: If it is not as docs/dut.md says.
    """
    options = table.table("options", optional=True)
    chosen = _options(options)
    if len(chosen) > 1:
        raise options.error(None, "gives several values for one option; a profile has one of each")
    return DescribedProfile(dict(chosen[0]), read_rules(table.table("rules", optional=True)))


def read_rules(table: Table) -> dict[str, DescribedRule]:
    """Return the rules of table [rules] by name.

    Raises:
        DescriptionError: If one is not as docs/dut.md says.
    """
    rules = {}
    for name in table.names():
        inner = table.table(name)
        given = inner.value("rule", name)
        rule = _rule(inner, "rule", given, name)
        result_field = inner.choice("result_field", get_args(ResultField), None)
        parameters = inner.table("parameters", optional=True)
        values = {key: parameters.scalar(key) for key in parameters.names()}
        rules[name] = DescribedRule(name, rule, result_field, values)
        inner.finish()
    return rules


def read_configurations(
    operation: Operation, table: Table, rules: Mapping[str, DescribedRule], defaults: Mapping[str, str]
) -> Iterator[Configuration]:
    """Yield every combination of the lists in one table of [[configurations]].

    Args:
        operation: What the design computes.
        table: The table.
        rules: The rules that it may name.
        defaults: Choices of conversions where it gives none.

    Raises:
        DescriptionError: If the table is not as docs/dut.md says.
    """
    axes = operation.axes
    formats = _formats(operation, table)
    mixed = table.flag("mixed", False)
    groups: list[tuple[OperandPair, ...]] = [tuple(formats)] if mixed else [(pair,) for pair in formats]
    size = formats[0].block_size
    for pair in formats:
        if mixed and (pair.block_size != size or (scale_of(pair.a) is None) != (scale_of(formats[0].a) is None)):
            raise table.error("formats", f"{pair.name} cannot be mixed with {formats[0].name}: other blocks")
    lanes = table.integers("lanes", None, low=1, high=64) if "lanes" in axes and "lanes" in table else (None,)
    depths = table.integers("depth", None, high=64) if "depth" in table else (None,)
    results = _numbers_axis(table, "results", "results" in axes)
    inputs = _numbers_axis(table, "inputs", "inputs" in axes)
    rows, columns = (table.integers(key, 1, low=1, high=64) if key in axes else (1,) for key in ("rows", "columns"))
    options = _options(table.table("options", optional=True), defaults) if "options" in axes else [()]
    chosen = _chosen_rules(table, rules) if "rules" in axes else [None]
    parameters = table.table("parameters", optional=True)
    fixed = {key: parameters.scalar(key) for key in parameters.names()}
    quick = table.flag("quick", False)
    table.finish()
    for pairs, described, result in product(groups, chosen, results):
        block = pairs[0].block_size
        named = None if described is None else described.named(table, result)
        for number, lane, depth, row, column, option in product(inputs, lanes, depths, rows, columns, options):
            if lane is not None and block % lane:
                raise table.error("lanes", f"holds {lane}; a block of {pairs[0].name} has {block} elements")
            yield Configuration(
                pairs=pairs, rule=named, result=result or (named.rule.result_format if named else "fp32"),
                input=number or "fp32", lanes=lane or block, depth=depth, rows=row, columns=column,
                options=option, parameters=fixed, quick=quick,
            )  # fmt: skip


def _rule(table: Table, key: str, given: Any, name: str | None) -> AccumulationRule:
    """Return the rule that a name or a table with ``base`` stands for."""
    if isinstance(given, str):
        found = table.named(key, "accumulation rule", get_rule, given)
        return found if name is None else replace(found, name=name)
    if not isinstance(given, dict) or not isinstance(given.get("base"), str):
        raise table.error(key, f'is {show(given)}; expected a rule\'s name, or a table {{ base = "NAME", ... }}')
    base = table.named(key, "accumulation rule", get_rule, given["base"])
    changes = {each: value for each, value in given.items() if each != "base"}
    fields = to_dict(base) | {"name": name or f"{base.name}_changed", "description": ""} | changes
    # TOML has no value for "none"; a field is removed by the word.
    fields = {each: value for each, value in fields.items() if value != "absent"}
    return table.named(key, "accumulation rule", from_dict, fields)


def _chosen_rules(table: Table, rules: Mapping[str, DescribedRule]) -> list[DescribedRule]:
    expected = "names of rules, of this file or of the model, or tables with base"
    chosen = []
    for given in table.one_or_more("rules", REQUIRED, expected):
        if isinstance(given, str) and given in rules:
            chosen.append(rules[given])
        else:
            rule = _rule(table, "rules", given, None)
            chosen.append(DescribedRule(rule.name, rule, None, {}))
    return chosen


def _formats(operation: Operation, table: Table) -> list[OperandPair]:
    expected = 'block formats, pairs "A*B", "all" or "all_pairs"'
    found: dict[str, OperandPair] = {}
    for text in table.texts("formats", expected=expected):
        if text == "all":
            names = list(OCP_FORMATS)
        elif text == "all_pairs" and "a_elements" in operation.roles:
            names = [f"{a}*{b}" for a in OCP_FORMATS for b in OCP_FORMATS]
        else:
            names = [text]
        for name in names:
            pair = table.named("formats", "format or pair of formats", parse_pair, name)
            if pair.a != pair.b and "a_elements" not in operation.roles:
                raise table.error("formats", f"{show(name)}: operation {operation.name} has one format")
            found[pair.name] = pair
    return list(found.values())


def _numbers_axis(table: Table, key: str, allowed: bool) -> tuple[str | None, ...]:
    if not allowed or key not in table:
        return (None,)
    expected = f"of {', '.join(NUMBER_BITS)}"
    return table.one_or_more(key, None, expected, lambda value: isinstance(value, str) and value in NUMBER_BITS)


def _options(table: Table, defaults: Mapping[str, str] | None = None) -> list[tuple[tuple[str, str], ...]]:
    known = choices(QuantizeOptions)
    lists = [[(name, value)] for name, value in (defaults or {}).items() if name not in table]
    for name in table.names():
        if name not in known:
            raise table.error(name, str(unknown_name("option", name, known)))
        values = table.texts(name)
        for value in values:
            if value not in known[name]:
                raise table.error(name, str(unknown_name(f"value of {name}:", value, known[name])))
        lists.append([(name, value) for value in values])
    return [tuple(each) for each in product(*lists)]
