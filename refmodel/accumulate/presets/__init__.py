"""The named rules: neutral ones, and those of real machines with their source and how well they are known.

Every machine rule states the *elements* it takes. A machine whose numerics are not public has confidence
``U``; its fields are a stand-in, which `get_rule` hands out only on request.
"""

from __future__ import annotations

from refmodel.accumulate.presets.amd import amd_rules
from refmodel.accumulate.presets.arm import arm_fp8_dot, arm_rules
from refmodel.accumulate.presets.intel import intel_rules
from refmodel.accumulate.presets.neutral import neutral_rules
from refmodel.accumulate.presets.nvidia import nvidia_rules
from refmodel.accumulate.presets.riscv import riscv_ime, riscv_rules, rvbna
from refmodel.accumulate.presets.unverified import unverified_rules

__all__ = ["FAMILIES", "arm_fp8_dot", "neutral_rules", "riscv_ime", "rvbna"]

FAMILIES = {
    "neutral": neutral_rules,
    "NVIDIA": nvidia_rules,
    "AMD": amd_rules,
    "Intel": intel_rules,
    "Arm": arm_rules,
    "RISC-V": riscv_rules,
    "not public": unverified_rules,
}
"""Rules by maker, in the order in which they are listed."""
