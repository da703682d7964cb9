"""The DUT description: the units' own files, every mistake a sentence with file, table and key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from refmodel.conformance import load_description

RTL = Path(__file__).resolve().parent.parent / "rtl"


@pytest.mark.parametrize("path", sorted(RTL.glob("*.toml")), ids=lambda path: path.stem)
def test_the_units_are_described(path):
    description = load_description(path)
    assert description.name == path.stem == description.design.top
    assert any(configuration.quick for configuration in description.configurations)
    assert description.design.sources[-1].name == f"{path.stem}.sv"


def test_the_example_of_the_manual_is_a_description(tmp_path):
    manual = (RTL.parent / "docs" / "dut.md").read_text()
    (example,) = (block for block in re.findall(r"```toml\n(.*?)```", manual, re.DOTALL) if "version" in block)
    (tmp_path / "mx_dot.sv").write_text("module mx_dot; endmodule\n")
    path = tmp_path / "mx_dot.toml"
    path.write_text(example.replace("e4m3 = 1", "e4m3 = 1\ne3m2 = 2\ne2m3 = 3\ne2m1 = 4\nint8 = 5"))
    description = load_description(path)
    assert len(description.configurations) == 7 + 2 * 3 * 2
