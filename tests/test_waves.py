"""`make waves` leaves a dump that holds every stage of the vector, and a layout that names what is in it."""

from __future__ import annotations

import re
import shutil

import pytest

pytest.importorskip("cocotb", reason="waves need the extra sim: pip install -e '.[sim]'")
pytest.importorskip("pywellen", reason="waves need the extra sim: pip install -e '.[sim]'")

import pywellen

from flows import waves
from flows.waves import Group, Signal

ARGUMENTS = ["--unit", "mx_dot", "--formats", "mxfp4_e2m1", "--count", "40"]


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="waves need iverilog: apt-get install iverilog")
def test_the_waves_of_a_vector_hold_operands_products_sum_and_result(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(waves, "BUILD", tmp_path)
    monkeypatch.setattr(waves.rtl, "ROOT", tmp_path)
    assert waves.main([*ARGUMENTS, "--vector", "8"]) == 0
    assert "gtkwave" in capsys.readouterr().out
    (dump,) = tmp_path.glob("*.fst")
    (layout,) = tmp_path.glob("*.gtkw")
    text = layout.read_text()
    titles = re.findall(r"^@(?:800200|c00200)\n-(.*)$", text, re.M)
    assert titles == ["clock and reset", "operands", "decoded elements", "products", "sum", "rounding", "result"]

    variables = {each.full_name: each for each in pywellen.Waveform(str(dump)).all_vars()}
    shown = re.findall(r"^(mx_dot\.\S+?)(?:\[(\d+):0\])?$", text, re.M)
    assert len(shown) > 60
    for name, high in shown:
        assert name in variables, f"the layout shows {name}, which the dump has not"
        assert variables[name].bitwidth == int(high or 0) + 1

    # The dump shows the vector that was asked for, and its result.
    (vectors,) = (path.parent for path in tmp_path.glob("vectors/**/a_elements.hex"))

    def line(plane: str) -> int:
        return int((vectors / f"{plane}.hex").read_text().splitlines()[8], 16)

    def values(name: str) -> list[int]:
        return [int(value) for _, value in variables[f"mx_dot.{name}"].tv if re.fullmatch(r"\d+", str(value))]

    assert values("a_elements_i")[-1] == line("a_elements")
    assert values("b_elements_i")[-1] == line("b_elements")
    assert values("result_o")[-1] == line("result")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (ARGUMENTS, "VECTOR= names the vector"),
        ([*ARGUMENTS, "--vector", "100000"], "VECTOR=100000: the set has vectors 0 to"),
        (["--unit", "mx_none", "--vector", "1"], "unknown unit 'mx_none'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, words, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(waves, "BUILD", tmp_path)
    assert waves.main(arguments) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.err.count("\n") == 1


def test_a_layout_folds_what_is_long_and_gives_every_trace_its_range(tmp_path):
    text = waves.save_file(tmp_path / "x.fst", [Group("products", (Signal("t.p", 5), Signal("t.v", 1)), folded=True)])
    assert "@c00200\n-products\n@22\nt.p[4:0]\n@28\nt.v\n@1401200\n-products\n" in text
