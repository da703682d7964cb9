"""The experiments on a CUDA device, tried on software: expected values are those of the plan for an H100."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import gpu_probe
from benchmarks.gpu_probe import ModelUnit, diagonal, experiments, main, run_experiments, run_random
from refmodel.accumulate import get_rule
from refmodel.formats import E4M3, E5M2
from refmodel.operands import Elements

RULES = {True: get_rule("nv_hopper_fp8_fast"), False: get_rule("nv_hopper_fp8_slow128")}

BOTH = {
    **{f"E1 j={j}": 2.0**-j if j <= 13 else 0.0 for j in range(10, 17)},
    "E2": 0.0,
    "E4 j=1": 96.0, "E4 j=31": 96.0, "E4 j=32": 64.0, "E4 j=64": 32.0, "E4 j=127": 0.0,
    "E5": 1.0,
    "E10 Inf": np.inf, "E10 -Inf": -np.inf, "E10 -0": 0.0,
}  # fmt: skip
NAN = ("E10 NaN", "E10 NaN of B", "E10 Inf*0", "E10 Inf-Inf")


def bits(value: float) -> int:
    return int(np.float32(value).view(np.uint32))


@pytest.fixture(scope="module")
def rows():
    found = run_experiments(ModelUnit(RULES[True], RULES[False]), RULES)
    return {(row.name, row.fast): row for row in found}


def test_predictions_are_those_of_the_plan(rows):
    for (name, fast), row in rows.items():
        if name in BOTH:
            assert row.predicted == bits(BOTH[name]), name
        elif name in NAN:
            assert row.predicted == 0x7FFFFFFF, name
        elif name == "E3":
            assert row.predicted == 0x40000400
        elif name.startswith("E6"):
            late = not fast and int(name.split("=")[1]) >= 128
            assert row.predicted == bits(16385.0 if late else 16384.0), name
        elif name == "E7":
            assert row.predicted == bits(64.0 if fast else 128.0)
        elif name == "E8":
            assert row.predicted == bits(65536.0078125)
    assert {name.split()[0] for name, _ in rows} == {f"E{i}" for i in (1, 2, 3, 4, 5, 6, 7, 8, 10, 11)}


def test_the_epilogue_rounds_twice(rows):
    for fast in (True, False):
        assert rows["E11 bfloat16 tie", fast].predicted == bits(1.0)
        assert rows["E11 bfloat16 above", fast].predicted == bits(1 + 2.0**-7)
        assert rows["E11 float16 tie", fast].predicted == bits(1.0)
        alpha = np.float32(1.1) * np.float32(0.7)
        assert rows["E11 alpha", fast].predicted == bits(np.float32(1 + 2.0**-9) * alpha)


def test_the_stand_in_agrees_and_another_rule_does_not(rows):
    assert all(row.agrees for row in rows.values())
    wrong = ModelUnit(replace(RULES[True], name="wrong", align_bits=14), get_rule("nv_blackwell_f8f6f4"))
    differing = {(row.name, row.fast) for row in run_experiments(wrong, RULES) if not row.agrees}
    assert ("E1 j=14", True) in differing
    assert {("E3", False), ("E5", False), ("E8", False)} & differing
    assert not any(name.startswith("E10") for name, _ in differing)


def test_random_products_agree_and_count_what_does_not():
    assert all(wrong == 0 for _, _, wrong in run_random(ModelUnit(RULES[True], RULES[False]), RULES, 64))
    swapped = ModelUnit(RULES[False], RULES[True])
    found = {name: wrong for name, _, wrong in run_random(swapped, RULES, 64)}
    assert found["E9 fast K=32"] == 0
    assert found["E9 fast K=4096"] > 0


def test_a_result_that_depends_on_its_place_is_seen():
    class Tiled(ModelUnit):
        def product(self, a, b, *, fast, out="float32"):
            found = super().product(a, b, fast=fast, out=out)
            found[8:] += 1
            return found

    one = [Elements(fmt, np.full((1, 32), code, np.uint8)) for fmt, code in ((E5M2, 0x3C), (E4M3, 0x38))]
    assert diagonal(ModelUnit(RULES[True], RULES[False]), *one, fast=True) == [bits(32.0)]
    assert diagonal(Tiled(RULES[True], RULES[False]), *one, fast=True) == [None]


def test_the_script_runs_on_its_stand_in(capsys, monkeypatch):
    monkeypatch.setattr(gpu_probe, "INTERFACE", replace(gpu_probe.INTERFACE, lengths=(32, 256)))
    short = [probe for probe in experiments() if probe.length <= 256]
    monkeypatch.setattr(gpu_probe, "experiments", lambda: short)
    assert main(["--stand-in", "--count", "16"]) == 0
    output = capsys.readouterr().out
    assert "all as predicted" in output
    assert "presets: nv_hopper_fp8_fast" in output
    assert "presets: nv_hopper_fp8_slow128" in output
    assert "DIFFERS" not in output


def test_without_a_device_it_says_so_and_exits_2(capsys):
    try:
        import torch

        has_device = torch.cuda.is_available()
    except ImportError:
        has_device = False
    if has_device:
        pytest.skip("there is a device")
    assert main([]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: torch ")
    assert "--stand-in" in error
    assert error.count("\n") == 1


def test_an_unknown_rule_to_expect_is_refused(capsys):
    assert main(["--stand-in", "--expect", "nothing", "nothing"]) == 2
    assert "unknown accumulation rule" in capsys.readouterr().err


def test_the_torch_call_takes_codes_and_gives_bits():
    """On the processor, whose rule is another; sums that every rule gives exactly."""
    pytest.importorskip("torch")
    unit = gpu_probe.TorchUnit("cpu")
    one = [Elements(fmt, np.full((16, 32), code, np.uint8), 2.0) for fmt, code in ((E5M2, 0x3C), (E4M3, 0x38))]
    for out in ("float32", "bfloat16"):
        product = unit.product(*one, fast=False, out=out)
        assert product.shape == (16, 16)
        assert product.dtype == np.float32
        assert (product == 128.0).all()
    codes = np.zeros((1, 32), np.uint8)
    codes[0, :2] = 0xBC, 0x40  # -1 and 2
    a = Elements(E5M2, codes)
    b = Elements(E4M3, np.where(codes != 0, 0x40, 0).astype(np.uint8))  # 2 and 2
    assert diagonal(unit, a, b, fast=True) == [bits(2.0)]
