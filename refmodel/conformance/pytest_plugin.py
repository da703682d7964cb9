"""A plugin for pytest: described designs judged in a team's own tests.

    @pytest.mark.mx_dut("my_dot.toml", level="smoke")
    def test_my_dot_conforms(mx_dut):
        assert mx_dut.passed

The fixture builds and simulates the design as `mxref conform` does and gives the `Report`; what it says of a design
that does not conform is printed, so that pytest shows it beside the failure.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from refmodel.errors import MxError

_MARKER = "mx_dut"
_OPTIONS = ("level", "sim", "config", "everything", "seed", "jobs", "count")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the plugin."""
    group = parser.getgroup("mxref", "conformance of MX designs")
    group.addoption("--mx-level", metavar="L", help="level of every mx_dut test, in place of that of its marker")
    group.addoption("--mx-report", metavar="DIR", help="a folder for the reports of mx_dut tests, one folder each")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    words = ", ".join(f"{name}=..." for name in _OPTIONS)
    config.addinivalue_line(
        "markers", f"{_MARKER}(file, {words}): the DUT description, relative to the test file, that fixture mx_dut runs"
    )


@pytest.fixture
def mx_dut(request: pytest.FixtureRequest) -> Any:
    """Return the `refmodel.conformance.report.Report` of the design that the marker names."""
    marker = request.node.get_closest_marker(_MARKER)
    unknown = sorted(set(marker.kwargs) - set(_OPTIONS)) if marker else []
    if marker is None or len(marker.args) != 1 or unknown:
        problem = f"{unknown[0]!r} is unknown" if unknown else "give it the file of a DUT description"
        pytest.fail(f"fixture mx_dut needs the marker mx_dut(file, {', '.join(_OPTIONS)}): {problem}", pytrace=False)
    options = dict(marker.kwargs)
    if level := request.config.getoption("--mx-level"):
        options["level"] = level
    from refmodel.cli.common import bench_module
    from refmodel.cli.conform import write_report
    from refmodel.conformance.summary import print_summary

    try:
        bench = bench_module("conform")
        report = bench.conform(bench.Call(file=str(request.path.parent / marker.args[0]), **options))
        print_summary(report)
        if folder := request.config.getoption("--mx-report"):
            write_report(report, Path(folder) / report.design)
    except (MxError, OSError) as error:
        pytest.fail(f"the design cannot be run: {error}", pytrace=False)
    return report
