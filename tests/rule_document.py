"""docs/rules.md: the accumulation rules by family, made from the presets.

    python tests/rule_document.py > docs/rules.md

writes the document; a test holds it to the code.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from refmodel.accumulate import AccumulationRule, get_rule, list_rules, list_unverified_rules

_HEAD = """# Accumulation rules

The MX specification fixes what a dot product is, but neither the precision nor the order of its sum
(MX-6.1-c, MX-6.1-d, MX-6.2-d). A rule fixes both, and with them every bit of the result:

    mx.dot(a, b, rule="nv_mxf8f6f4")
    mx.matmul(a, b, rule=dataclasses.replace(mx.get_rule("nv_mxf8f6f4"), align_bits=24))

A rule is a frozen dataclass; the docstring of `AccumulationRule` says completely what each field does, and
fields that contradict each other are refused. `mxref rules` lists the rules, `mxref rules NAME` says what one
does, and with `--toml` prints its fields. Rules of machines that take no block scales take `Elements`, codes
of one format without scales. This document is written by `tests/rule_document.py`.

*conf.*: A published with code, and reproduced here on results recorded from the machine; V reference code or
pseudocode of the vendor or standard; B bit-accurate code of others; + compared by running that code; C prose;
D inferred; U not public. *F*: fraction bits kept below the exponent E that terms are aligned to. *with c*:
the running value is a term of each group. *acc*: format of the running value, and rounding to it. RZ is
toward zero, RD toward -inf, RNE to nearest even, RTO to odd (a lost bit sets the last one kept).
"""


@dataclass(frozen=True, slots=True)
class Family:
    """Rules of one kind: what their sum keeps and drops, which they are, and what tells them apart."""

    title: str
    text: str
    holds: Callable[[AccumulationRule], bool]
    columns: tuple[str, ...]
    window: str = ""


def _is_aligned(rule: AccumulationRule) -> bool:
    return rule.align_bits is not None


FAMILIES = (
    Family(
        "Exact sums",
        "Kept: everything, until the sum of a group is rounded. The order of products within a group does "
        "not matter. With the running value among the terms there is one rounding for each group; "
        "otherwise the sum meets the running value afterwards, rounded first (group_round) or not.",
        lambda r: r.order == "fused" and not _is_aligned(r),
        ("group_size", "with c", "group_round", "acc", "scale_apply", "zero_sign", "nan_pattern"),
    ),
    Family(
        "Chains",
        "Kept: the exact product, or its Float32, until it is added. Dropped: at every addition what the "
        "format of the running value does not hold.",
        lambda r: r.order in ("fma_chain", "pair_sum_chain"),
        ("group_size", "with c", "layout", "product", "acc", "scale_apply", "daz", "ftz", "nan_pattern"),
    ),
    Family(
        "Trees",
        "Products, or exact sums of a few, are added in adjacent pairs, each addition rounded; the "
        "running value is added last.",
        lambda r: r.order.startswith("tree"),
        ("group_size", "inner_group", "product", "acc", "daz", "ftz", "nan_pattern"),
    ),
    Family(
        "Aligned with the running value: T-FDPA, ST-FDPA",
        "Products and the running value are shifted to the largest exponent E among them, what is below "
        "2**(E - F) is dropped, and the rest is added exactly and rounded once. E_i = e(a) + e(b) is the "
        "exponent of a product before it is normalised, so a product may reach 2**(E + 2). A running "
        "value far above the products swallows them. With block scales (ST-FDPA), their exponents are "
        "added to each E_i: no scale overflows, but a block of products that cancel still sets E. Where a "
        "term is zero, E is not below exp_floor.",
        lambda r: _is_aligned(r) and r.acc_in_align and r.term_exponent != "scale_only",
        (
            "group_size",
            "F",
            "term_exponent",
            "exp_floor",
            "acc",
            "promote_every",
            "scale_apply",
            "nan_pattern",
        ),
        "nv_mxf8f6f4",
    ),
    Family(
        "Groups aligned by their scales: GST-FDPA",
        "The products of 16 FP4 pairs are added exactly and multiplied by the significands of their two "
        "scales; the groups and the running value are then aligned as above, with the exponents of the "
        "scales alone, whatever the size of the sum.",
        lambda r: r.term_exponent == "scale_only",
        ("group_size", "inner_group", "F", "exp_floor", "acc", "scale_format", "block", "nan_pattern"),
        "nv_mxf4",
    ),
    Family(
        "Aligned, then added",
        "Products are aligned among themselves, and their sum is added to the running value afterwards, "
        "in one rounding (Gaudi 2) or rounded before (RVBNA, RISC-V IME with psm=1).",
        lambda r: _is_aligned(r) and not r.acc_in_align and r.stage2 is None,
        ("group_size", "F", "align_round", "group_round", "acc", "scale_apply", "ftz", "nan_pattern"),
        "rvbna16",
    ),
    Family(
        "Aligned twice: TR-FDPA, GTR-FDPA",
        "Products are aligned among themselves, in partial sums where a layout says so; then their sum "
        "and the running value are cut a second time, rounding down, so that negating all inputs does not "
        "negate the result.",
        lambda r: r.stage2 is not None,
        ("group_size", "layout", "F", "align_round", "stage2", "acc", "nan_pattern"),
        "amd_cdna3_fp16",
    ),
)


def _cell(rule: AccumulationRule, column: str) -> str:
    match column:
        case "with c":
            return "yes" if rule.acc_in_align else "no"
        case "F":
            return str(rule.align_bits)
        case "acc":
            return f"{rule.acc_format} {rule.acc_round}"
        case "group_round":
            text = rule.group_round or "-"
            return f"{rule.group_format} {text}" if rule.group_format else text
        case "exp_floor":
            if rule.exp_floor is None:
                return "-"
            return f"{rule.exp_floor}" + (" always" if rule.floor_when == "always" else "")
        case "nan_pattern":
            return f"{rule.nan_pattern:#x}"
        case "daz":
            return " ".join(["elements"] * rule.daz + ["c"] * rule.daz_c) or "-"
        case "stage2":
            stage = rule.stage2
            assert stage is not None
            parts = f"parts {stage.part_bits}, " if stage.part_bits else ""
            drop = f", c dropped {stage.c_drop} below" if stage.c_drop else ""
            post = f", then {stage.post_bits}" if stage.post_bits else ""
            return f"{parts}sum {stage.dot_bits}, c {stage.c_bits}, {stage.dot_round}{drop}{post}"
    value = getattr(rule, column)
    if isinstance(value, bool):
        return "yes" if value else "-"
    return "-" if value is None else str(value)


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    header = list(header)
    lines = [header, ["---"] * len(header), *map(list, rows)]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _window(rule: AccumulationRule) -> list[str]:
    """The bits that the alignment of a rule keeps, as a picture: three terms against the kept positions."""
    third = "c" if rule.acc_in_align else "product"
    terms = (
        ("product", "1 x . x x x x                "),
        ("product", "    .   1 x x x x            "),
        (third, "    .             1 x x x x x", " x x x   dropped"),
    )
    what = "scale's" if rule.term_exponent == "scale_only" else "largest"
    lines = [
        f"{rule.name}: E is the {what} exponent, F = {rule.align_bits}, {rule.align_round}",
        "",
        f"             E+1 E   E-1              E-{rule.align_bits}".replace("E+1 E   E-1", "E+1 E  E-1"),
    ]
    for name, kept, *lost in terms:
        lines.append(f"{name:12} {kept}|{''.join(lost)}".rstrip())
    return ["", "```text", *lines, "```"]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 110)


def document() -> str:
    """The text of docs/rules.md."""
    lines = [_HEAD]
    rules = [get_rule(name) for name in list_rules()]
    for family in FAMILIES:
        members = [rule for rule in rules if family.holds(rule)]
        lines += [f"## {family.title}", "", *_wrapped(family.text)]
        if family.window:
            lines += _window(get_rule(family.window))
        rows = [
            [
                f"`{r.name}`",
                ", ".join(r.elements) or "any",
                *(_cell(r, c) for c in family.columns),
                r.confidence,
            ]
            for r in members
        ]
        lines += ["", *_table(["rule", "elements", *family.columns, "conf."], rows), "", "Sources:", ""]
        sources: dict[str, list[str]] = {}
        for rule in members:
            sources.setdefault(rule.source, []).append(f"`{rule.name}`")
        lines += [f"* {', '.join(names)}: {source}." for source, names in sources.items()]
        lines.append("")
    unverified = [get_rule(name, allow_unverified=True) for name in list_unverified_rules()]
    lines += [
        "## Not public",
        "",
        "The numerics of these machines are not public. `get_rule(name, allow_unverified=True)` returns a",
        "stand-in, which says nothing about the machine.",
        "",
        *_table(["name", "what is known"], ([f"`{rule.name}`", rule.source] for rule in unverified)),
        "",
        "Float64 units (FP64 of NVIDIA tensor cores, and of AMD CDNA1 to CDNA3: chains of fused multiply-adds,",
        "to nearest even) have no rule: running values are Float32 or narrower.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(document(), end="")
