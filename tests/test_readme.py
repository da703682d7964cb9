"""What the README shows is what happens."""

import doctest
from pathlib import Path

import refmodel

ROOT = Path(__file__).parents[1]


def test_examples_in_the_readme_print_what_it_says():
    result = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert result.attempted >= 8
    assert result.failed == 0


def test_examples_in_the_package_docstring_print_what_they_say():
    result = doctest.testmod(refmodel)
    assert result.attempted >= 4
    assert result.failed == 0
