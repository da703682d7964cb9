"""NVIDIA tensor cores."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from refmodel.accumulate.presets.common import FP8, FP8_6_4, MATLAB, MMAEMU, MMASIM, t_fdpa
from refmodel.accumulate.rule import AccumulationRule


def _to_fp16(rule: AccumulationRule, name: str, floor: int, **changes: Any) -> AccumulationRule:
    """The same unit with a Float16 accumulator."""
    return replace(
        rule, name=name, acc_format="fp16", acc_round="RNE", exp_floor=floor, nan_pattern=0x7FFF, **changes
    )


def nvidia_rules() -> list[AccumulationRule]:
    """NVIDIA tensor cores."""
    a = {"source": f"{MATLAB}; {MMASIM}", "confidence": "A"}
    b = {"source": MMASIM, "confidence": "B+"}
    volta = t_fdpa("nv_volta_fp16", 4, 23, -131, elements=("float16",), **a)
    turing = t_fdpa("nv_turing_fp16", 8, 24, -132, elements=("float16",), **{**b, "confidence": "B"})
    ampere = t_fdpa("nv_ampere_fp16", 8, 24, -132, elements=("float16",), **a)
    ada = replace(ampere, name="nv_ada_fp16")
    hopper = t_fdpa("nv_hopper_fp16", 16, 25, -133, elements=("float16",), **a)
    blackwell = replace(hopper, name="nv_blackwell_fp16")
    tf32 = t_fdpa("nv_ampere_tf32", 4, 24, -132, elements=("float32",), input_drop_bits=13, **a)
    hopper_tf32 = replace(
        tf32,
        name="nv_hopper_tf32",
        group_size=8,
        align_bits=25,
        exp_floor=-133,
        confidence="B",
        source=f"{MATLAB} for align_bits; {MMASIM} for group_size",
    )
    ada_fp8 = t_fdpa(
        "nv_ada_fp8",
        16,
        13,
        None,
        elements=FP8,
        acc_format="e8m13",
        source=f"RTX 4060 results recorded in {MMAEMU}; {MMASIM}",
        confidence="A",
    )
    fast = replace(
        ada_fp8,
        name="nv_hopper_fp8_fast",
        group_size=32,
        source=f"{MATLAB} (with initial value 0); {MMASIM} and {MMAEMU} for the chain",
    )
    slow = replace(
        fast,
        name="nv_hopper_fp8_slow128",
        promote_every=128,
        confidence="B",
        source=f"{MMAEMU}; DeepSeek-V3, arXiv:2412.19437, section 3.5.2",
    )
    f8f6f4 = t_fdpa("nv_blackwell_f8f6f4", 32, 25, -133, elements=FP8_6_4, **b)
    mx = {"scale_apply": "product_exponent", "scale_format": "e8m0", "block": 32}
    mxf4 = t_fdpa(
        "nv_mxf4",
        64,
        35,
        -139,
        elements=("e2m1",),
        inner_group=16,
        term_exponent="scale_only",
        scale_apply="group_exponent",
        scale_format="e8m0",
        block=32,
        **b,
    )
    return [
        volta,
        _to_fp16(volta, "nv_volta_fp16_acc16", -19),
        turing,
        _to_fp16(turing, "nv_turing_fp16_acc16", -20),
        ampere,
        replace(ampere, name="nv_ampere_bf16", elements=("bfloat16",)),
        _to_fp16(ampere, "nv_ampere_fp16_acc16", -20),
        tf32,
        ada,
        replace(ada, name="nv_ada_bf16", elements=("bfloat16",)),
        _to_fp16(ada, "nv_ada_fp16_acc16", -20),
        replace(tf32, name="nv_ada_tf32"),
        ada_fp8,
        _to_fp16(ada_fp8, "nv_ada_fp8_acc16", -20),
        hopper,
        replace(hopper, name="nv_hopper_bf16", elements=("bfloat16",)),
        _to_fp16(hopper, "nv_hopper_fp16_acc16", -21),
        hopper_tf32,
        fast,
        slow,
        _to_fp16(
            fast,
            "nv_hopper_fp8_acc16",
            -21,
            confidence="B",
            source=f"{MMASIM}; in conflict with recorded vectors, of which it explains 62 to 68 %",
        ),
        replace(
            fast,
            name="nv_hopper_mx_emulated",
            scale_apply="ldexp_then_add",
            scale_format="e8m0",
            block=32,
            acc_in_align=False,
            group_round="RZ",
            group_format="e8m13",
            acc_format="fp32",
            acc_round="RNE",
            confidence="D",
            source="A Hopper FP8 product for each block from +0, its result scaled and added in Float32",
        ),
        blackwell,
        replace(blackwell, name="nv_blackwell_bf16", elements=("bfloat16",)),
        _to_fp16(blackwell, "nv_blackwell_fp16_acc16", -21),
        f8f6f4,
        _to_fp16(f8f6f4, "nv_blackwell_f8f6f4_acc16", -21),
        replace(f8f6f4, name="nv_mxf8f6f4", **mx),  # type: ignore[arg-type]
        mxf4,
        replace(mxf4, name="nv_mxf4nvf4_e8m0", block=16),
        replace(mxf4, name="nv_nvf4", scale_format="ue4m3", block=16),
    ]
