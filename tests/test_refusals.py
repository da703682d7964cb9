"""Wrong parameters of the aligned and the NVFP4 units: each refusal in their sources ends a simulation by its words."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from flows import rtl

pytestmark = pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs iverilog: apt-get install iverilog")

BLOCK_TERMS = {"ScaleApply": 1, "AFormat": 4, "BFormat": 4, "GroupSize": 64}

CASES: dict[str, list[tuple[dict[str, int], str]]] = {
    "mx_aligned": [
        ({"AFormat": 6}, "AFormat is 6; it must be a format id of mx_pkg, 0 to 5."),
        ({"BFormat": 6}, "BFormat is 6; it must be a format id of mx_pkg, 0 to 5."),
        ({"ResultFormat": 11}, "ResultFormat is 11; it must be 8 (Float32), 9 (BF16) or 10 (FP16)."),
        ({"Lanes": 3}, "Lanes is 3; it must be 1, 2, 4, 8, 16 or 32."),
        ({"Chained": 2}, "Chained is 2; it must be 0 or 1."),
        ({"Depth": 5}, "Depth is 5; with Chained 1 it must be from 1 to 4."),
        ({"Depth": 7, "Chained": 0}, "Depth is 7; with Chained 0 it must be from 0 to 6."),
        ({"ScaleApply": 3}, "ScaleApply is 3; it must be 0 (product exponent), 1 (group exponent) or 2 (no scales)."),
        ({"AlignBits": 46}, "AlignBits is 46; it must be from 1 to 45."),
        ({"GroupSize": 64}, "GroupSize is 64; with products aligned it must be a power of two from Lanes to 32."),
        ({"GroupSize": 16, "Chained": 0}, "GroupSize is 16; with Chained 0 it must be at least a block, 32."),
        (BLOCK_TERMS | {"GroupSize": 16}, "GroupSize is 16; with ScaleApply 1 it must be 32, 64 or 128."),
        (BLOCK_TERMS | {"InnerGroup": 64}, "InnerGroup is 64; it must be 1, 2, 4, 8, 16 or 32."),
        (BLOCK_TERMS | {"AFormat": 1}, "ScaleApply 1 takes elements E3M2, E2M3, E2M1 and INT8, not 1, 4."),
        (
            BLOCK_TERMS | {"AFormat": 2, "BFormat": 2, "AlignBits": 15},
            "AlignBits is 15; with ScaleApply 1 it must be at least 16.",
        ),
        ({"AccInAlign": 2}, "AccInAlign is 2; it must be 0 or 1."),
        ({"HasExpFloor": 2}, "HasExpFloor is 2; it must be 0 or 1."),
        ({"ExpFloor": 128}, "ExpFloor is 128; it must be from -499 to 127."),
        ({"AccFormat": 10}, "AccFormat is 10; it must be 8 (Float32) or 11 (E8M13)."),
        ({"AccRound": 2}, "AccRound is 2; it must be 0 (nearest even) or 1 (toward zero)."),
        ({"NanPattern": 0x7F800000}, "NanPattern is 0x7f800000; its low 32 bits must be a NaN of ResultFormat."),
    ],
    "mx_nvfp4_dot": [
        ({"ResultFormat": 11}, "ResultFormat is 11; it must be 8 (Float32), 9 (BF16) or 10 (FP16)."),
        ({"Depth": 6}, "Depth is 6; it must be from 0 to 5."),
    ],
    "mx_nvfp4_quantize": [
        ({"InputFormat": 10}, "InputFormat is 10; it must be 8 (Float32) or 9 (BF16)."),
        ({"Depth": 4}, "Depth is 4; it must be from 0 to 3."),
    ],
}


def refusal(unit: str, parameters: dict[str, int], directory: Path) -> str:
    """Build and start *unit* with these parameters; return what it says before it stops."""
    program = directory / unit
    overrides = [f"-P{unit}.{name}={value}" for name, value in parameters.items()]
    library = ["-y", str(rtl.RTL), "-Y", ".sv", str(rtl.PACKAGE), str(rtl.RTL / f"{unit}.sv")]
    subprocess.run(
        ["iverilog", "-g2012", "-s", unit, *overrides, "-o", program, *library], check=True, capture_output=True
    )
    run = subprocess.run(["vvp", "-n", program], capture_output=True, text=True, timeout=60)
    assert run.returncode != 0, run.stdout
    return run.stdout


@pytest.mark.parametrize(
    ("unit", "parameters", "sentence"), [(unit, *case) for unit, cases in CASES.items() for case in cases]
)
def test_a_wrong_parameter_is_refused_in_a_sentence(
    unit: str, parameters: dict[str, int], sentence: str, tmp_path: Path
) -> None:
    lanes = {"Lanes": 1} if unit == "mx_aligned" else {}
    assert f"{unit}: {sentence}" in refusal(unit, lanes | parameters, tmp_path)


@pytest.mark.parametrize("unit", CASES)
def test_every_refusal_of_the_source_has_a_case(unit: str) -> None:
    source = (rtl.RTL / f"{unit}.sv").read_text()
    formats = re.findall(rf'\$fatal\(1, "{unit}: ([^"]*)"', source)
    assert len(formats) == source.count("$fatal")
    for text in formats:
        pattern = ".*".join(re.escape(part) for part in re.split(r"%0?[dsh]", text))
        assert any(re.fullmatch(pattern, sentence) for _, sentence in CASES[unit]), text
