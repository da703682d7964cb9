// One lane of an align-and-truncate dot product: two element codes in, their exact product and its
// exponent out.
//
//   product  = (-1)^negative_o * magnitude_o * 2^offset_o      in units of the pair's grid unit / 2^Bias
//   exponent = exponent_o - Bias + the sum of the two formats' exponents at offset 0
//
// Bias is the number of float operands: a float's exponent field counts from 1. The exponent of a
// product is the sum of the operands' exponents and not normalised: that of a float never falls
// below the exponent of the smallest normal number, so for floats exponent_o and offset_o are the
// same; the exponent of an INT8 element is that of its leading one, while its offset is 0.
//
// A zero product has magnitude_o 0 and exponent_o 0, which loses or ties every comparison for the
// largest; its offset_o means nothing.
//
// Specials follow IEEE 754: NaN times anything and Inf times zero are NaN; Inf times any other
// number is Inf with the product's sign. With any flag set the other outputs mean nothing.
//
// Width: the magnitude is below 2^product_bits, offset and exponent are at most position_limit.
//
// Combinational.
module mx_aligned_lane #(
  parameter int AFormat = mx_pkg::E4M3,  // format ids of mx_pkg
  parameter int BFormat = mx_pkg::E4M3
) (
  input  logic [mx_pkg::element_bits(AFormat)-1:0]             a_code_i,
  input  logic [mx_pkg::element_bits(BFormat)-1:0]             b_code_i,
  output logic                                                 negative_o,
  output logic [mx_pkg::product_bits(AFormat, BFormat)-1:0]    magnitude_o,
  output logic [mx_aligned_pkg::position_bits(AFormat, BFormat)-1:0] offset_o,
  output logic [mx_aligned_pkg::position_bits(AFormat, BFormat)-1:0] exponent_o,
  output logic                                                 is_zero_o,
  output logic                                                 is_nan_o,
  output logic                                                 is_positive_inf_o,
  output logic                                                 is_negative_inf_o
);

  localparam int ProductBits = mx_pkg::product_bits(AFormat, BFormat);
  localparam int PositionBits = mx_aligned_pkg::position_bits(AFormat, BFormat);

  logic                                         a_negative, b_negative;
  logic [mx_pkg::significand_bits(AFormat)-1:0] a_significand;
  logic [mx_pkg::significand_bits(BFormat)-1:0] b_significand;
  logic [mx_pkg::offset_bits(AFormat)-1:0]      a_field;
  logic [mx_pkg::offset_bits(BFormat)-1:0]      b_field;
  logic                                         a_is_nan, a_is_inf, a_is_zero;
  logic                                         b_is_nan, b_is_inf, b_is_zero;
  logic [mx_pkg::offset_bits(AFormat)-1:0]      unused_a_offset;
  logic [mx_pkg::offset_bits(BFormat)-1:0]      unused_b_offset;

  mx_element_decode #(
    .Format(AFormat)
  ) u_decode_a (
    .code_i       (a_code_i),
    .negative_o   (a_negative),
    .significand_o(a_significand),
    .offset_o     (unused_a_offset),
    .exponent_o   (a_field),
    .is_nan_o     (a_is_nan),
    .is_inf_o     (a_is_inf),
    .is_zero_o    (a_is_zero)
  );

  mx_element_decode #(
    .Format(BFormat)
  ) u_decode_b (
    .code_i       (b_code_i),
    .negative_o   (b_negative),
    .significand_o(b_significand),
    .offset_o     (unused_b_offset),
    .exponent_o   (b_field),
    .is_nan_o     (b_is_nan),
    .is_inf_o     (b_is_inf),
    .is_zero_o    (b_is_zero)
  );

  // Place of the leading one of an INT8 magnitude.
  logic [2:0] a_leading, b_leading;

  always_comb begin
    a_leading = 3'd0;
    b_leading = 3'd0;
    for (int i = 1; i < mx_pkg::significand_bits(AFormat); i++) begin
      if (a_significand[i]) a_leading = 3'(i);
    end
    for (int i = 1; i < mx_pkg::significand_bits(BFormat); i++) begin
      if (b_significand[i]) b_leading = 3'(i);
    end
  end

  logic [PositionBits-1:0] exponent;

  always_comb begin
    negative_o  = a_negative ^ b_negative;
    magnitude_o = ProductBits'(a_significand) * ProductBits'(b_significand);
    offset_o    = PositionBits'(a_field) + PositionBits'(b_field);
    exponent    = ((mx_pkg::is_integer(AFormat) != 0) ? PositionBits'(a_leading)
                                                      : PositionBits'(a_field))
                + ((mx_pkg::is_integer(BFormat) != 0) ? PositionBits'(b_leading)
                                                      : PositionBits'(b_field));
    is_zero_o   = a_is_zero || b_is_zero;
    exponent_o  = is_zero_o ? '0 : exponent;
    is_nan_o          = a_is_nan || b_is_nan || (a_is_inf && b_is_zero) || (a_is_zero && b_is_inf);
    is_positive_inf_o = (a_is_inf || b_is_inf) && !negative_o;
    is_negative_inf_o = (a_is_inf || b_is_inf) && negative_o;
  end

endmodule
