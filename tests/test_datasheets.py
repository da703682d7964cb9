"""The datasheets say what the sources say: parsed headers, drawn diagrams, and pages that are up to date."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from flows import rtl
from flows.datasheets import diagram, run
from flows.datasheets.diagram import Arrow, Box, Diagram
from flows.datasheets.header import read_header
from flows.datasheets.page import FOLDER, described_units, stale
from refmodel.errors import DefinitionError

SOURCE = """\
// Sum of a and b.
//
//   sum_o = a_i + 2 * b_i
//
// Latency: 1 cycle. Throughput: one sum
// a cycle.
// Reset: rst_ni, active low.
module mx_sum #(
  parameter int Width = 8,  // bits of
                            // a term
  parameter logic [3:0] Code = 4'hA
) (
  input  logic                    clk_i,

  // Terms.
  input  logic signed [Width-1:0] a_i,
  input  logic [mx_pkg::f(Width) +
                mx_pkg::g(Width)-1:0] b_i,  // any

  output logic                    sum_o
);
endmodule
"""


@pytest.fixture
def module(tmp_path: Path) -> rtl.Module:
    path = tmp_path / "mx_sum.sv"
    path.write_text(SOURCE)
    return rtl.read_module(path)


def test_a_module_is_read_with_its_comments(module):
    assert module.parameters == (rtl.Parameter("Width", "8", "bits of a term"), rtl.Parameter("Code", "4'hA", ""))
    assert module.ports == (
        rtl.Port("clk_i", "input", "", "", ""),
        rtl.Port("a_i", "input", "signed [Width-1:0]", "Terms.", ""),
        rtl.Port("b_i", "input", "[mx_pkg::f(Width) +mx_pkg::g(Width)-1:0]", "Terms.", "any"),
        rtl.Port("sum_o", "output", "", "", ""),
    )


def test_a_header_is_taken_apart_at_its_headings(module):
    header = read_header("mx_sum", module.header)
    assert header.summary == "Sum of a and b."
    assert header.text == ("Sum of a and b.", "```text\n  sum_o = a_i + 2 * b_i\n```")
    assert header.sections == {
        "Latency": "1 cycle.",
        "Throughput": "one sum a cycle.",
        "Reset": "`rst_ni`, active low.",
    }


def test_a_header_without_reset_and_a_module_in_another_style_are_refused(module, tmp_path):
    with pytest.raises(DefinitionError, match=r"mx_sum\.sv: the comment at the top has no 'Reset:'"):
        read_header("mx_sum", module.header[:-1])
    path = tmp_path / "mx_other.sv"
    path.write_text("module mx_other #(\n  parameter int Width = 8\n) (\n  inout wire x_io\n);\nendmodule\n")
    with pytest.raises(DefinitionError, match="cannot read 'inout wire x_io' among the ports"):
        rtl.read_module(path)


def test_a_diagram_is_svg_that_holds_every_box_and_arrow():
    boxes = (Box("a", 0, 0, ("a_i",), "port"), Box("b", 1, 0.5, ("B < C", "sum"), "block"))
    shown = diagram.draw(Diagram("mx_x", boxes, (Arrow("a", "b", "8 bits"), Arrow("b", "b", "again"))))
    root = ElementTree.fromstring(shown)
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["8 bits", "again", "a_i", "B < C", "sum"]
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) == 3  # two arrows and their tip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("result_x_o", "result_x_o, which is no port"),
        ("mx_quantise", "mx_quantise, which is no part"),
        ("mx_pipe_stage\nclk_i", None),
    ],
)
def test_a_diagram_that_shows_what_the_unit_has_not_is_refused(text, words):
    drawn = Diagram("mx_dot", (Box("a", 0, 0, tuple(text.split("\n")), "block"),), ())
    if words is None:
        diagram.check(drawn)
    else:
        with pytest.raises(DefinitionError, match=words):
            diagram.check(drawn)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[mx_dot]\na = { at = [0], text = "a" }\n', "box a needs at"),
        ('[mx_dot]\na = { at = [0, 1], text = "a", kind = "cloud" }\n', "box a needs at"),
        ('[mx_dot]\na = { at = [0, 1], text = "a" }\narrows = ["a > b"]\n', "arrow 'a > b' is not"),
    ],
)
def test_a_diagram_file_that_makes_no_sense_is_refused(text, words, tmp_path):
    path = tmp_path / "diagrams.toml"
    path.write_text(text)
    with pytest.raises(DefinitionError, match=words):
        diagram.read_diagrams(path)


def test_the_documents_are_up_to_date(capsys):
    assert run.main(["--check"]) == 0, f"{capsys.readouterr().err.strip()}; run: make docs"


def test_a_page_that_was_changed_or_is_too_many_is_named(tmp_path):
    (tmp_path / "a.md").write_text("old")
    (tmp_path / "b.md").write_text("same")
    (tmp_path / "c.md").write_text("too many")
    assert stale({"a.md": "new", "b.md": "same", "d.md": "missing"}, tmp_path) == ["a.md", "c.md", "d.md"]


def test_every_described_unit_has_a_page_whose_links_lead_somewhere():
    for unit in described_units():
        text = (FOLDER / f"{unit}.md").read_text()
        for port in rtl.read_module(rtl.source(unit)).ports:
            assert f"| `{port.name}` |" in text
        for link in re.findall(r"\]\(([^)]+)\)", text):
            assert (FOLDER / link).resolve().is_file(), f"{unit}.md links to {link}"
