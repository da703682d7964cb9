"""Numbers of the formats for the specifications, as SystemVerilog: from data and oracle of `refmodel`, not the RTL."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from flows import rtl
from refmodel import formats
from refmodel.formats import FloatFormat, NumberFormat
from refmodel.oracle.codes import decode
from refmodel.oracle.exact import power_of_two
from refmodel.writing import write_text

GENERATED = rtl.ROOT / "build" / "formal" / "generated"

ELEMENTS: dict[str, NumberFormat] = {
    "E5M2": formats.E5M2, "E4M3": formats.E4M3, "E3M2": formats.E3M2, "E2M3": formats.E2M3, "E2M1": formats.E2M1,
    "INT8": formats.INT8, "E5M3": FloatFormat("e5m3", exponent_bits=5, mantissa_bits=3, bias=15, specials="ieee"),
    "Ue4m3": formats.UE4M3,
}  # fmt: skip
"""Formats of up to 9 bits by the name that mx_pkg has for their id, that of its run-time units included."""

NUMBERS: dict[str, NumberFormat] = ELEMENTS | {
    "Fp32": formats.FLOAT32, "Bf16": formats.BFLOAT16, "Fp16": formats.FLOAT16,
    "E8M13": FloatFormat("e8m13", exponent_bits=8, mantissa_bits=13, bias=127, specials="ieee"),
}  # fmt: skip

_QUANTITIES: dict[str, Callable[[NumberFormat], int]] = {
    "bits": lambda each: each.bits,
    "field_bits": lambda each: each.exponent_bits if isinstance(each, FloatFormat) else 0,
    "mantissa_bits": lambda each: each.mantissa_bits if isinstance(each, FloatFormat) else each.bits - 1,
    "quantum_exponent": lambda each: each.quantum_exponent,
    "quiet_nan": lambda each: (each.quiet_nan_code or 0) if isinstance(each, FloatFormat) else 0,
    "max_exponent": lambda each: each.emax,
    "largest_code": lambda each: each.max_code,
}


@cache
def generate() -> dict[str, Path]:
    """Write the generated files and return them by module, the package that the others use first."""
    GENERATED.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, text in {"formal_formats": _package(), "formal_element": _elements()}.items():
        paths[name] = GENERATED / f"{name}.sv"
        if not paths[name].is_file() or paths[name].read_text() != text:
            write_text(paths[name], text)
    return paths


def _package() -> str:
    """A function of the format id for each quantity."""
    lines = ["package formal_formats;"]
    for name, quantity in _QUANTITIES.items():
        lines += [
            f"  function automatic int {name}(input int id);",
            "    case (id)",
            *(f"      {rtl.constants()[each]}: {name} = {quantity(fmt)};  // {each}" for each, fmt in NUMBERS.items()),
            f"      default: {name} = 0;",
            "    endcase",
            "  endfunction",
        ]
    return "\n".join([*lines, "endpackage"]) + "\n"


def _elements() -> str:
    """A module with a table: what each element code stands for, as an odd number (or 0) times a power of two.

    The power is that of the smallest element times 2**power_o.
    """
    outputs = "{is_nan_o, is_inf_o, negative_o, odd_o, power_o}"
    lines = [
        "module formal_element #(parameter int Format = 1) (",
        "  input  logic [8:0] code_i,",
        "  output logic       is_nan_o, is_inf_o, negative_o,",
        "  output logic [7:0] odd_o,",
        "  output logic [5:0] power_o",
        ");",
    ]
    for name, fmt in ELEMENTS.items():
        lines.append(f"  if (Format == {rtl.constants()[name]}) begin : gen_{name}")
        lines += ["    always_comb", "      case (code_i)"]
        for code in range(1 << fmt.bits):
            number = decode(fmt, code)
            quanta = int(number.magnitude / power_of_two(fmt.quantum_exponent))
            power = (quanta & -quanta).bit_length() - 1 if quanta else 0
            flags = f"1'b{number.kind == 'nan':d}, 1'b{number.kind == 'infinite':d}, 1'b{number.negative:d}"
            lines.append(f"        {code}: {outputs} = {{{flags}, 8'd{quanta >> power}, 6'd{power}}};")
        lines += [f"        default: {outputs} = '0;", "      endcase", "  end"]
    return "\n".join([*lines, "endmodule"]) + "\n"
