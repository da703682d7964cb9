"""The driver of a design: driver.cpp, compiled with what Verilator makes of it and with its ports."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cocotb_tests import simulators
from cocotb_tests.port_values import misfits, named_ports
from refmodel.conformance import Configuration, Description
from refmodel.errors import DescriptionError

DRIVER = Path(__file__).with_name("driver.cpp")

_OPTIONS = ("--exe", "-O3", "--x-assign", "fast", "--x-initial", "unique", "--no-timing", "-o", "driver")
_MAKE_OPTIONS = ("OPT_FAST=-O2", "OPT_SLOW=-O0")
_RUNTIME_OBJECTS = ("verilated.o", "verilated_threads.o")
_PORT = re.compile(r"VL_(?:IN|OUT)(?:8|16|64|W)?\(&(\w+),(\d+),(\d+)")


@dataclass(frozen=True, slots=True)
class Program:
    """A driver that is built.

    Attributes:
        path: The program.
        widths: The widths of the design's ports.
        inputs, outputs: The ports whose words make up rows of beats and of results, in order.
    """

    path: Path
    widths: Mapping[str, int]
    inputs: Sequence[str]
    outputs: Sequence[str]


def build(
    version: str, description: Description, configuration: Configuration, directory: Path, select: str | None = None,
    further: Sequence[str] = (),
) -> Program:  # fmt: skip
    """Return the driver of a design for a configuration, built in *directory* if need be.

    Args:
        version: What `simulators.prepare` returned for Verilator.
        description, configuration: The design.
        directory: Belongs to this build.
        select: An input port that chooses among variants of the design; None for a design without.
        further: Options of Verilator beside those that every build has.

    Raises:
        ToolError: If a tool refuses the sources.
        DescriptionError: If the ports of the design are not those of the description.
    """
    inputs, outputs = (
        list(dict.fromkeys(port.port for role, port in description.ports.items() if role in roles))
        for roles in (description.operation.inputs, description.operation.outputs)
    )
    if not description.handshake.is_stream or not all(port.port for port in description.ports.values()):
        raise DescriptionError(
            f"{description.file}: the C++ driver plays designs with valid and ready and one port a role; "
            "make sim plays all"
        )
    job = simulators.Job(description.design, [*inputs, *outputs], description.parameter_values(configuration))

    def make(folder: Path) -> None:
        simulators.verilate(job, folder, [*_OPTIONS, *further, "-CFLAGS", f"-I{folder.resolve()}", DRIVER])
        widths = read_widths(folder / "Vtop.h")
        if unfit := misfits(widths, description, configuration):
            raise DescriptionError(f"{description.file}: {'; '.join(unfit)}")
        (folder / "ports.h").write_text(ports_header(description, widths, inputs, outputs, select))
        simulators.compile_verilated(job, folder, version, _RUNTIME_OBJECTS, _MAKE_OPTIONS)

    decides = [
        version, inputs, outputs, select, named_ports(description, configuration), description.reset, description.ties,
        description.port_widths(configuration), _OPTIONS, *further, _MAKE_OPTIONS,
    ]  # fmt: skip
    simulators.build_once(directory, simulators.build_key(decides, job, DRIVER, Path(__file__)), make)
    return Program(directory / "driver", read_widths(directory / "Vtop.h"), inputs, outputs)


def read_widths(header: Path) -> dict[str, int]:
    """Return the widths of the ports in the header that Verilator makes of a design."""
    # In names Verilator writes "___05F" for "__".
    return {
        name.replace("___05F", "__"): int(high) - int(low) + 1 for name, high, low in _PORT.findall(header.read_text())
    }


def ports_header(
    description: Description, widths: Mapping[str, int], inputs: Sequence[str], outputs: Sequence[str],
    select: str | None,
) -> str:  # fmt: skip
    """Return ports.h: how the driver sets and reads the ports of a design."""
    handshake, reset = description.handshake, description.reset
    assert reset is not None, "streams have a reset"
    level = "active" if reset.active == "high" else "!active"
    ties = [line for port, value in description.ties.items() for line in _assign(port, widths[port], value)]
    lines = [
        f"constexpr std::size_t kInputWords = {sum(_words(widths[port]) for port in inputs)};",
        f"constexpr std::size_t kOutputWords = {sum(_words(widths[port]) for port in outputs)};",
        *_function("set_inputs(Vtop& dut, const std::uint32_t* words)", _copies(inputs, widths, _set)),
        *_function("get_outputs(const Vtop& dut, std::uint32_t* words)", _copies(outputs, widths, _get)),
        *_function("set_ties([[maybe_unused]] Vtop& dut)", ties),
        *_function("set_clock(Vtop& dut, bool value)", [f"dut.{_name(description.clock)} = value;"]),
        *_function("set_reset(Vtop& dut, bool active)", [f"dut.{_name(reset.port)} = {level};"]),
        *_function("set_valid(Vtop& dut, bool value)", [f"dut.{_name(handshake.in_valid)} = value;"]),
        *_function("set_ready(Vtop& dut, bool value)", [f"dut.{_name(handshake.out_ready)} = value;"]),
        *_function("get_ready(const Vtop& dut)", [f"return dut.{_name(handshake.in_ready)};"], "bool"),
        *_function("get_valid(const Vtop& dut)", [f"return dut.{_name(handshake.out_valid)};"], "bool"),
        *_function(
            "select_variant([[maybe_unused]] Vtop& dut, [[maybe_unused]] unsigned variant)",
            [f"dut.{_name(select)} = variant;"] if select else [],
        ),
        f'constexpr char kInReady[] = "{handshake.in_ready}";',
        f'constexpr char kOutValid[] = "{handshake.out_valid}";',
        f'constexpr char kOutReady[] = "{handshake.out_ready}";',
    ]
    return "\n".join(["#pragma once", "#include <cstdint>", "#include <cstring>", '#include "Vtop.h"', *lines, ""])


def _function(signature: str, body: Sequence[str], result: str = "void") -> list[str]:
    return [f"inline {result} {signature} {{", *(f"  {line}" for line in body), "}"]


def _copies(ports: Sequence[str], widths: Mapping[str, int], copy: Callable[[str, int, int], str]) -> list[str]:
    lines, at = [], 0
    for port in ports:
        lines.append(copy(f"dut.{_name(port)}", widths[port], at))
        at += _words(widths[port])
    return lines


def _set(port: str, width: int, at: int) -> str:
    if width > 64:
        return f"std::memcpy(&{port}[0], words + {at}, {4 * _words(width)});"
    return f"{port} = words[{at}]" + (f" | std::uint64_t{{words[{at + 1}]}} << 32;" if width > 32 else ";")


def _get(port: str, width: int, at: int) -> str:
    if width > 64:
        return f"std::memcpy(words + {at}, &{port}[0], {4 * _words(width)});"
    low = f"words[{at}] = static_cast<std::uint32_t>({port});"
    return low + (f" words[{at + 1}] = static_cast<std::uint32_t>({port} >> 32);" if width > 32 else "")


def _assign(port: str, width: int, value: int) -> list[str]:
    if width > 64:
        return [f"dut.{_name(port)}[{i}] = {value >> 32 * i & 0xFFFFFFFF}u;" for i in range(_words(width))]
    return [f"dut.{_name(port)} = {value}ull;"]


def _words(width: int) -> int:
    return -(-width // 32)


def _name(port: str) -> str:
    return port.replace("__", "___05F")
