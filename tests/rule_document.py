"""docs/rules.md and docs/rules/: the accumulation rules by family, with pictures, made from the presets.

    python tests/rule_document.py

writes them; a test holds them to the code.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import rule_pictures as pictures

from refmodel.accumulate import AccumulationRule, get_rule, list_rules, list_unverified_rules

_HEAD = """# Accumulation rules

The MX specification fixes what a dot product is, but neither the precision nor the order of its sum
(MX-6.1-c, MX-6.1-d, MX-6.2-d). A rule fixes both, and with them every bit of the result:

    mx.dot(a, b, rule="nv_mxf8f6f4")
    mx.matmul(a, b, rule=dataclasses.replace(mx.get_rule("nv_mxf8f6f4"), align_bits=24))

A rule is a frozen dataclass; the docstring of `AccumulationRule` says completely what each field does, and
fields that contradict each other are refused. `mxref rules` lists the rules, `mxref rules NAME` says what one
does, and with `--toml` prints its fields. Rules of machines that take no block scales take `Elements`, codes
of one format without scales. Each family below has a page with what is kept and what is dropped, pictures, the
fields of its rules, and sources; `tests/rule_document.py` writes them from the presets.

On those pages, *conf.*: A published with code, and reproduced here on results recorded from the machine; V
reference code or pseudocode of the vendor or standard; B bit-accurate code of others; + compared by running
that code; C prose; D inferred; U not public. *F*: fraction bits kept below the exponent E that terms are
aligned to. *with c*: the running value is a term of each group. *acc*: format of the running value, and
rounding to it. RZ is toward zero, RD toward -inf, RNE to nearest even, RTO to odd (a lost bit sets the last one
kept).
"""


@dataclass(frozen=True, slots=True)
class Family:
    """Rules of one kind: what their sum keeps and drops, which they are, and what tells them apart.

    Attributes:
        slug: Name of the page.
        title: Its title.
        text: What the rules do.
        kept, dropped: In short.
        holds: Whether a rule belongs here.
        columns: Fields that tell the rules apart.
        drawings: Pictures, by name of the file.
        windows: Whether there is a picture of all alignment windows.
    """

    slug: str
    title: str
    text: str
    kept: str
    dropped: str
    holds: Callable[[AccumulationRule], bool]
    columns: tuple[str, ...]
    drawings: Mapping[str, Callable[[], str]]
    windows: bool = False


def _drawn(make: Callable[[str], pictures.Picture], *names: str) -> dict[str, Callable[[], str]]:
    return {name: partial(_draw, make, name) for name in names}


def _draw(make: Callable[[str], pictures.Picture], name: str) -> str:
    return pictures.draw(make(name))


_FLOAT64 = (
    "Running values are Float32 or narrower, as the result of a dot product of MX blocks is (MX-6.1), and so "
    "results are Float32 arrays. The Float64 units of NVIDIA tensor cores and of AMD CDNA1 to CDNA3 take Float64 "
    "elements and no MX format, and do nothing that would need a rule: each is a chain of IEEE 754 fused "
    "multiply-adds to nearest even, element after element from the initial value, which `math.fma` of Python 3.13 "
    "and `fma` of C give bit for bit. They have no preset, and there is no accumulator format `fp64`."
)


def _is_aligned(rule: AccumulationRule) -> bool:
    return rule.align_bits is not None


FAMILIES = (
    Family(
        "exact",
        "Exact sums",
        "Kept: everything, until the sum of a group is rounded. The order of products within a group does "
        "not matter. With the running value among the terms there is one rounding for each group; "
        "otherwise the sum meets the running value afterwards, rounded first (group_round) or not.",
        "every bit of every product, until the sum of a group is rounded",
        "what does not fit the format of the running value, once or twice a group",
        lambda r: r.order == "fused" and not _is_aligned(r),
        ("group_size", "with c", "group_round", "acc", "scale_apply", "zero_sign", "nan_pattern"),
        _drawn(pictures.exact, "exact_fp32"),
    ),
    Family(
        "chains",
        "Chains",
        "Kept: the exact product, or its Float32, until it is added. Dropped: at every addition what the "
        "format of the running value does not hold.",
        "the exact product, or its Float32, until it is added",
        "at every addition, what the format of the running value does not hold",
        lambda r: r.order in ("fma_chain", "pair_sum_chain"),
        ("group_size", "with c", "layout", "product", "acc", "scale_apply", "daz", "ftz", "nan_pattern"),
        _drawn(pictures.chain, "seq_fma_fp32"),
    ),
    Family(
        "trees",
        "Trees",
        "Products, or exact sums of a few, are added in adjacent pairs, each addition rounded; the "
        "running value is added last.",
        "the exact product or its Float32, or the exact sum of a few products",
        "at every addition of the tree, what Float32 does not hold",
        lambda r: r.order.startswith("tree"),
        ("group_size", "inner_group", "product", "acc", "daz", "ftz", "nan_pattern"),
        {name: partial(pictures.tree, name) for name in ("pairwise_fp32", "amd_cdna2_fp16", "arm_fp16_fmmla")},
    ),
    Family(
        "aligned",
        "Aligned with the running value: T-FDPA, ST-FDPA",
        "Products and the running value are shifted to the largest exponent E among them, what is below "
        "2**(E - F) is dropped, and the rest is added exactly and rounded once. E_i = e(a) + e(b) is the "
        "exponent of a product before it is normalised, so a product may reach 2**(E + 2). A running "
        "value far above the products swallows them. With block scales (ST-FDPA), their exponents are "
        "added to each E_i: no scale overflows, but a block of products that cancel still sets E. Where a "
        "term is zero, E is not below exp_floor.",
        "F fraction bits below the largest exponent of products and running value",
        "every bit below 2**(E - F) of each term, before the sum; then what the accumulator does not hold",
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
        _drawn(pictures.aligned, "nv_hopper_fp8_fast", "nv_mxf8f6f4"),
        windows=True,
    ),
    Family(
        "groups",
        "Groups aligned by their scales: GST-FDPA",
        "The products of 16 FP4 pairs are added exactly and multiplied by the significands of their two "
        "scales; the groups and the running value are then aligned as in T-FDPA, but with the exponents "
        "of the scales alone, whatever the size of the sum, which reaches far above 2**E.",
        "35 fraction bits below the largest exponent of the scales",
        "every bit below 2**(E - F) of the sum of a group, before the groups are added",
        lambda r: r.term_exponent == "scale_only",
        ("group_size", "inner_group", "F", "exp_floor", "acc", "scale_format", "block", "nan_pattern"),
        _drawn(pictures.groups, "nv_mxf4"),
    ),
    Family(
        "late",
        "Aligned, then added",
        "Products are aligned among themselves, and their sum is added to the running value afterwards, "
        "in one rounding (Gaudi 2) or rounded before (RVBNA, RISC-V IME with psm=1).",
        "F fraction bits below the largest exponent of the products; all of the running value",
        "lower bits of the products; then what one or two roundings drop",
        lambda r: _is_aligned(r) and not r.acc_in_align and r.stage2 is None,
        ("group_size", "F", "align_round", "group_round", "acc", "scale_apply", "ftz", "nan_pattern"),
        _drawn(pictures.late, "gaudi2_fp8", "rvbna16"),
        windows=True,
    ),
    Family(
        "twice",
        "Aligned twice: TR-FDPA, GTR-FDPA",
        "Products are aligned among themselves, in partial sums where a layout says so; then their sum "
        "and the running value are cut a second time, rounding down, so that negating all inputs does not "
        "negate the result.",
        "F fraction bits of the products, then fewer of the running value, or of both",
        "lower bits of products toward zero, and of sum and running value toward -inf",
        lambda r: r.stage2 is not None,
        ("group_size", "layout", "F", "align_round", "stage2", "acc", "nan_pattern"),
        _drawn(pictures.twice, "amd_cdna3_fp16"),
        windows=True,
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


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 110)


def _page(family: Family, members: list[AccumulationRule]) -> str:
    lines = [f"# {family.title}", "", *_wrapped(family.text), ""]
    lines += [*_wrapped(f"**Kept:** {family.kept}."), "", *_wrapped(f"**Dropped:** {family.dropped}."), ""]
    names = [*family.drawings, *([f"windows_{family.slug}"] if family.windows else [])]
    for name in names:
        lines += [f"![{name}]({name}.svg)", ""]
    if family.windows:
        lines += [
            *_wrapped(
                "In the last picture the frame is the alignment window, from 2**(E + 1) to 2**(E - F), and the bar in "
                "it the significand of the accumulator when the sum is about 2**E."
            ),
            "",
        ]
    rows = [
        [f"`{r.name}`", ", ".join(r.elements) or "any", *(_cell(r, c) for c in family.columns), r.confidence]
        for r in members
    ]
    lines += [*_table(["rule", "elements", *family.columns, "conf."], rows), "", "## In words", ""]
    words: dict[str, list[str]] = {}
    for rule in members:
        words.setdefault(rule.summary, []).append(f"`{rule.name}`")
    lines += [f"* {', '.join(same)}: {text}" for text, same in words.items()]
    lines += ["", "## Sources", ""]
    sources: dict[str, list[str]] = {}
    for rule in members:
        sources.setdefault(rule.source, []).append(f"`{rule.name}`")
    lines += [f"* {', '.join(same)}: {source}." for source, same in sources.items()]
    return "\n".join(lines) + "\n"


def documents() -> dict[str, str]:
    """Return the texts of docs/rules.md and of the files of docs/rules, by their paths in docs."""
    rules = [get_rule(name) for name in list_rules()]
    found: dict[str, str] = {}
    overview = []
    for family in FAMILIES:
        members = [rule for rule in rules if family.holds(rule)]
        found[f"rules/{family.slug}.md"] = _page(family, members)
        for name, drawing in family.drawings.items():
            found[f"rules/{name}.svg"] = drawing()
        if family.windows:
            title = f"{family.title}: alignment windows"
            found[f"rules/windows_{family.slug}.svg"] = pictures.windows(members, title)
        names = ", ".join(f"`{rule.name}`" for rule in members)
        overview.append([f"[{family.title}](rules/{family.slug}.md)", family.kept, names])
    unverified = [get_rule(name, allow_unverified=True) for name in list_unverified_rules()]
    lines = [
        _HEAD,
        "## Families",
        "",
        *_table(["family", "kept", "rules"], overview),
        "",
        "## Not public",
        "",
        "The numerics of these machines are not public. `get_rule(name, allow_unverified=True)` returns a",
        "stand-in, which says nothing about the machine.",
        "",
        *_table(["name", "what is known"], ([f"`{rule.name}`", rule.source] for rule in unverified)),
        "",
        "## Float64",
        "",
        *_wrapped(_FLOAT64),
    ]
    return {"rules.md": "\n".join(lines) + "\n", **found}


if __name__ == "__main__":
    docs = Path(__file__).parents[1] / "docs"
    (docs / "rules").mkdir(exist_ok=True)
    for old in (docs / "rules").iterdir():
        old.unlink()
    for name, text in documents().items():
        (docs / name).write_text(text, encoding="utf-8")
