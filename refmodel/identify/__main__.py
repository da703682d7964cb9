"""Every preset as a black box, and what `identify` makes of it: ``python -m refmodel.identify [PRESET ...]``.

The black box is the oracle's account of the machine, where it has one, so that what is recovered is not what the
model itself evaluates.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate import AccumulationRule, get_rule, list_rules
from refmodel.dot import dot
from refmodel.errors import MxError
from refmodel.formats import get_scale
from refmodel.identify import BlackBox, Identification, Interface, Probes, identify
from refmodel.operands import OPERAND_FORMATS
from refmodel.oracle import machines
from refmodel.oracle.rules import Vector

_PREFERRED = ("e5m2", "e5m2fnuz", "float16", "bfloat16", "float32", "e2m1", "int8")


def interface_of(rule: AccumulationRule) -> Interface:
    """Return an interface that shows as much of a preset as can be: E5M2 for its range, or E4M3 under scales."""
    scaled = rule.scale_apply != "epilogue_tensor"
    preferred = ("e4m3", *_PREFERRED) if scaled else _PREFERRED
    element = OPERAND_FORMATS[next(name for name in preferred if name in (rule.elements or preferred))]
    c_format = "float16" if rule.acc_format == "fp16" else "float32"
    if not scaled:
        return Interface(element, element, c_format=c_format)
    return Interface(element, element, get_scale(rule.scale_format or "e8m0"), rule.block or 32, c_format=c_format)


def oracle_box(name: str) -> BlackBox:
    """Return a preset as the oracle has it, one dot product at a time."""

    def answer(probes: Probes) -> NDArray[np.uint32]:
        return np.array([machines.dot(name, *vectors(probes, i), int(c)) for i, c in enumerate(probes.c)], np.uint32)

    return answer


def model_box(rule: str | AccumulationRule) -> BlackBox:
    """Return a rule as the model evaluates it."""
    return lambda probes: dot(*probes.operands(), rule, probes.c.view(np.float32)).view(np.uint32)


def vectors(probes: Probes, row: int) -> tuple[Vector, Vector]:
    """Return the operands of one probe as the oracle takes them."""
    interface = probes.interface
    a, b = (
        Vector(element, codes[row].tolist())
        if interface.scale is None or scales is None
        else Vector(element, codes[row].tolist(), interface.scale, scales[row].tolist(), interface.block)
        for element, codes, scales in (
            (interface.a, probes.a, probes.a_scales),
            (interface.b, probes.b, probes.b_scales),
        )
    )
    return a, b


def recovered(name: str) -> tuple[str, Identification]:
    """Identify a preset and return the verdict with the identification: exactly, as a class, or WRONG."""
    rule = get_rule(name)
    box = oracle_box(name) if name in machines.MACHINES else model_box(rule)
    found = identify(box, interface_of(rule))
    if found.status != "identified" or name not in found.presets:
        return "WRONG", found
    return ("exactly" if len(found.presets) == 1 else "class"), found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table: 0 if every preset is recovered, 1 if not, 2 on an error."""
    parser = argparse.ArgumentParser(prog="python -m refmodel.identify", description=__doc__)
    parser.add_argument("preset", nargs="*", help="presets (default: all)")
    given = parser.parse_args(arguments)
    print(
        f"{'preset':27}{'recovered':11}{'probes':>7}{'rounds':>7}{'tried':>8}{'rules':>7}{'s':>6}"
        "  same bits | fields left open"
    )
    wrong = 0
    try:
        for name in given.preset or list_rules():
            start = perf_counter()
            verdict, found = recovered(name)
            wrong += verdict == "WRONG"
            same = ", ".join(each for each in found.presets if each != name) or "-"
            left = ", ".join(f"{each}({len(found.values[each])})" for each in found.open_fields) or "-"
            others = f" +{len(found.others)} rules" if found.others else ""
            print(
                f"{name:27}{verdict:11}{found.probes:7}{found.rounds:7}{found.inputs:8}{found.evaluated:7}"
                f"{perf_counter() - start:6.1f}  {same} | {left}{others}",
                flush=True,
            )
            if verdict == "WRONG":
                print(f"    {found.status}: {str(found)[:2000]}")
    except MxError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"\n{wrong} presets not recovered." if wrong else "\nEvery preset is recovered.")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
