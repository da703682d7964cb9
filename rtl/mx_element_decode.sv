// Decodes one element code into integers (MX-5.3-a, MX-5.3-b, MX-5.3.4-h).
//
//   value = (-1)^negative_o * significand_o * 2^offset_o * 2^mx_pkg::quantum_exponent(Format)
//
// A subnormal has offset 0 like the lowest normals and no hidden bit, so it needs no other
// treatment. INT8 is delivered as sign and magnitude like the floats; 0x80 gives 128 = -2.0,
// which fits 8 bits. exponent_o is offset_o + 1 for a float, the exponent field of a number with
// subnormals counted as 1, and 0 for INT8. is_nan_o, is_inf_o and is_zero_o exclude each other. For NaN and Inf,
// significand_o and offset_o follow the formula for numbers and mean nothing: whoever consumes
// them lets the flags win.
//
// Combinational.
module mx_element_decode #(
  parameter int Format = mx_pkg::E4M3  // format id of mx_pkg, E5M3 included
) (
  input  logic [mx_pkg::element_bits(Format)-1:0]     code_i,
  output logic                                        negative_o,
  output logic [mx_pkg::significand_bits(Format)-1:0] significand_o,
  output logic [mx_pkg::offset_bits(Format)-1:0]      offset_o,
  output logic [mx_pkg::offset_bits(Format)-1:0]      exponent_o,
  output logic                                        is_nan_o,
  output logic                                        is_inf_o,
  output logic                                        is_zero_o
);

  localparam int Bits = mx_pkg::element_bits(Format);
  localparam int MantissaBits = mx_pkg::mantissa_bits(Format);
  localparam int OffsetBits = mx_pkg::offset_bits(Format);

  assign negative_o = code_i[Bits-1];

  if (mx_pkg::is_integer(Format) != 0) begin : gen_integer

    assign significand_o = code_i[Bits-1] ? -code_i : code_i;
    assign offset_o      = 1'b0;
    assign exponent_o    = 1'b0;
    assign is_nan_o      = 1'b0;
    assign is_inf_o      = 1'b0;
    assign is_zero_o     = code_i == '0;

  end else begin : gen_float

    logic [OffsetBits-1:0]   exponent;
    logic [MantissaBits-1:0] mantissa;
    logic                    is_normal;

    assign exponent = code_i[Bits-2:MantissaBits];
    assign mantissa = code_i[MantissaBits-1:0];

    assign is_normal     = exponent != '0;
    assign significand_o = {is_normal, mantissa};
    assign offset_o      = is_normal ? exponent - 1'b1 : '0;
    assign exponent_o    = {exponent[OffsetBits-1:1], exponent[0] || !is_normal};
    assign is_zero_o     = !is_normal && mantissa == '0;
    assign is_inf_o      = mx_pkg::has_inf(Format) != 0 && exponent == '1 && mantissa == '0;
    assign is_nan_o      = (mx_pkg::has_inf(Format) != 0 && exponent == '1 && mantissa != '0)
        || (Format == mx_pkg::E4M3 && exponent == '1 && mantissa == '1);

  end

endmodule
