// Places the product of one lane on the grid of its group.
//
//   products' own grid (is_fixed)    term_o = magnitude_i * 2^(offset_i - Bias)
//   otherwise                        term_o = magnitude_i * 2^(F - fraction bits - (largest_i -
//                                             offset_i)), cut toward zero to a whole number
//
// The first is the exact product in units of the last bit that any product has; the second is the
// product in units of 2^(E - F) with E the exponent at position largest_i, the largest of the group.
//
// Width: aligned_term_bits of mx_pkg. The offset of a zero product may be above largest_i; what it
// is shifted by then does not matter.
//
// Combinational.
module mx_aligned_place #(
  parameter int AFormat = mx_pkg::E4M3,  // format ids of mx_pkg
  parameter int BFormat = mx_pkg::E4M3,
  parameter int AlignBits = 25           // F
) (
  input  logic [mx_pkg::product_bits(AFormat, BFormat)-1:0]                 magnitude_i,
  input  logic [mx_pkg::aligned_position_bits(AFormat, BFormat)-1:0]        offset_i,
  input  logic [mx_pkg::aligned_position_bits(AFormat, BFormat)-1:0]        largest_i,
  output logic [mx_pkg::aligned_term_bits(AFormat, BFormat, AlignBits)-1:0] term_o
);

  localparam int ProductBits = mx_pkg::product_bits(AFormat, BFormat);
  localparam int PositionBits = mx_pkg::aligned_position_bits(AFormat, BFormat);
  localparam int TermBits = mx_pkg::aligned_term_bits(AFormat, BFormat, AlignBits);
  localparam int FractionBits = mx_pkg::aligned_fraction_bits(AFormat, BFormat);

  if (mx_pkg::aligned_is_fixed(AFormat, BFormat, AlignBits) != 0) begin : gen_fixed

    localparam int Bias = mx_pkg::aligned_bias(AFormat, BFormat);

    logic unused_largest;
    assign unused_largest = ^largest_i;

    logic [TermBits+Bias-1:0] shifted;
    assign shifted = (TermBits+Bias)'(magnitude_i) << offset_i;
    assign term_o  = TermBits'(shifted >> Bias);

  end else begin : gen_relative

    // A product of leading position is below 2^TermBits; one of INT8 has a magnitude that reaches
    // above, and an offset that brings it down again.
    localparam int WideBits = AlignBits + ProductBits;

    logic [PositionBits-1:0] distance;
    logic [WideBits-1:0]     wide;

    assign distance = largest_i - offset_i;
    assign wide     = (WideBits'(magnitude_i) << AlignBits) >> FractionBits;
    assign term_o   = TermBits'(wide >> distance);

  end

endmodule
