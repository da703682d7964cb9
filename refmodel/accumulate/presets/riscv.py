"""RISC-V bulk normalisation and integrated matrix extension."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, log2
from typing import Any, Literal

from refmodel.accumulate.presets.common import IME
from refmodel.accumulate.rule import AccumulationRule, AccumulatorFormat, Rounding
from refmodel.errors import DefinitionError


def rvbna(size: int, acc_round: Rounding = "RTO") -> AccumulationRule:
    """Return RISC-V bulk normalisation of *size* products, added to the running value by *acc_round*."""
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

    Raises:
        DefinitionError: If *psm* is 1 and *frm* is ``RD``: bulk normalisation returns +0 for zero, whatever the
            rounding, while ``from_plus`` makes -0 of products that cancel.
    """
    align: dict[str, Any] = {}
    if psm:
        if frm == "RD":
            raise DefinitionError("riscv_ime: psm=1 with frm='RD' has no rule: no zero_sign says what a zero sum is")
        align = {
            "zero_sign": "from_plus",
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
        source=IME,
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
            source=f"{IME}: integer codes without the weight 2**-6 of MXINT8",
        ),
    ]
