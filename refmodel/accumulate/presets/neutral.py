"""Rules of no machine: exact, by block, one after the other, in a tree."""

from __future__ import annotations

from refmodel.accumulate.rule import AccumulationRule


def neutral_rules() -> list[AccumulationRule]:
    """Rules of no machine: exact, by block, one after the other, in a tree."""
    return [
        AccumulationRule(
            name="exact_fp32",
            description="The exact sum of the initial value and all products of all blocks, rounded once to "
            "Float32.",
            source="A-27 `exact`, A-31 `exact_all`",
            confidence="V",
            zero_sign="from_plus",
        ),
        AccumulationRule(
            name="block32_fp32_add",
            description="Each block's exact scaled sum, rounded to Float32, is added in Float32 and in block "
            "order to a running value that starts at +0 or the initial value.",
            source="A-27 `exact`, A-31 sequential Float32",
            confidence="V",
            group_size="block",
            acc_in_align=False,
            group_round="RNE",
            zero_sign="from_plus",
        ),
        AccumulationRule(
            name="block32_exact_fused",
            source="A-27 `exact`, A-31 sequential Float32, one rounding for each block",
            confidence="V",
            group_size="block",
            acc_in_align=False,
            scale_apply="fused_exact",
        ),
        AccumulationRule(
            name="seq_fma_fp32",
            source="A-27, A-31: one Float32 fused multiply-add for each element, in order",
            confidence="V",
            group_size=1,
            order="fma_chain",
        ),
        AccumulationRule(
            name="pairwise_fp32",
            source="A-27, A-31: Float32 additions in a tree of adjacent pairs, the initial value last",
            confidence="V",
            product="fp32_rne",
            order="tree_adjacent",
            acc_in_align=False,
        ),
        AccumulationRule(
            name="dequant_seq_fma_fp32",
            source="Software emulation: elements times scale in Float32 first, then `seq_fma_fp32`",
            confidence="D",
            group_size=1,
            order="fma_chain",
            scale_apply="dequant_inputs",
            dequant_format="fp32",
        ),
    ]
