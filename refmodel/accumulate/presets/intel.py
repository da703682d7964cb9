"""Intel AMX and Gaudi."""

from __future__ import annotations

from dataclasses import replace

from refmodel.accumulate.presets.common import FP8, GAUDI, t_fdpa
from refmodel.accumulate.rule import AccumulationRule


def intel_rules() -> list[AccumulationRule]:
    """Intel AMX and Gaudi."""
    amx = AccumulationRule(
        name="amx_bf16",
        elements=("bfloat16",),
        group_size=32,
        order="fma_chain",
        layout="even_odd",
        acc_in_align=False,
        daz=True,
        daz_c=True,
        ftz=True,
        scale_apply="epilogue_tensor",
        confidence="V",
        source="Intel SDM, TDPBF16PS; one instruction takes 32 elements",
    )
    gaudi3 = t_fdpa(
        "gaudi3_bf16",
        8,
        24,
        -132,
        elements=("bfloat16",),
        floor_when="always",
        source=GAUDI,
        confidence="V+",
    )
    gaudi2 = replace(
        gaudi3,
        name="gaudi2_bf16",
        align_bits=46,
        exp_floor=None,
        floor_when="any_zero_term",
        acc_in_align=False,
        acc_round="RNE",
        daz_c=True,
        ftz=True,
        zero_sign="ieee",
    )
    gaudi1 = AccumulationRule(
        name="gaudi1_bf16",
        elements=("bfloat16",),
        order="fma_chain",
        layout="round_robin_4",
        acc_in_align=False,
        scale_apply="epilogue_tensor",
        confidence="V",
        source=f"{GAUDI} for Gaudi 1: read, not compared; place of the initial value not stated",
    )
    return [
        amx,
        replace(amx, name="amx_fp16", elements=("float16",), daz=False, source="Intel SDM, TDPFP16PS"),
        gaudi1,
        replace(gaudi1, name="gaudi1_fp16", elements=("float16",)),
        replace(gaudi1, name="gaudi1_fp32", elements=("float32",)),
        replace(gaudi2, name="gaudi2_fp8", elements=FP8, group_size=16, align_bits=24, input_emin=-14),
        gaudi2,
        replace(
            gaudi2,
            name="gaudi2_fp16",
            elements=("float16",),
            confidence="V",
            source=f"{GAUDI}: read, not compared",
        ),
        replace(gaudi3, name="gaudi3_fp8", elements=FP8, term_exponent="normalised_inputs"),
        gaudi3,
    ]
