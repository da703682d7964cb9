"""A unit between registers, with few pins: what is placed and routed."""

from __future__ import annotations

from flows import rtl
from flows.parameter_sets import ParameterSet

WRAPPER = "mx_between_registers"

_CLOCKS = ("clk_i", "aclk")


def wrapper(unit: ParameterSet) -> str:
    """Return SystemVerilog of a module that shifts the inputs of *unit* in and XORs its outputs out.

    Every input comes from a register and every output goes into one, so that the longest path from register to
    register is that of the unit, whether it has registers of its own or none.
    """
    module = rtl.read_module(rtl.source(unit.unit))
    inputs = [port for port in module.ports if port.direction == "input" and port.name not in _CLOCKS]
    outputs = [port for port in module.ports if port.direction == "output"]
    clock = next(port.name for port in module.ports if port.name in _CLOCKS)
    values = {each.name: each.default for each in module.parameters} | {
        name: str(value) for name, value in unit.values.items()
    }
    width = max(len(port.width) for port in module.ports)
    lines = [
        f"module {WRAPPER} (",
        "  input  logic clk,",
        f"  input  logic [{len(inputs) - 1}:0] in_i,",
        f"  output logic [{len(outputs) - 1}:0] out_o",
        ");",
        *(f"  localparam int {name} = {value};" for name, value in values.items()),
        *(f"  logic {port.width:<{width}} {port.name};" for port in (*inputs, *outputs)),
        *(f"  logic {port.width:<{width}} {port.name}_q;" for port in outputs),
        f"  {unit.unit} #(",
        ",\n".join(f"    .{name}({name})" for name in values),
        "  ) u_unit (",
        ",\n".join([f"    .{clock}(clk)", *(f"    .{port.name}({port.name})" for port in (*inputs, *outputs))]),
        "  );",
        "  always_ff @(posedge clk) begin",
        *(f"    {port.name} <= {{{port.name}, in_i[{index}]}};" for index, port in enumerate(inputs)),
        *(f"    {port.name}_q <= {port.name};" for port in outputs),
        *(f"    out_o[{index}] <= ^{port.name}_q;" for index, port in enumerate(outputs)),
        "  end",
        "endmodule",
    ]
    return "\n".join(lines) + "\n"
