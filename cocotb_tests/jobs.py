"""One job: build a configuration of a design, play a vector set through it, and judge what came back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from cocotb_tools.check_results import get_results
from numpy.typing import NDArray

from cocotb_tests import combinational_tests, replay_tests, simulators, stream_tests
from cocotb_tests.operations import FAMILIES
from cocotb_tests.port_values import named_ports
from cocotb_tests.settings import BenchResult, Settings
from refmodel.conformance import Configuration, Description, load_description
from refmodel.errors import DescriptionError

ROOT = Path(__file__).resolve().parent.parent

_LONGEST_NAME = 100
_AXI_TESTS = "cocotb_tests.axi_tests"  # not imported here: it needs a package that the other designs do not
_AXI_TEST_COUNT = 3


def described_units() -> dict[str, Description]:
    """Return the units of rtl/ by name.

    Raises:
        DescriptionError: If a description is wrong.
    """
    found = [load_description(path) for path in sorted((ROOT / "rtl").glob("*.toml"))]
    return {description.name: description for description in found}


def build_name(description: Description, parameters: Mapping[str, int | str]) -> str:
    """Return a directory name for a build of a design with these parameters."""
    words = "-".join([description.name, *(f"{name}{value}" for name, value in parameters.items())])
    name = "".join(character if character.isalnum() or character in "_-" else "_" for character in words)
    if len(name) > _LONGEST_NAME:
        name = f"{name[:_LONGEST_NAME]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return name


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job found.

    Attributes:
        description, configuration: What was simulated.
        vectors: Number of items that were to be compared.
        mismatches: Numbers of those of which the result was wrong.
        classes: Per stimulus class of the set, the number of its items that were compared.
        comparisons: Number of comparisons, the repetitions under stalls included.
        seconds: Processor time in which those were streamed.
        reports: Explanations of the first mismatches.
        failures: Sentences about everything else that is wrong; a right job has none, and no mismatches.
        met: uint8 [vectors], what each vector met at the ports while its result was compared, as bits; of jobs in
            bulk alone, else empty.
        seen: uint32 [vectors, words], the first result of each vector, and bool [vectors], whether it came; None of
            jobs in bulk, and where the bench left nothing.
    """

    description: Description
    configuration: Configuration
    vectors: int
    mismatches: list[int] = field(default_factory=list)
    classes: dict[str, int] = field(default_factory=dict)
    comparisons: int = 0
    seconds: float = 0.0
    reports: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    met: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    seen: tuple[NDArray[np.uint32], NDArray[np.bool_]] | None = None

    @property
    def passed(self) -> bool:
        """Whether every vector was compared and nothing was wrong."""
        return not self.mismatches and not self.failures


@dataclass(frozen=True, slots=True)
class Bench:
    """A simulator and a place for what it makes.

    Attributes:
        sim: Name of the simulator, after `simulators.prepare`.
        version: What that returned.
        build_root: Directory for builds, logs and results.
        waves: Whether every simulation leaves its signals in TOP.fst beside its build; Icarus only.
    """

    sim: str
    version: str
    build_root: Path
    waves: bool = False

    def build(self, description: Description, configuration: Configuration) -> Path:
        """Build the design for a configuration if need be, and return the directory.

        Configurations that differ in nothing that is compiled share a build.

        Raises:
            ToolError: If the simulator refuses the sources.
        """
        parameters = description.parameter_values(configuration)
        directory = self.build_root / self.sim / build_name(description, parameters)
        job = simulators.Job(description.design, named_ports(description, configuration), parameters, self.waves)
        simulators.build(self.sim, self.version, job, directory)
        return directory

    def simulate(
        self, description: Description, configuration: Configuration, directory: Path, *, seed: int, replay: str,
        vector: int | None = None, test_module: str | None = None, trace: Path | None = None,
        alternative: int | None = None,
    ) -> Outcome:  # fmt: skip
        """Build if need be, play the vector set that stands in *directory*, and judge the result.

        Args:
            description, configuration: What to simulate.
            directory: Where the vector set is.
            seed: Seed of the stall patterns.
            replay: Shell command that repeats this simulation.
            vector: The one item to play; None plays all.
            test_module: Other tests than the bench's own, for tests of this function.
            trace: A file for the values of all ports at every clock edge.
            alternative: Which other description is tried, of `alternatives`.

        Raises:
            ToolError: If the simulator refuses the sources.
            DescriptionError: If the ports of the design are not those of the description.
        """
        items = FAMILIES[description.operation.name].read(configuration, directory).count
        build_directory = self.build(description, configuration)
        tests = combinational_tests if description.handshake.protocol == "combinational" else stream_tests
        modules = {tests.__name__: tests.TESTS}
        if description.handshake.protocol == "axi4_stream":
            modules[_AXI_TESTS] = _AXI_TEST_COUNT
        if vector is not None:
            modules = {replay_tests.__name__: replay_tests.TESTS}
        run_directory = build_directory / f"run-{hashlib.sha256(configuration.name.encode()).hexdigest()[:12]}"
        run_directory.mkdir(exist_ok=True)
        result, log = run_directory / "result.json", run_directory / "sim.log"
        for left in (result, result.with_suffix(".npz")):
            left.unlink(missing_ok=True)
        settings = Settings(
            str(description.file.resolve()), configuration.name, str(directory.resolve()), seed, str(result), replay,
            vector, None if trace is None else str(trace.resolve()), alternative,
        )  # fmt: skip
        xml = simulators.run(
            self.sim, top=description.design.top, test_module=test_module or ",".join(modules),
            build_directory=build_directory, run_directory=run_directory, seed=seed,
            environment=settings.environment(), log=log, waves=self.waves,
            generics=description.parameter_values(configuration),
        )  # fmt: skip
        vectors = items if vector is None else 1
        return judge(Outcome(description, configuration, vectors), sum(modules.values()), xml, result, log)


def judge(job: Outcome, tests: int, xml: Path, result: Path, log: Path) -> Outcome:
    """Return the outcome of a simulation from the files it left.

    Args:
        job: What was simulated, and how many vectors had to be compared.
        tests: Number of tests that had to run.
        xml: cocotb's results file.
        result: The scoreboard's.
        log: The simulator's output, named in failures.

    Raises:
        DescriptionError: If the ports of the design are not those of the description.
    """
    failures: list[str] = []
    ran = failed = 0
    if xml.is_file():
        ran, failed = get_results(xml)
    try:
        bench = BenchResult.read(result)
    except OSError:
        if ran != tests:
            failures.append(f"{ran} of {tests} tests ran; see {log}")
        failures.append(f"the bench left no result: {reason_of(xml, log)}")
        return Outcome(job.description, job.configuration, job.vectors, failures=failures)
    if bench.unfit:
        raise DescriptionError(f"{job.description.file}: {'; '.join(bench.unfit)}")
    if ran != tests:
        failures.append(f"{ran} of {tests} tests ran; see {log}")
    if bench.compared != job.vectors:
        failures.append(f"{bench.compared:,} of {job.vectors:,} vectors were compared")
    if failed and not (bench.mismatches or bench.failures):
        failures.append(f"{failed} tests failed: {reason_of(xml, log)}")
    return Outcome(
        job.description, job.configuration, job.vectors, bench.mismatches, bench.classes, bench.comparisons,
        bench.seconds, bench.reports, [*bench.failures, *failures],
        seen=_read_seen(result.with_suffix(".npz")),
    )  # fmt: skip


def _read_seen(path: Path) -> tuple[NDArray[np.uint32], NDArray[np.bool_]] | None:
    if not path.is_file():
        return None
    with np.load(path) as arrays:
        return arrays["seen"], arrays["compared"]


def reason_of(xml: Path, log: Path) -> str:
    """What the first failed test says, and where the log is."""
    if xml.is_file():
        for failure in ElementTree.parse(xml).getroot().iter("failure"):
            return f"{failure.get('type', '')}: {failure.get('message', '')}; see {log}"
    return f"see {log}"
