"""What the README shows is what happens."""

import doctest
import io
import re
import shlex
import sys
from pathlib import Path

import pytest

import refmodel
from refmodel.cli import main

ROOT = Path(__file__).parents[1]


def test_examples_in_the_readme_print_what_it_says():
    result = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert result.attempted >= 8
    assert result.failed == 0


def test_examples_in_the_package_docstring_print_what_they_say():
    result = doctest.testmod(refmodel)
    assert result.attempted >= 4
    assert result.failed == 0


def test_commands_in_the_readme_print_what_it_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("COLUMNS", "100")
    shown = re.findall(
        r"```\n\$ (?:echo (.*) \| )?mxref (.*)\n((?:.*\n)*?)```",
        (ROOT / "README.md").read_text(encoding="utf-8"),
    )
    assert shown
    for text, command, output in shown:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{text}\n".encode())))
        assert main(shlex.split(command)) == 0
        assert capsys.readouterr().out == output
