"""The named rules: neutral ones, and those of real machines with their source and how well they are known.

Every machine rule states the *elements* it takes. A machine whose numerics are not public has confidence
``U``; its fields are a stand-in, which `get_rule` hands out only on request.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, log2
from typing import Any, Literal

from refmodel.accumulate.rule import AccumulationRule, AccumulatorFormat, Rounding, SecondAlignment
from refmodel.errors import DefinitionError

_FP8 = ("e4m3", "e5m2")
_FP8_6_4 = (*_FP8, "e3m2", "e2m3", "e2m1")
_HALF = ("float16", "bfloat16")

_MMASIM = "MMA-Sim 2.1.1 (PyPI mmasim; arXiv:2511.10909)"
_MATLAB = "Khattak and Mikaitis, arXiv:2512.07004, and their recorded vectors"
_MMAEMU = "mmaemu 0.1.0 (PyPI)"
_GAUDI = "Intel_Gaudi3_Software e6cef1c, fs_fma"
_IME = "RISC-V integrated-matrix-extension, commit 102f354f, draft 0.1"
_ARM = "Arm ARM DDI0487 M.a"


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
            source="A-27, A-31: Float32 additions in a tree of adjacent pairs over all of K, the initial value last",
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


def _t_fdpa(name: str, size: int, bits: int, floor: int | None, **changes: Any) -> AccumulationRule:
    """T-FDPA: align products and running value to the largest exponent, cut off, add, cut to Float32."""
    rule: dict[str, Any] = {
        "name": name,
        "term_exponent": "clamped_sum",
        "group_size": size,
        "align_bits": bits,
        "exp_floor": floor,
        "acc_round": "RZ",
        "zero_sign": "always_plus",
        "nan_pattern": 0x7FFFFFFF,
        "scale_apply": "epilogue_tensor",
    }
    return AccumulationRule(**{**rule, **changes})


def _to_fp16(rule: AccumulationRule, name: str, floor: int, **changes: Any) -> AccumulationRule:
    """The same unit with a Float16 accumulator."""
    return replace(
        rule, name=name, acc_format="fp16", acc_round="RNE", exp_floor=floor, nan_pattern=0x7FFF, **changes
    )


def nvidia_rules() -> list[AccumulationRule]:
    """NVIDIA tensor cores."""
    a = {"source": f"{_MATLAB}; {_MMASIM}", "confidence": "A"}
    b = {"source": _MMASIM, "confidence": "B+"}
    volta = _t_fdpa("nv_volta_fp16", 4, 23, -131, elements=("float16",), **a)
    turing = _t_fdpa("nv_turing_fp16", 8, 24, -132, elements=("float16",), **{**b, "confidence": "B"})
    ampere = _t_fdpa("nv_ampere_fp16", 8, 24, -132, elements=("float16",), **a)
    ada = replace(ampere, name="nv_ada_fp16")
    hopper = _t_fdpa("nv_hopper_fp16", 16, 25, -133, elements=("float16",), **a)
    blackwell = replace(hopper, name="nv_blackwell_fp16")
    tf32 = _t_fdpa("nv_ampere_tf32", 4, 24, -132, elements=("float32",), input_drop_bits=13, **a)
    hopper_tf32 = replace(
        tf32,
        name="nv_hopper_tf32",
        group_size=8,
        align_bits=25,
        exp_floor=-133,
        confidence="B",
        source=f"{_MATLAB} for align_bits; {_MMASIM} for group_size",
    )
    ada_fp8 = _t_fdpa(
        "nv_ada_fp8",
        16,
        13,
        None,
        elements=_FP8,
        acc_format="e8m13",
        source=f"RTX 4060 results recorded in {_MMAEMU}; {_MMASIM}",
        confidence="A",
    )
    fast = replace(
        ada_fp8,
        name="nv_hopper_fp8_fast",
        group_size=32,
        source=f"{_MATLAB} (with initial value 0); {_MMASIM} and {_MMAEMU} for the chain",
    )
    slow = replace(
        fast,
        name="nv_hopper_fp8_slow128",
        promote_every=128,
        confidence="B",
        source=f"{_MMAEMU}; DeepSeek-V3, arXiv:2412.19437, section 3.5.2",
    )
    f8f6f4 = _t_fdpa("nv_blackwell_f8f6f4", 32, 25, -133, elements=_FP8_6_4, **b)
    mx = {"scale_apply": "product_exponent", "scale_format": "e8m0", "block": 32}
    mxf4 = _t_fdpa(
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
            source=f"{_MMASIM}; in conflict with recorded vectors, of which it explains 62 to 68 %",
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


def amd_rules() -> list[AccumulationRule]:
    """AMD matrix cores. Their sources do not establish NaN bits; 0x7FC00000 stands for them."""
    cdna1 = AccumulationRule(
        name="amd_cdna1_fp16",
        elements=("float16",),
        group_size=4,
        scale_apply="epilogue_tensor",
        source=f"{_MMASIM} and MATLAB-tensor-core agree; NaN bits not established",
        confidence="B",
    )
    cdna2 = AccumulationRule(
        name="amd_cdna2_fp16",
        elements=_HALF,
        product="fp32_rne_ftz",
        group_size=4,
        order="tree_adjacent",
        acc_in_align=False,
        daz=True,
        daz_c=True,
        daz_sign="plus",
        ftz=True,
        scale_apply="epilogue_tensor",
        source=f"{_MMASIM}; AMD MIOpen documentation for flushing; NaN bits not established",
        confidence="B+",
    )
    cdna3 = AccumulationRule(
        name="amd_cdna3_fp16",
        elements=_HALF,
        term_exponent="clamped_sum",
        group_size=8,
        align_bits=24,
        acc_in_align=False,
        stage2=SecondAlignment(dot_bits=32, c_bits=24, post_bits=31),
        overflow="product_inf_at_2^128",
        scale_apply="epilogue_tensor",
        source=f"{_MMASIM}; the second alignment is disputed by MATLAB-tensor-core; NaN bits not established",
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
            source=f"{_MMASIM}; NaN bits not established",
        ),
        AccumulationRule(
            name="amd_cdna_fp32",
            elements=("float32",),
            group_size=1,
            order="fma_chain",
            scale_apply="epilogue_tensor",
            source=f"{_MMASIM}; NaN bits not established",
            confidence="B",
        ),
        AccumulationRule(
            name="amd_cdna4_rocjitsu",
            elements=_FP8_6_4,
            group_size="block",
            order="fma_chain",
            acc_in_align=False,
            scale_apply="ldexp_then_add",
            scale_format="e8m0",
            block=32,
            confidence="V",
            source="ROCm rocjitsu emulator, not hardware: its issues 10330 and 10344 leave the machine's sum open",
        ),
        AccumulationRule(
            name="amd_rdna4_fp16",
            elements=_HALF,
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
            source="ROCm rocjitsu gfx12_dot.h, characterised on R9700",
        ),
    ]


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
    gaudi3 = _t_fdpa(
        "gaudi3_bf16",
        8,
        24,
        -132,
        elements=("bfloat16",),
        floor_when="always",
        source=_GAUDI,
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
        source=f"{_GAUDI} for Gaudi 1: read, not compared; the initial value's place is not stated, here last",
    )
    return [
        amx,
        replace(amx, name="amx_fp16", elements=("float16",), daz=False, source="Intel SDM, TDPFP16PS"),
        gaudi1,
        replace(gaudi1, name="gaudi1_fp16", elements=("float16",)),
        replace(gaudi1, name="gaudi1_fp32", elements=("float32",)),
        replace(gaudi2, name="gaudi2_fp8", elements=_FP8, group_size=16, align_bits=24, input_emin=-14),
        gaudi2,
        replace(
            gaudi2,
            name="gaudi2_fp16",
            elements=("float16",),
            confidence="V",
            source=f"{_GAUDI}: read, not compared",
        ),
        replace(gaudi3, name="gaudi3_fp8", elements=_FP8, term_exponent="normalised_inputs"),
        gaudi3,
    ]


def arm_fp8_dot(
    terms: Literal[1, 2, 4, 8], lscale: int = 0, to: AccumulatorFormat = "fp32", saturate: bool = False
) -> AccumulationRule:
    """Return the rule of an Arm FP8 dot product of *terms* products, FPMR.LSCALE *lscale* and FPMR.OSM *saturate*.

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
        elements=_FP8,
        group_size=terms,
        dot_shift=lscale,
        acc_format=to,
        overflow="saturate" if saturate else "inf",
        nan_pattern=0x7E00 if to == "fp16" else 0x7FC00000,
        scale_apply="epilogue_tensor",
        source=f"{_ARM}, FP8DotAddFP, FP8MatMulAddFP, FPRound_FP8",
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
        source=f"{_ARM}, BFDotAdd with FEAT_EBF16 off",
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
            source=f"{_ARM}, FPDot with FPCR.EBF=1 and rounding to nearest",
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
            source=f"{_ARM}, FP16 to FP32 FMMLA",
            confidence="V",
        ),
    ]


def rvbna(size: int, acc_round: Rounding = "RTO") -> AccumulationRule:
    """Return RISC-V bulk normalisation of *size* products, its sum added to the running value by *acc_round*."""
    return AccumulationRule(
        name=f"rvbna{size}" + ("" if acc_round == "RTO" else f"_{acc_round.lower()}"),
        term_exponent="clamped_sum",
        group_size=size,
        align_bits=23 + ceil(log2(size)),
        align_round="RTO",
        acc_in_align=False,
        group_round="RTO",
        acc_round=acc_round,
        zero_sign="always_plus",
        scale_apply="epilogue_tensor",
        confidence="V+",
        source="RISC-V Zvfqwdota8f draft 0.2 (riscv-misc b38069a), Spike bulknormdot.h",
    )


def riscv_ime(
    size: int = 32,
    psm: Literal[0, 1] = 0,
    rnd: Literal["frm", "rto", "xct"] = "frm",
    frm: Rounding = "RNE",
    acc_format: AccumulatorFormat = "fp32",
) -> AccumulationRule:
    """Return the scaled GEMM of RISC-V IME for one disclosed geometry.

    Args:
        size: Elements of a group, at most G * W and a divisor of the block size.
        psm: 0: the group's sum is exact; 1: bulk normalisation over the group.
        rnd: Rounding of the group's sum: frm, to odd, or none ("xct").
        frm: The dynamic rounding mode.
        acc_format: Format C of the accumulator.
    """
    align: dict[str, Any] = {}
    if psm:
        align = {
            "term_exponent": "clamped_sum",
            "align_bits": 23 + ceil(log2(size)),
            "align_round": "RTO",
        }
    group_round: dict[str, Rounding | None] = {"frm": frm, "rto": "RTO", "xct": None}
    nan = {"fp32": 0x7FC00000, "e8m13": 0x7FC00000, "bf16": 0x7FC0, "fp16": 0x7E00}[acc_format]
    name = f"riscv_ime{size}_{'rvbna' if psm else 'exact'}_{rnd}"
    name += ("" if acc_format == "fp32" else f"_{acc_format}") + ("" if frm == "RNE" else f"_{frm.lower()}")
    return AccumulationRule(
        name=name,
        group_size=size,
        acc_in_align=False,
        group_round="RTO" if psm and rnd != "xct" else group_round[rnd],
        acc_format=acc_format,
        acc_round=frm,
        overflow="ieee",
        scale_apply="fp32_factor",
        nan_pattern=nan,
        source=_IME,
        confidence="V",
        **align,
    )


def riscv_rules() -> list[AccumulationRule]:
    """RISC-V bulk normalisation and integrated matrix, for the group sizes and modes most of use."""
    return [
        *(rvbna(size) for size in (4, 8, 16, 32)),
        rvbna(16, "RNE"),
        riscv_ime(32, 0, "frm"),
        riscv_ime(32, 0, "rto"),
        riscv_ime(32, 0, "xct"),
        riscv_ime(16, 0, "frm"),
        riscv_ime(8, 0, "xct"),
        riscv_ime(32, 1, "frm"),
        riscv_ime(16, 1, "frm"),
        riscv_ime(16, 1, "xct"),
        riscv_ime(32, 0, "frm", acc_format="bf16"),
        riscv_ime(32, 0, "frm", acc_format="fp16"),
        replace(
            riscv_ime(32, 0, "frm"),
            name="riscv_ime_int8",
            elements=("int8",),
            dot_shift=-12,
            source=f"{_IME}: integer codes without the weight 2**-6 of MXINT8",
        ),
    ]


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
            elements=_FP8_6_4,
            source="CDNA4 ISA manual, section 7.2: scale after each block's dot product; the sum itself is not "
            "public. Stands in: amd_cdna4_rocjitsu",
        ),
        replace(
            chain, name="amd_rdna3_fp16", elements=_HALF, source="Known in part only. Stands in: a chain"
        ),
        replace(
            chain,
            name="amx_fp8",
            elements=_FP8,
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
            elements=_FP8,
            order="fused",
            group_size=4,
            source="visa DPAS.md: 8 stages in order; rounding within a stage not stated. Stands in: an exact stage",
        ),
        replace(
            chain,
            name="intel_xe_bdpas",
            elements=_FP8_6_4,
            order="fused",
            group_size=4,
            scale_apply="product_exponent",
            source="BDPAS is not public. Stands in: an exact stage of 4",
        ),
        replace(
            chain,
            name="nv_hopper_fp8_mma_sync",
            elements=_FP8,
            order="fused",
            group_size=16,
            acc_in_align=False,
            group_round="RNE",
            source="Compiled to two FP16 products and a Float32 add; unit not established. Stands in: exact dots of 16",
        ),
        replace(
            chain,
            name="nv_blackwell_fp8_mma_sync",
            elements=_FP8,
            order="fused",
            group_size=32,
            acc_in_align=False,
            group_round="RZ",
            nan_pattern=0x7FFFFFFF,
            source=f"{_MATLAB} show a dot from 0 and a Float32 add; its width is not identified. Stands in: exact dots",
        ),
        replace(
            chain,
            name="nv_sm103_mx",
            elements=_FP8_6_4,
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
            name="tenstorrent_wormhole",
            source="tt-isa-documentation calls its own model rough. Stands in: a chain",
        ),
        replace(
            block_chain,
            name="aws_trainium3",
            elements=(*_FP8, "e2m1"),
            source="NKI documentation states neither width, order nor rounding. Stands in: a chain for each block",
        ),
        replace(chain, name="graphcore_ipu_fp8", elements=_FP8, source="Nothing found. Stands in: a chain"),
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
