"""AMD matrix cores."""

from __future__ import annotations

from dataclasses import replace

from refmodel.accumulate.presets.common import FP8_6_4, HALF, MMASIM
from refmodel.accumulate.rule import AccumulationRule, SecondAlignment


def amd_rules() -> list[AccumulationRule]:
    """AMD matrix cores. Their sources do not establish NaN bits; 0x7FC00000 stands for them."""
    cdna1 = AccumulationRule(
        name="amd_cdna1_fp16",
        elements=("float16",),
        group_size=4,
        scale_apply="epilogue_tensor",
        source=f"{MMASIM} and MATLAB-tensor-core agree; NaN bits not established",
        confidence="B",
    )
    cdna2 = AccumulationRule(
        name="amd_cdna2_fp16",
        elements=HALF,
        product="fp32_rne_ftz",
        group_size=4,
        order="tree_adjacent",
        acc_in_align=False,
        daz=True,
        daz_c=True,
        daz_sign="plus",
        ftz=True,
        scale_apply="epilogue_tensor",
        source=f"{MMASIM}; AMD MIOpen documentation for flushing. Subnormal elements and initial values become "
        "+0, and by the code so does -0; a running value of -0 stays. NaN bits not established",
        confidence="B+",
    )
    cdna3 = AccumulationRule(
        name="amd_cdna3_fp16",
        elements=HALF,
        term_exponent="clamped_sum",
        group_size=8,
        align_bits=24,
        acc_in_align=False,
        stage2=SecondAlignment(dot_bits=32, c_bits=24, post_bits=31),
        overflow="product_inf_at_2^128",
        scale_apply="epilogue_tensor",
        source=f"{MMASIM}; the second alignment is disputed by MATLAB-tensor-core; NaN bits not established",
        confidence="B+",
    )
    return [
        cdna1,
        replace(cdna1, name="amd_cdna1_bf16", elements=("bfloat16",), group_size=2),
        cdna2,
        replace(cdna2, name="amd_cdna2_bf16", elements=("bfloat16",), group_size=2),
        cdna3,
        replace(cdna3, name="amd_cdna3_xf32", elements=("float32",), input_drop_bits=13, group_size=4),
        replace(
            cdna3,
            name="amd_cdna3_fp8",
            elements=("e4m3fnuz", "e5m2fnuz"),
            group_size=16,
            layout="even_odd",
            stage2=SecondAlignment(part_bits=24, dot_bits=32, c_bits=24, c_drop=25, post_bits=31),
            source=f"{MMASIM}; NaN bits not established",
        ),
        AccumulationRule(
            name="amd_cdna_fp32",
            elements=("float32",),
            group_size=1,
            order="fma_chain",
            scale_apply="epilogue_tensor",
            source=f"{MMASIM}; NaN bits not established",
            confidence="B",
        ),
        AccumulationRule(
            name="amd_cdna4_rocjitsu",
            elements=FP8_6_4,
            group_size="block",
            order="fma_chain",
            acc_in_align=False,
            scale_apply="ldexp_then_add",
            scale_format="e8m0",
            block=32,
            confidence="V",
            source="ROCm rocjitsu emulator; its issues 10330 and 10344 leave the sum of the hardware open",
        ),
        AccumulationRule(
            name="amd_rdna4_fp16",
            elements=HALF,
            term_exponent="clamped_sum",
            group_size=4,
            layout="pairs",
            align_bits=24,
            align_round="RD",
            acc_in_align=False,
            stage2=SecondAlignment(reference="grid", dot_bits=24, c_bits=26),
            zero_sign="always_plus",
            nan_pattern=0xFFC00000,
            scale_apply="epilogue_tensor",
            confidence="B",
            source="ROCm rocjitsu gfx12_dot.h, characterised on R9700. Our reading: a zero product has no part in "
            "the grid of its pair, and a pair of two none in the common grid",
        ),
    ]
