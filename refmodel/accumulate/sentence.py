"""An accumulation rule in words, made of its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from refmodel.accumulate.rule import AccumulationRule

_FORMATS = {"fp32": "Float32", "e8m13": "E8M13", "fp16": "Float16", "bf16": "BFloat16"}
_EXPONENTS = {
    "clamped_sum": "the sum of the elements' exponents",
    "normalised_inputs": "the sum of the elements' exponents, subnormals normalised",
    "normalised_product": "the product's exponent",
    "scale_only": "the scale's exponent",
}
_LAYOUTS = {
    "even_odd": "even and odd positions apart",
    "pairs": "pairs apart",
    "round_robin_4": "in four lanes",
}
_SCALES = {
    "product_exponent": "",
    "group_exponent": "",
    "fused_exact": "the sum is multiplied by both scales exactly",
    "ldexp_then_add": "the rounded sum is multiplied by both scales in one rounding",
    "fp32_factor": "the sum is multiplied by the rounded product of the scales",
    "two_fp32_factors": "the rounded sum is multiplied by one scale, rounded, and by the other, rounded",
    "dequant_inputs": "",
    "epilogue_tensor": "",
}


def sentence(rule: AccumulationRule) -> str:
    """Return what *rule* does, in a few clauses."""
    parts = [
        _inputs(rule),
        f"{_groups(rule)} {_sum(rule)}",
        _late(rule),
        _result(rule),
        _above(rule),
        _marks(rule),
    ]
    text = "; ".join(part for part in parts if part)
    return text[0].upper() + text[1:] + "."


def _inputs(rule: AccumulationRule) -> str:
    words = []
    if rule.input_drop_bits:
        words.append(f"the low {rule.input_drop_bits} bits of elements are dropped")
    if rule.daz or rule.daz_c:
        what = " and ".join(["elements"] * rule.daz + ["initial values"] * rule.daz_c)
        words.append(f"subnormal {what} count as {'+0' if rule.daz_sign == 'plus' else 'zero of their sign'}")
    if rule.dequant_format:
        words.append(f"elements are multiplied by their scale in {_FORMATS[rule.dequant_format]}")
    return ", ".join(words)


def _groups(rule: AccumulationRule) -> str:
    if rule.group_size == "all":
        return "over all of K,"
    if rule.group_size == "block":
        return "in each block,"
    return "one by one," if rule.group_size == 1 else f"in groups of {rule.group_size},"


def _sum(rule: AccumulationRule) -> str:
    fmt = _FORMATS[rule.acc_format]
    exact = "exact products" if rule.product == "exact" else f"products rounded to Float32 ({_product(rule)})"
    lanes = f", {_LAYOUTS[rule.layout]}" if rule.layout != "contiguous" else ""
    if rule.order == "fma_chain":
        start = "the running value" if rule.acc_in_align else "+0"
        return f"{exact} are added to {start} one after the other in {fmt} ({rule.acc_round}){lanes}"
    if rule.order == "pair_sum_chain":
        how = f"in pairs, and the pairs one after the other, in {fmt} ({rule.acc_round})"
        return f"{exact} are added {how}{lanes}"
    if rule.order != "fused":
        leaf = exact if rule.inner_group == 1 else f"exact sums of {rule.inner_group} products"
        shape = "adjacent pairs" if rule.order == "tree_adjacent" else "halves"
        return f"{leaf} are added in a tree of {shape} in {fmt} ({rule.acc_round})"
    with_running = " and the running value" if rule.acc_in_align else ""
    scaled = " with their scales" if rule.scale_apply in ("product_exponent", "group_exponent") else ""
    if rule.align_bits is None:
        return f"{exact}{scaled}{with_running} are added exactly" + _shift(rule)
    term = exact if rule.inner_group == 1 else f"exact sums of {rule.inner_group} products"
    floor = ""
    if rule.exp_floor is not None:
        when = "" if rule.floor_when == "always" else " if a term is zero"
        floor = f" (not below {rule.exp_floor}{when})"
    clamp = f", clamped at {rule.input_emin}" if rule.input_emin is not None else ""
    return (
        f"{term}{scaled}{with_running} are aligned{lanes}: the exponent of a term is "
        f"{_EXPONENTS[rule.term_exponent]}{clamp}, all are cut at {rule.align_bits} fraction bits "
        f"({rule.align_round}) below the largest{floor}, and added exactly" + _shift(rule)
    )


def _product(rule: AccumulationRule) -> str:
    mode = "RTO" if "rto" in rule.product else "RNE"
    return mode + (", subnormals flushed" if rule.product.endswith("_ftz") else "")


def _shift(rule: AccumulationRule) -> str:
    return f", times 2**{-rule.dot_shift}" if rule.dot_shift else ""


def _late(rule: AccumulationRule) -> str:
    if rule.acc_in_align:
        return ""
    words = []
    if rule.group_round is not None:
        fmt = _FORMATS[rule.group_format or rule.acc_format]
        words.append(f"the sum is rounded to {fmt} ({rule.group_round})")
    if _SCALES[rule.scale_apply]:
        words.append(_SCALES[rule.scale_apply])
    stage = rule.stage2
    if stage is None:
        words.append("the sum is added to the running value")
        return ", ".join(words)
    words.append(
        f"the sum is added to the running value after both are cut, the sum at {stage.dot_bits} "
        f"({stage.dot_round}) and the running value at {stage.c_bits} fraction bits ({stage.c_round})"
    )
    if stage.c_drop is not None:
        words.append(f"a running value more than {stage.c_drop} exponents below being dropped")
    if stage.post_bits is not None:
        words.append(f"the result is cut at {stage.post_bits} fraction bits ({stage.post_round})")
    return ", ".join(words)


def _result(rule: AccumulationRule) -> str:
    words = [f"the running value is rounded to {_FORMATS[rule.acc_format]} ({rule.acc_round})"]
    if rule.ftz:
        words.append(f"subnormals becoming {'+0' if rule.ftz_sign == 'plus' else 'zero of their sign'}")
    if rule.overflow == "saturate":
        words.append("overflow saturating")
    if rule.overflow.startswith("product_inf"):
        words.append("a product of 2**128 or more being infinite")
    return ", ".join(words)


def _above(rule: AccumulationRule) -> str:
    words = []
    if rule.promote_every:
        words.append(
            f"every {rule.promote_every} elements start from +0 and their results are added in Float32"
        )
    if rule.split_k:
        split = rule.split_k
        words.append(
            f"K is split in {split.splits} parts of {split.deal} tiles of {split.tile}, added {split.combine}"
        )
    if rule.out_format:
        words.append(f"the result is rounded to {_FORMATS[rule.out_format]} ({rule.out_round})")
    return ", ".join(words)


def _marks(rule: AccumulationRule) -> str:
    zero = {
        "always_plus": "every zero is +0",
        "ieee": "zeros have the sign of IEEE 754",
        "from_plus": "sums start from +0",
    }[rule.zero_sign]
    return f"{zero}, NaN is {rule.nan_pattern:#x}"
