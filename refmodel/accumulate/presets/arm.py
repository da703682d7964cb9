"""Arm."""

from __future__ import annotations

from typing import Literal

from refmodel.accumulate.presets.common import ARM, FP8
from refmodel.accumulate.rule import AccumulationRule, AccumulatorFormat
from refmodel.errors import DefinitionError


def arm_fp8_dot(
    terms: Literal[1, 2, 4, 8], lscale: int = 0, to: AccumulatorFormat = "fp32", saturate: bool = False
) -> AccumulationRule:
    """Return Arm's FP8 dot product of *terms* products with FPMR.LSCALE *lscale* and FPMR.OSM *saturate*.

    Raises:
        DefinitionError: If *to* is neither fp32 nor fp16, or lscale does not fit its 7 (fp32) or 4 bits.
    """
    if to not in ("fp32", "fp16") or not 0 <= lscale < (128 if to == "fp32" else 16):
        raise DefinitionError(
            f"Arm FP8 has results fp32 with lscale below 128 and fp16 below 16, not {to}, {lscale}"
        )
    name = f"arm_fp8_dot{terms}" + ("_fp16" if to == "fp16" else "")
    name += (f"_lscale{lscale}" if lscale else "") + ("_osm" if saturate else "")
    return AccumulationRule(
        name=name,
        elements=FP8,
        group_size=terms,
        dot_shift=lscale,
        acc_format=to,
        overflow="saturate" if saturate else "inf",
        nan_pattern=0x7E00 if to == "fp16" else 0x7FC00000,
        scale_apply="epilogue_tensor",
        source=f"{ARM}, FP8DotAddFP, FP8MatMulAddFP, FPRound_FP8",
        confidence="V",
    )


def arm_rules() -> list[AccumulationRule]:
    """Arm: FP8 dot products by number of terms, and BF16."""
    bf16 = AccumulationRule(
        name="arm_bf16_std",
        elements=("bfloat16",),
        product="fp32_rto_ftz",
        group_size=2,
        order="tree_adjacent",
        acc_in_align=False,
        acc_round="RTO",
        daz=True,
        daz_c=True,
        ftz=True,
        scale_apply="epilogue_tensor",
        source=f"{ARM}, BFDotAdd with FEAT_EBF16 off",
        confidence="V",
    )
    return [
        *(arm_fp8_dot(terms) for terms in (1, 4, 8)),
        *(arm_fp8_dot(terms, to="fp16") for terms in (2, 4)),
        bf16,
        AccumulationRule(
            name="arm_bf16_ebf",
            elements=("bfloat16",),
            group_size=2,
            acc_in_align=False,
            group_round="RNE",
            scale_apply="epilogue_tensor",
            source=f"{ARM}, FPDot with FPCR.EBF=1 and rounding to nearest",
            confidence="V",
        ),
        AccumulationRule(
            name="arm_fp16_fmmla",
            elements=("float16",),
            group_size=4,
            inner_group=2,
            order="tree_adjacent",
            acc_in_align=False,
            scale_apply="epilogue_tensor",
            source=f"{ARM}, FP16 to FP32 FMMLA",
            confidence="V",
        ),
    ]
