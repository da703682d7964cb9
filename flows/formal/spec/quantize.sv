// mx_quantize_align and mx_quantize_round: the code is that of the element nearest to the number over
// the scale, ties to even; beyond the range by the overflow mode. The scale is one under which the
// number is below 2^(emax + 2), as it is under every scale that the block's largest number leads to.
module quantize #(
  parameter int Format = 1,
  parameter int Overflow = 0
) (
  input  logic [31:0]                             value_i,
  input  logic [7:0]                              scale_i,
  output logic [mx_pkg::element_bits(Format)-1:0] code_o,
  output logic                                    assumed,
  output logic                                    holds
);

  localparam int Bits = mx_pkg::element_bits(Format);
  localparam int IsInteger = (Format == mx_pkg::INT8) ? 1 : 0;
  localparam int MaxExponent = formal_formats::max_exponent(Format);

  logic [mx_pkg::quantize_aligned_bits(Format)-1:0] aligned;

  mx_quantize_align #(.Format(Format)) u_align (.value_i, .scale_i, .aligned_o(aligned));

  mx_quantize_round #(.Format(Format), .Overflow(Overflow)) u_round (
    .aligned_i(aligned), .is_nan_i(1'b0), .code_o
  );

  // value = significand * 2^exponent, over the scale.
  logic signed [11:0] field, exponent;
  logic [23:0]        significand;

  assign field       = 12'($signed({1'b0, (value_i[30:23] == '0) ? 8'd1 : value_i[30:23]}));
  assign exponent    = field - 12'd150 - (12'($signed({1'b0, scale_i})) - 12'd127);
  assign significand = {value_i[30:23] != '0, value_i[22:0]};
  assign assumed     = value_i[30:23] != 8'hFF && scale_i != 8'hFF
      && 12'($signed({1'b0, value_i[30:23]})) - 12'(MaxExponent) <= 12'($signed({1'b0, scale_i})) + IsInteger;

  logic            negative, is_right, is_beyond;
  logic [Bits-2:0] code;

  // INT8 is two's complement, without a negative zero and without its lowest code.
  assign negative = code_o[Bits-1];
  assign code     = (IsInteger != 0 && negative) ? -code_o[Bits-2:0] : code_o[Bits-2:0];

  spec_nearest #(.Width(25), .ExponentBits(12), .Result(Format)) u_spec (
    .halves_i({significand, 1'b0}), .exponent_i(exponent), .code_i(code), .is_right_o(is_right), .is_beyond_o(is_beyond)
  );

  localparam int Beyond = (Overflow == 0) ? formal_formats::largest_code(Format)
      : (Format == mx_pkg::E5M2) ? 32'h7C : 32'h7F;

  assign holds = (is_beyond ? code == (Bits-1)'(Beyond) : is_right)
      && negative == (value_i[31] && !(IsInteger != 0 && code_o == '0))
      && !(IsInteger != 0 && code_o == 8'h80);

endmodule
