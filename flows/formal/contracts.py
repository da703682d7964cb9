"""Contracts: what is proved of a unit, in a form that can take the unit's place in other proofs.

A contract is a module `contract_NAME` of flows/formal/contract: the ports of its unit, all of them inputs, parameters
that the unit has too, and outputs `holds`, and if there are conditions `assumed`. Two modules are written around it:

- The bench, in which the contract is proved of the unit.
- The stand-in, a module with the name and the ports of the unit. Its outputs are free, and what the contract says of
  inputs and outputs is assumed: a proof with the stand-in uses nothing of the unit but the contract.

Of a stand-in without a contract, ``free``, nothing is known. Either way two stand-ins for a unit without registers have
the same outputs if they have the same parameters and inputs: `prove` tells the solver. Modules of flows/formal/spec can
be replaced in the same way, for a proof that does not need to know what they do.
"""

from __future__ import annotations

import re
from pathlib import Path

from flows import rtl
from flows.formal.formats import GENERATED
from refmodel.errors import DefinitionError
from refmodel.writing import write_text

DIRECTORY = Path(__file__).resolve().parent / "contract"
SPECIFICATIONS = Path(__file__).resolve().parent / "spec"
FREE = "free"
"""In the place of a contract: none."""

_OWN = {"holds": "", "assumed": "", "case_o": ""}
"""Outputs of a contract."""


def paths() -> list[Path]:
    """Return the files of all contracts."""
    return sorted(DIRECTORY.glob("*.sv"))


def path(name: str) -> Path:
    """Return the file of a contract, which need not be there."""
    return DIRECTORY / f"contract_{name}.sv"


def bench_name(name: str) -> str:
    """Return the name of the module in which a contract is proved."""
    return f"bench_{name}"


def source(unit: str) -> Path:
    """Return the file of a module that can have a contract: one of rtl/ or of flows/formal/spec.

    Raises:
        UnknownNameError: If there is none.
    """
    specification = SPECIFICATIONS / f"{unit}.sv"
    return specification if specification.is_file() else rtl.source(unit)


def bench(unit: str, name: str) -> Path:
    """Write the bench of a contract and return its file.

    Raises:
        DefinitionError: If the contract does not fit the unit.
    """
    module, contract = rtl.read_module(source(unit)), _read(unit, name)
    own = [port for port in contract.ports if port.name in _OWN]
    ports = [*(f"  {port.direction} logic {port.width} {port.name}" for port in (*module.ports, *own))]
    lines = [
        f"module {bench_name(name)} {_header(module)} (",
        ",\n".join(ports),
        ");",
        f"  {unit} #({_passed(module)}) u_unit (.*);",
        f"  {_instance(name, contract)} (.*);",
        "endmodule",
    ]
    return _write(GENERATED / f"{bench_name(name)}.sv", lines)


def stand_in(unit: str, name: str) -> Path:
    """Write the stand-in of a unit and return its file; *name* is that of a contract or ``free``.

    Raises:
        DefinitionError: If the contract does not fit the unit.
    """
    module = rtl.read_module(source(unit))
    outputs = [port for port in module.ports if port.direction == "output"]
    lines = [
        f"module {unit} {_header(module)} (",
        ",\n".join(f"  {port.direction} logic {port.width} {port.name}" for port in module.ports),
        ");",
    ]
    for port in outputs:
        lines += [f"  (* anyseq *) logic {port.width} free_{port.name};", f"  assign {port.name} = free_{port.name};"]
    if not has_registers(unit):
        parameters = [f"32'({each.name})" for each in module.parameters]
        arguments = ", ".join([*parameters, *(port.name for port in module.ports if port.direction == "input")])
        results = ", ".join(port.name for port in outputs)
        lines += [
            f"  (* keep *) logic [$bits({{{arguments}}})-1:0] arguments_of_{unit};",
            f"  (* keep *) logic [$bits({{{results}}})-1:0] results_of_{unit};",
            f"  assign arguments_of_{unit} = {{{arguments}}};",
            f"  assign results_of_{unit} = {{{results}}};",
        ]
    if name != FREE:
        contract = _read(unit, name)
        own = {port.name: port.width for port in contract.ports if port.name in _OWN}
        lines += [f"  logic {width} {each};" for each, width in own.items()]
        lines.append(f"  {_instance(name, contract)} (.*);")
        lines.append(f"  always_comb assume ({'!assumed || ' if 'assumed' in own else ''}holds);")
    return _write(GENERATED / f"stand_in_{name}" / f"{unit}.sv", [*lines, "endmodule"])


def has_registers(unit: str) -> bool:
    """Return whether a unit, or a module in it, holds something from one cycle to the next under some parameters."""
    return source(unit).parent == rtl.RTL and any("always_ff" in each.read_text() for each in rtl.sources_of(unit))


def _read(unit: str, name: str) -> rtl.Module:
    module, contract = rtl.read_module(source(unit)), rtl.read_module(path(name))
    ports = {port.name for port in module.ports}
    if unknown := {each.name for each in contract.parameters} - {each.name for each in module.parameters}:
        raise DefinitionError(f"contract {name}: {unit} has no parameter {min(unknown)}")
    if {port.name for port in contract.ports} - _OWN.keys() - ports:
        raise DefinitionError(f"contract {name}: {unit} has other ports")
    if any(port.direction == "output" for port in contract.ports if port.name in ports):
        raise DefinitionError(f"contract {name}: an output that {unit} has")
    return contract


def _header(module: rtl.Module) -> str:
    parameters = [f"parameter {_kind(each)} {each.name} = {each.default}" for each in module.parameters]
    return f"#({', '.join(parameters)})" if parameters else ""


def _kind(parameter: rtl.Parameter) -> str:
    width = re.match(r"(\d+)'", parameter.default)
    return f"logic [{int(width[1]) - 1}:0]" if width else "int"


def _passed(module: rtl.Module) -> str:
    return ", ".join(f".{each.name}({each.name})" for each in module.parameters)


def _instance(name: str, contract: rtl.Module) -> str:
    return f"{path(name).stem} #({_passed(contract)}) u_contract"


def _write(target: Path, lines: list[str]) -> Path:
    text = "\n".join(lines) + "\n"
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.is_file() or target.read_text() != text:
        write_text(target, text)
    return target
