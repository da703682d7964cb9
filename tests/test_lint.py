"""`make lint` is silent on the RTL as it is, and says something about every fault planted in a copy of it."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("cocotb", reason="lint needs the extra sim: pip install -e '.[sim,lint]'")
pytest.importorskip("pyslang", reason="lint needs the extra lint: pip install -e '.[sim,lint]'")

from flows import lint, rtl
from flows.parameter_sets import ParameterSet, described_sets, read_parameter_sets
from refmodel.errors import DefinitionError

STAGE = ParameterSet("mx_pipe_stage", {"Width": 4})
PACKAGE = lint.Waiver("verilator", "UNUSEDPARAM", "mx_pkg.sv", "a unit need not use every constant")


def planted(tmp_path: Path, sound: str, faulty: str) -> list[Path]:
    """Return a copy of the package and mx_pipe_stage with one piece of text replaced."""
    paths = []
    for path in rtl.sources_of(STAGE.unit):
        text = path.read_text()
        if path.stem == STAGE.unit:
            assert text.count(sound) == 1, f"{path.name} no longer holds {sound!r} once"
            text = text.replace(sound, faulty)
        paths.append(tmp_path / path.name)
        paths[-1].write_text(text)
    return paths


def test_the_rtl_is_clean():
    # Of every unit the first, the middle and the last parameter set; `make lint` takes all of them.
    units: dict[str, list[ParameterSet]] = {}
    for each in [*read_parameter_sets(), *described_sets(3)]:
        units.setdefault(each.unit, []).append(each)
    sets = [unit[index] for unit in units.values() for index in {0, len(unit) // 2, len(unit) - 1}]
    lines = lint.lint(rtl.sources(), sets, lint.read_waivers())
    assert [line for line in lines if "covers nothing" not in line] == []


@pytest.mark.parametrize(
    ("faulty", "tool", "rule"),
    [
        ("  logic stray;\n\nendmodule\n", "verilator", "UNUSEDSIGNAL"),
        ("  logic [1:0] wide_o;\n  assign wide_o = valid_i;\n\nendmodule\n", "verilator", "WIDTHEXPAND"),
        ("  logic q;\n  always_comb if (valid_i) q = 1'b1;\n\nendmodule\n", "verilator", "LATCH"),
        ("  logic [1:0] x;\n  assign x[5] = 1'b0;\n\nendmodule\n", "slang", "index-oob"),
        ("  logic CamelCase;\n\nendmodule\n", "verible", "signal-name-style"),
        ("  logic q;\n  assign q = " + "valid_i & " * 20 + "ready_i;\nendmodule\n", "verible", "line-length"),
        ("  always_comb if (valid_i) ;\n\nendmodule\n", "verible", "explicit-begin"),
        ("  assign = ;\nendmodule\n", "slang", "error"),
    ],
)
def test_a_planted_fault_is_found(faulty, tool, rule, tmp_path):
    lines = lint.lint(planted(tmp_path, "endmodule\n", faulty), [STAGE], [PACKAGE])
    assert any(f"[{tool} {rule}]" in line for line in lines), "\n".join(lines)


def test_an_undriven_output_under_one_parameter_set_is_found_and_the_set_named(tmp_path):
    only_five = "  if (Width == 5) begin : gen_odd\n    logic odd;\n  end\n\nendmodule\n"
    sources = planted(tmp_path, "endmodule\n", only_five)
    other = ParameterSet("mx_pipe_stage", {"Width": 5})
    assert lint.lint(sources, [STAGE], [PACKAGE]) == []
    assert any("mx_pipe_stage Width=5" in line for line in lint.lint(sources, [STAGE, other], [PACKAGE]))


def test_pragmas_and_unused_waivers_are_refused_and_modules_that_no_set_reaches_looked_at(tmp_path):
    sources = planted(tmp_path, "endmodule\n", "/* verilator lint_off WIDTH */\nendmodule\n")
    sources.append(tmp_path / "mx_orphan.sv")
    sources[-1].write_text(
        "module mx_orphan (\n  input  logic a_i,\n  output logic b_o\n);\n  assign b_o = 2'b11;\nendmodule\n"
    )
    lines = lint.lint(sources, [STAGE], [PACKAGE, lint.Waiver("verible", "line-length", "*", "none")])
    assert any("covers nothing" in line for line in lines)
    assert any("switches a linter off" in line for line in lines)
    assert any("mx_orphan.sv:5" in line and "[verilator WIDTHTRUNC]" in line for line in lines), lines


def test_a_waiver_covers_what_it_names_and_no_more(tmp_path):
    sources = planted(tmp_path, "endmodule\n", "  logic stray;\n  logic other;\n\nendmodule\n")
    waiver = lint.Waiver("verilator", "UNUSEDSIGNAL", "mx_pipe*", "a reason", text="'other'")
    lines = lint.lint(sources, [STAGE], [PACKAGE, waiver])
    assert not any("'other'" in line and "verilator" in line for line in lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('tool = "slang"\nrule = "x"\nfile = "*"\nreason = " "\n', "has no reason"),
        ('tool = "slang"\nrule = "x"\nfile = "*"\n', "has no reason"),
        ('tool = "spyglass"\nrule = "x"\nfile = "*"\nreason = "r"\n', "not one of verilator, slang, verible"),
        ('tool = "slang"\nrule = "x"\nfile = "*"\nreason = "r"\nwho = "x"\n', "unknown key 'who'"),
        ("tool = \n", "lint_waivers.toml"),
    ],
)
def test_a_waiver_that_says_too_little_or_too_much_is_refused(text, words, tmp_path):
    path = tmp_path / "lint_waivers.toml"
    path.write_text("[[waiver]]\n" + text)
    with pytest.raises(DefinitionError, match=words):
        lint.read_waivers(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[set]]\nunit = "mx_none"\n', "unknown unit 'mx_none'"),
        ('[[set]]\nunit = "mx_dot"\nparameters = { Wide = 1 }\n', "mx_dot has no parameter Wide"),
        ('[[set]]\nunit = "mx_dot"\nparameters = { AFormat = "E9M9" }\n', "'E9M9' is neither an integer"),
        ('[[set]]\nunit = "mx_dot"\nparameters = { "AFormat BFormat" = "1 1 1" }\n', "3 words for the 2 names"),
        ('[[set]]\nunit = "mx_dot"\nsynth = true\n', "unknown key 'synth'"),
    ],
)
def test_a_parameter_set_that_makes_no_sense_is_refused(text, words, tmp_path):
    path = tmp_path / "parameter_sets.toml"
    path.write_text(text)
    with pytest.raises(Exception, match=words):
        read_parameter_sets(path)


def test_parameter_sets_are_the_cross_product_of_their_lists(tmp_path):
    path = tmp_path / "parameter_sets.toml"
    path.write_text('[[set]]\nunit = "mx_dot"\nparameters = { AFormat = ["E4M3", "E2M1"], BFormat = [5, 4] }\n')
    assert [each.name for each in read_parameter_sets(path)] == [
        "mx_dot AFormat=E4M3 BFormat=5",
        "mx_dot AFormat=E4M3 BFormat=4",
        "mx_dot AFormat=E2M1 BFormat=5",
        "mx_dot AFormat=E2M1 BFormat=4",
    ]
    assert read_parameter_sets(path)[0].values == {"AFormat": 1, "BFormat": 5}
