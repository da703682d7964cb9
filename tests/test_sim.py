"""The RTL units against the model in Verilator; bad input to `make sim`; planted faults."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

pytest.importorskip("cocotb", reason="the simulations need the extra sim: pip install -e '.[sim]'")

from unit_cases import CASES, UNITS, check, play, quick

from cocotb_tests import run, simulators
from cocotb_tests.jobs import ROOT
from refmodel.conformance import Configuration, load_description
from refmodel.conformance.configuration import element_of
from refmodel.formats import ElementFormat

FAULTS = {
    # name: (file, sound text, faulty text, format, what a report must say)
    "sticky_bit_dropped": (
        "mx_round_normalise.sv", "increment_i || (|normalised[RestBits-1:0])", "increment_i",
        "mxfp8_e4m3", "as if the sticky bit were lost",
    ),
    "subnormal_as_zero": (
        "mx_element_decode.sv", "significand_o = {is_normal, mantissa};",
        "significand_o = is_normal ? {is_normal, mantissa} : '0;",
        "mxfp8_e4m3", "as if subnormal elements were zero",
    ),
    "nan_scale_ignored": (
        "mx_block_sum.sv", "a_scale_i == mx_pkg::ScaleNan", "1'b0",
        "mxfp8_e4m3", "the result must be NaN because scale A of block 0 is 0xff (NaN)",
    ),
    "scale_bias_off_by_one": (
        "mx_pkg.sv", "localparam int ScaleBias = 127;", "localparam int ScaleBias = 126;",
        "mxfp8_e4m3", "seen is expected * 2^2",
    ),
    "tie_rounded_away": (
        "mx_round_result.sv", "guard && (sticky || mantissa[0])", "guard",
        "mxfp8_e4m3", "a tie, which goes to even; seen went up",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("unit", "configuration"), CASES)
def test_units_give_the_bits_of_the_model_in_verilator(unit, configuration, tmp_path):
    check("verilator", unit, configuration, tmp_path)


@pytest.fixture(scope="session")
def fault_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_the_arithmetic_is_caught_and_explained(name, tmp_path, fault_build):
    file, sound, faulty, formats, hint = FAULTS[name]
    for source in [*(ROOT / "rtl").glob("*.sv"), ROOT / "rtl" / "mx_dot.toml"]:
        text = source.read_text()
        if source.name == file:
            assert text.count(sound) == 1, f"{file} no longer holds {sound!r}; update FAULTS"
            text = text.replace(sound, faulty)
        (tmp_path / source.name).write_text(text)
    unit = load_description(tmp_path / "mx_dot.toml")
    outcome = play("verilator", unit, quick(unit, formats), fault_build, tmp_path)
    assert outcome.mismatches
    assert any(hint in report for report in outcome.reports), "\n".join(outcome.reports)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sim", "vcs"], "unknown simulator 'vcs'; choose one of: ghdl, icarus, verilator"),
        (["--unit", "mx_mul"], "unknown unit 'mx_mul'; choose one of: "),
        (["--formats", "fp8"], "unknown block format 'fp8'; choose one of: "),
        (["--formats", "mxint8*mxint8*mxint8"], "names 3 formats"),
        (["--formats", "mxint8*nvfp4"], "the operands differ in block size"),
        (["--unit", "mx_dot", "--rule", "bogus"], "unknown rule 'bogus'; choose one of: block32_exact_fused"),
        (["--unit", "mx_dot", "--lanes", "33"], "unknown lanes '33'; choose one of: "),
        (["--unit", "mx_dot", "--config", "x"], "unknown config 'x'; choose one of: "),
        (["--dut", "no_such.toml"], "no_such.toml: cannot be read"),
        (["--jobs", "0"], "JOBS=0"),
        (["--input", "no_such.npy"], "no_such.npy"),
        (["--input-b", "x.npy"], "needs INPUT="),
        (["--count", "many"], "'many' is not an integer"),
        (["--count", "0", "--unit", "mx_dot", "--formats", "mxint8"], "count 0 is not between 1 and"),
        (["--seed", "-1", "--unit", "mx_dot", "--formats", "mxint8"], "seed -1 is negative"),
        (["--vector", "3"], "UNIT= and CONFIG="),
        (
            ["--vector", "-1", "--unit", "mx_dot", "--formats", "mxint8", "--count", "300"],
            "VECTOR=-1: the set has vectors 0 to",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, words, capsys):
    try:
        status = run.main(arguments)
    except SystemExit as exit_:
        status = exit_.code
    captured = capsys.readouterr()
    assert status == 2
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert words in captured.err


def test_a_missing_simulator_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(simulators.ToolError, match="apt-get install iverilog"):
        simulators.prepare("icarus")
    with pytest.raises(simulators.ToolError, match="apt-get install perl"):
        simulators.prepare("verilator")


def test_the_replay_command_is_one_that_the_runner_takes():
    formats = ["--formats", "mxfp8_e4m3*mxfp4_e2m1"]
    request = run.parse(["--input", str(run.DEFAULT_INPUT), "--seed", "7", "--unit", "mx_dot_general", *formats])
    (selection,) = request.chosen
    words = shlex.split(request.replay_command(selection))
    assert words[:2] == ["make", "sim"]
    arguments = [part for word in words[2:] for part in _as_option(word)]
    again = run.parse([*arguments, "--vector", "5"])
    assert [each.configuration for each in again.chosen] == [selection.configuration]
    assert (again.seed, again.vector) == (7, 5)
    assert again.vectors_for(selection).count == request.vectors_for(selection).count


def test_a_plain_run_is_of_every_unit_and_every_format():
    chosen = run.parse([]).chosen
    assert {each.description.name for each in chosen} == set(UNITS)
    assert all(selection.configuration.quick for selection in chosen)
    run_by_default, described = (
        {
            (each.name, unit.operation.name in CONVERSIONS)
            for unit, configuration in group
            for each in _formats(configuration)
        }
        for group in (
            [(each.description, each.configuration) for each in chosen],
            [(unit, each) for unit in UNITS.values() for each in unit.configurations],
        )
    )
    assert run_by_default == described


CONVERSIONS = ("quantize", "dequantize")


def _formats(configuration: Configuration) -> list[ElementFormat]:
    return [element_of(each) for pair in configuration.pairs for each in (pair.a, pair.b)]


def _as_option(word: str) -> tuple[str, str]:
    name, value = word.split("=", 1)
    return f"--{name.lower().replace('_', '-')}", value
