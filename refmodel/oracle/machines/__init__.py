"""The dot products of real machines, each as its source tells it, with the numbers of its table typed again.

One function a family; `MACHINES` names the presets. Nothing here reads the fields of a rule: tests hold the
presets, and what evaluates them, to these functions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from refmodel.formats import FLOAT32
from refmodel.oracle.fixed import BF16, FP16, Value, decoded, float32_bits
from refmodel.oracle.machines.amd import e_fdpa, ftz_mul_add, gtr_fdpa, rdna4, rocjitsu, tr_fdpa
from refmodel.oracle.machines.arm import arm_bf16_extended, arm_bf16_standard, arm_fp8, arm_fp16_fmmla
from refmodel.oracle.machines.intel import amx, gaudi1, gaudi2, gaudi3
from refmodel.oracle.machines.neutral import adjacent_pairs, by_block, exact, fma_chain
from refmodel.oracle.machines.nvidia import (
    RNE_FP16,
    RZ_E8M13,
    RZ_FP32,
    gst_fdpa,
    hopper_mx_emulated,
    st_fdpa,
    t_fdpa,
    t_fdpa_promoted,
)
from refmodel.oracle.machines.riscv import ime, rvbna
from refmodel.oracle.rules import Vector

Machine: TypeAlias = Callable[[Vector, Vector, Value], Value]


def dot(machine: str, a: Vector, b: Vector, c: int = 0) -> int:
    """Return the Float32 bits that *machine* makes of two vectors and the Float32 bits *c*."""
    function, nan = MACHINES[machine]
    return float32_bits(function(a, b, decoded(FLOAT32, c)), nan)


_NV, _NV16, _IEEE, _IEEE16 = 0x7FFFFFFF, 0x7FFFE000, 0x7FC00000, 0x7FC00000


def _nvidia() -> dict[str, tuple[Machine, int]]:
    units = {  # L, F, e_zero for Float32 and for Float16 results
        "volta": (4, 23, -131, -19),
        "turing": (8, 24, -132, -20),
        "ampere": (8, 24, -132, -20),
        "ada": (8, 24, -132, -20),
        "hopper": (16, 25, -133, -21),
        "blackwell": (16, 25, -133, -21),
    }
    found: dict[str, tuple[Machine, int]] = {}
    for name, (l, f, e_zero, e_zero16) in units.items():  # noqa: E741
        wide = partial(t_fdpa, l=l, f=f, out=RZ_FP32, e_zero=e_zero), _NV
        found[f"nv_{name}_fp16"] = wide
        if name not in ("volta", "turing"):
            found[f"nv_{name}_bf16"] = wide
        found[f"nv_{name}_fp16_acc16"] = partial(t_fdpa, l=l, f=f, out=RNE_FP16, e_zero=e_zero16), _NV16
    for name in ("ampere", "ada"):
        found[f"nv_{name}_tf32"] = partial(t_fdpa, l=4, f=24, out=RZ_FP32, e_zero=-132, drop=13), _NV
    found["nv_hopper_tf32"] = partial(t_fdpa, l=8, f=25, out=RZ_FP32, e_zero=-133, drop=13), _NV
    found |= {
        "nv_ada_fp8": (partial(t_fdpa, l=16, f=13, out=RZ_E8M13, e_zero=None), _NV),
        "nv_ada_fp8_acc16": (partial(t_fdpa, l=16, f=13, out=RNE_FP16, e_zero=-20), _NV16),
        "nv_hopper_fp8_fast": (partial(t_fdpa, l=32, f=13, out=RZ_E8M13, e_zero=None), _NV),
        "nv_hopper_fp8_slow128": (partial(t_fdpa_promoted, every=128), _NV),
        "nv_hopper_fp8_acc16": (partial(t_fdpa, l=32, f=13, out=RNE_FP16, e_zero=-21), _NV16),
        "nv_hopper_mx_emulated": (hopper_mx_emulated, _NV),
        "nv_blackwell_f8f6f4": (partial(t_fdpa, l=32, f=25, out=RZ_FP32, e_zero=-133), _NV),
        "nv_blackwell_f8f6f4_acc16": (partial(t_fdpa, l=32, f=25, out=RNE_FP16, e_zero=-21), _NV16),
        "nv_mxf8f6f4": (st_fdpa, _NV),
        "nv_mxf4": (gst_fdpa, _NV),
        "nv_mxf4nvf4_e8m0": (gst_fdpa, _NV),
        "nv_nvf4": (gst_fdpa, _NV),
    }
    return found


MACHINES: dict[str, tuple[Machine, int]] = {
    "exact_fp32": (exact, _IEEE),
    "block32_fp32_add": (partial(by_block, fused=False), _IEEE),
    "block32_exact_fused": (partial(by_block, fused=True), _IEEE),
    "seq_fma_fp32": (fma_chain, _IEEE),
    "pairwise_fp32": (adjacent_pairs, _IEEE),
    "dequant_seq_fma_fp32": (partial(fma_chain, dequantize=True), _IEEE),
    **_nvidia(),
    "amd_cdna1_fp16": (partial(e_fdpa, l=4), _IEEE),
    "amd_cdna1_bf16": (partial(e_fdpa, l=2), _IEEE),
    "amd_cdna2_fp16": (partial(ftz_mul_add, p=4), _IEEE),
    "amd_cdna2_bf16": (partial(ftz_mul_add, p=2), _IEEE),
    "amd_cdna3_fp16": (partial(tr_fdpa, l=8), _IEEE),
    "amd_cdna3_xf32": (partial(tr_fdpa, l=4, drop=13), _IEEE),
    "amd_cdna3_fp8": (gtr_fdpa, _IEEE),
    "amd_cdna_fp32": (fma_chain, _IEEE),
    "amd_cdna4_rocjitsu": (rocjitsu, _IEEE),
    "amd_rdna4_fp16": (rdna4, 0xFFC00000),
    "amx_bf16": (partial(amx, daz=True), _IEEE),
    "amx_fp16": (partial(amx, daz=False), _IEEE),
    "gaudi1_bf16": (gaudi1, _IEEE),
    "gaudi1_fp16": (gaudi1, _IEEE),
    "gaudi1_fp32": (gaudi1, _IEEE),
    "gaudi2_fp8": (partial(gaudi2, l=16, f=24, emin=-14), _NV),
    "gaudi2_bf16": (partial(gaudi2, l=8, f=46), _NV),
    "gaudi2_fp16": (partial(gaudi2, l=8, f=46), _NV),
    "gaudi3_fp8": (partial(gaudi3, normalised=True), _NV),
    "gaudi3_bf16": (partial(gaudi3, normalised=False), _NV),
    "arm_fp8_dot1": (partial(arm_fp8, e=1), _IEEE),
    "arm_fp8_dot4": (partial(arm_fp8, e=4), _IEEE),
    "arm_fp8_dot8": (partial(arm_fp8, e=8), _IEEE),
    "arm_fp8_dot2_fp16": (partial(arm_fp8, e=2, to=FP16), _IEEE16),
    "arm_fp8_dot4_fp16": (partial(arm_fp8, e=4, to=FP16), _IEEE16),
    "arm_bf16_std": (arm_bf16_standard, _IEEE),
    "arm_bf16_ebf": (arm_bf16_extended, _IEEE),
    "arm_fp16_fmmla": (arm_fp16_fmmla, _IEEE),
    "rvbna4": (partial(rvbna, n=4), _IEEE),
    "rvbna8": (partial(rvbna, n=8), _IEEE),
    "rvbna16": (partial(rvbna, n=16), _IEEE),
    "rvbna32": (partial(rvbna, n=32), _IEEE),
    "rvbna16_rne": (partial(rvbna, n=16, mode="RNE"), _IEEE),
    "riscv_ime32_exact_frm": (partial(ime, g=32, psm=0, rnd="frm"), _IEEE),
    "riscv_ime32_exact_rto": (partial(ime, g=32, psm=0, rnd="rto"), _IEEE),
    "riscv_ime32_exact_xct": (partial(ime, g=32, psm=0, rnd="xct"), _IEEE),
    "riscv_ime16_exact_frm": (partial(ime, g=16, psm=0, rnd="frm"), _IEEE),
    "riscv_ime8_exact_xct": (partial(ime, g=8, psm=0, rnd="xct"), _IEEE),
    "riscv_ime32_rvbna_frm": (partial(ime, g=32, psm=1, rnd="frm"), _IEEE),
    "riscv_ime16_rvbna_frm": (partial(ime, g=16, psm=1, rnd="frm"), _IEEE),
    "riscv_ime16_rvbna_xct": (partial(ime, g=16, psm=1, rnd="xct"), _IEEE),
    "riscv_ime32_exact_frm_bf16": (partial(ime, g=32, psm=0, rnd="frm", to=BF16), _IEEE),
    "riscv_ime32_exact_frm_fp16": (partial(ime, g=32, psm=0, rnd="frm", to=FP16), _IEEE16),
    "riscv_ime_int8": (partial(ime, g=32, psm=0, rnd="frm", weight=6), _IEEE),
}
"""For each preset, its dot product and the Float32 bits of its NaN."""
