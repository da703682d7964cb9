"""Machines whose numerics are not public."""

from __future__ import annotations

from dataclasses import replace

from refmodel.accumulate.presets.common import FP8, FP8_6_4, HALF, MATLAB
from refmodel.accumulate.rule import AccumulationRule


def unverified_rules() -> list[AccumulationRule]:
    """Machines whose numerics are not public; every field is a stand-in."""
    chain = AccumulationRule(
        name="unverified",
        group_size=1,
        order="fma_chain",
        scale_apply="epilogue_tensor",
        source="none",
        confidence="U",
    )
    block_chain = replace(
        chain,
        group_size="block",
        acc_in_align=False,
        scale_apply="ldexp_then_add",
        scale_format="e8m0",
        block=32,
    )
    return [
        replace(
            block_chain,
            name="amd_cdna4_mx",
            elements=FP8_6_4,
            source="CDNA4 ISA manual, section 7.2: scale after each block's dot product; the sum is not "
            "public. Stands in: amd_cdna4_rocjitsu",
        ),
        replace(chain, name="amd_rdna3_fp16", elements=HALF, source="Known in part only. Stands in: a chain"),
        replace(
            chain,
            name="amx_fp8",
            elements=FP8,
            group_size=64,
            order="pair_sum_chain",
            product="fp32_rne",
            layout="even_odd",
            acc_in_align=False,
            ftz=True,
            daz_c=True,
            source="Three public readings of AMX-FP8 differ. Stands in: that of Bochs (783b58f)",
        ),
        replace(
            chain,
            name="intel_xe_dpas_fp8",
            elements=FP8,
            order="fused",
            group_size=4,
            source="visa DPAS.md: 8 stages in order, rounding within one not stated. Stands in: exact stages",
        ),
        replace(
            chain,
            name="intel_xe_bdpas",
            elements=FP8_6_4,
            order="fused",
            group_size=4,
            scale_apply="product_exponent",
            source="BDPAS is not public. Stands in: an exact stage of 4",
        ),
        replace(
            chain,
            name="nv_hopper_fp8_mma_sync",
            elements=FP8,
            order="fused",
            group_size=16,
            acc_in_align=False,
            group_round="RNE",
            source="Compiled to two FP16 products and a Float32 add; unit not established. "
            "Stands in: exact dots of 16",
        ),
        replace(
            chain,
            name="nv_blackwell_fp8_mma_sync",
            elements=FP8,
            order="fused",
            group_size=32,
            acc_in_align=False,
            group_round="RZ",
            nan_pattern=0x7FFFFFFF,
            source=f"{MATLAB} show a dot from 0 and a Float32 add; its width is not identified. "
            "Stands in: exact dots",
        ),
        replace(
            chain,
            name="nv_sm103_mx",
            elements=FP8_6_4,
            scale_apply="product_exponent",
            source="sm_103, sm_107, .ws and cta_group::2 are not public. Stands in: a chain",
        ),
        replace(
            chain,
            name="gaudi3_fp16",
            elements=("float16",),
            source="Split in high and low parts, outline only. Stands in: a chain",
        ),
        replace(
            chain,
            name="gaudi3_tf32",
            elements=("float32",),
            input_drop_bits=13,
            source="Split in high and low parts, outline only. Stands in: a chain of inputs cut to TF32",
        ),
        replace(
            chain,
            name="gaudi3_fp32",
            elements=("float32",),
            source="Eight partial products of each element, outline only. Stands in: a chain",
        ),
        replace(
            chain,
            name="gaudi2_tf32",
            elements=("float32",),
            order="fused",
            group_size=4,
            input_drop_bits=13,
            ftz=True,
            daz_c=True,
            source="Dots of 4, their alignment width not established. Stands in: exact dots of inputs cut to TF32",
        ),
        replace(
            chain,
            name="gaudi2_fp32",
            elements=("float32",),
            order="fused",
            group_size=2,
            ftz=True,
            daz_c=True,
            source="Dots of 2, their alignment width not established. Stands in: exact dots",
        ),
        replace(
            chain,
            name="tenstorrent_wormhole",
            source="tt-isa-documentation calls its own model rough. Stands in: a chain",
        ),
        replace(
            block_chain,
            name="aws_trainium3",
            elements=(*FP8, "e2m1"),
            source="NKI documentation states no width, order or rounding. Stands in: a chain for each block",
        ),
        replace(chain, name="graphcore_ipu_fp8", elements=FP8, source="Nothing found. Stands in: a chain"),
        replace(
            chain,
            name="google_tpu_bf16",
            elements=("bfloat16",),
            source="BF16 products, Float32 sums; no bit-level rule. Stands in: a chain",
        ),
        replace(chain, name="qualcomm_hexagon", source="Nothing found. Stands in: a chain"),
        replace(
            block_chain, name="riscv_ame", source="Community drafts only. Stands in: a chain for each block"
        ),
    ]
