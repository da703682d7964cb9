"""What rules of several vendors share: element formats, sources, the T-FDPA family."""

from __future__ import annotations

from typing import Any

from refmodel.accumulate.rule import AccumulationRule

FP8 = ("e4m3", "e5m2")
FP8_6_4 = (*FP8, "e3m2", "e2m3", "e2m1")
HALF = ("float16", "bfloat16")

MMASIM = "MMA-Sim 2.1.1 (PyPI mmasim; arXiv:2511.10909)"
MATLAB = "Khattak and Mikaitis, arXiv:2512.07004, and their recorded vectors"
MMAEMU = "mmaemu 0.1.0 (PyPI)"
GAUDI = "Intel_Gaudi3_Software e6cef1c, fs_fma"
IME = "RISC-V integrated-matrix-extension, commit 102f354f, draft 0.1"
ARM = "Arm ARM DDI0487 M.a"


def t_fdpa(name: str, size: int, bits: int, floor: int | None, **changes: Any) -> AccumulationRule:
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
