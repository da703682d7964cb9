"""One job: build a unit for a format pair, play a vector set through it, and judge what came back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from cocotb_tools.check_results import get_results

from cocotb_tests import replay_tests, simulators, stream_tests
from cocotb_tests.settings import BenchResult, Settings
from cocotb_tests.units import FormatPair, Unit
from refmodel.vectors.dotset import DotVectors

ROOT = Path(__file__).resolve().parent.parent

_PACKAGE = ROOT / "rtl" / "mx_pkg.sv"


def rtl_sources() -> list[Path]:
    """Return the files of rtl/, the package first."""
    return [_PACKAGE, *sorted(path for path in (ROOT / "rtl").glob("*.sv") if path != _PACKAGE)]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job found.

    Attributes:
        unit, pair: What was simulated.
        vectors: Number of dot products that were to be compared.
        mismatches: Numbers of those of which a result was wrong.
        classes: Per stimulus class of the set, the number of its dot products that were compared.
        comparisons: Number of comparisons, the repetitions under stalls included.
        seconds: Wall-clock time in which those were streamed.
        reports: Explanations of the first mismatches.
        failures: Sentences about everything else that is wrong; a right job has none, and no mismatches.
    """

    unit: Unit
    pair: FormatPair
    vectors: int
    mismatches: list[int] = field(default_factory=list)
    classes: dict[str, int] = field(default_factory=dict)
    comparisons: int = 0
    seconds: float = 0.0
    reports: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every vector was compared and nothing was wrong."""
        return not self.mismatches and not self.failures


@dataclass(frozen=True, slots=True)
class Bench:
    """A simulator, and the sources that are built for it.

    Attributes:
        sim: Name of the simulator, after `simulators.prepare`.
        version: What that returned.
        sources: SystemVerilog files, packages first.
        build_root: Directory for builds, logs and results.
    """

    sim: str
    version: str
    sources: Sequence[Path]
    build_root: Path

    def build(self, unit: Unit, pair: FormatPair) -> Path:
        """Build *unit* for *pair* if need be, and return the directory.

        Raises:
            ToolError: If the simulator refuses the sources.
        """
        directory = self.build_root / self.sim / f"{unit.name}-{pair.slug}"
        simulators.build(self.sim, self.version, self.sources, unit.name, pair.parameters, directory)
        return directory

    def simulate(
        self, unit: Unit, pair: FormatPair, vectors: DotVectors, directory: Path, *, seed: int, replay: str,
        vector: int | None = None, test_module: str | None = None,
    ) -> Outcome:  # fmt: skip
        """Build if need be, play the vector set that stands in *directory*, and judge the result.

        Args:
            unit, pair: What to simulate.
            vectors: The set.
            directory: Where it is.
            seed: Seed of the stall patterns.
            replay: Shell command that repeats this simulation.
            vector: The one dot product to play; None plays all.
            test_module: Other tests than the bench's own, for tests of this function.

        Raises:
            ToolError: If the simulator refuses the sources.
        """
        build_directory = self.build(unit, pair)
        tests = stream_tests if vector is None else replay_tests
        run_directory = build_directory / "run"
        run_directory.mkdir(exist_ok=True)
        result, log = run_directory / "result.json", run_directory / "sim.log"
        result.unlink(missing_ok=True)
        settings = Settings(unit.name, str(directory), seed, str(result), replay, vector)
        xml = simulators.run(
            self.sim, top=unit.name, test_module=test_module or tests.__name__,
            build_directory=build_directory, run_directory=run_directory, seed=seed,
            environment=settings.environment(), log=log,
        )  # fmt: skip
        return judge(unit, pair, vectors.dots if vector is None else 1, tests.TESTS, xml, result, log)


def judge(
    unit: Unit, pair: FormatPair, vectors: int, tests: int, xml: Path, result: Path, log: Path
) -> Outcome:
    """Return the outcome of a simulation from the files it left.

    Args:
        unit, pair: What was simulated.
        vectors: Number of dot products that had to be compared.
        tests: Number of tests that had to run.
        xml: cocotb's results file.
        result: The scoreboard's.
        log: The simulator's output, named in failures.
    """
    failures: list[str] = []
    ran = failed = 0
    if xml.is_file():
        ran, failed = get_results(xml)
    if ran != tests:
        failures.append(f"{ran} of {tests} tests ran; see {log}")
    try:
        bench = BenchResult.read(result)
    except OSError:
        return Outcome(
            unit, pair, vectors, failures=[*failures, f"the bench left no result: {_reason(xml, log)}"]
        )
    if bench.compared != vectors:
        failures.append(f"{bench.compared:,} of {vectors:,} vectors were compared")
    if failed and not (bench.mismatches or bench.failures):
        failures.append(f"{failed} tests failed: {_reason(xml, log)}")
    return Outcome(
        unit, pair, vectors, bench.mismatches, bench.classes, bench.comparisons, bench.seconds, bench.reports,
        [*bench.failures, *failures],
    )  # fmt: skip


def _reason(xml: Path, log: Path) -> str:
    """What the first failed test says, and where the log is."""
    if xml.is_file():
        for failure in ElementTree.parse(xml).getroot().iter("failure"):
            return f"{failure.get('error_type', '')} {failure.get('error_msg', '')}; see {log}"
    return f"see {log}"
