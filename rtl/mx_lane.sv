// One lane of a block dot product: two element codes in, their exact product out.
//
//   product = (-1)^negative_o * product_o * 2^(position_o - position_bias)
//             grid units of 2^(quantum_exponent(A) + quantum_exponent(B))
//
// Sign and magnitude stay apart: what is negated is decided where products are added. The position
// is the sum of the exponent fields (mx_pkg::position_bits), 0 for INT8 x INT8; no 1 is taken off
// the fields, which only moves the grid by a constant.
//
// Width: product_o <= max_significand(A) * max_significand(B) < 2^product_bits. position_o holds the
// sum of any two fields.
//
// Specials follow IEEE 754: NaN times anything and Inf times zero are NaN; Inf times any other
// number is Inf with the product's sign, negative_o. Where is_nan_o is set, is_inf_o means nothing.
// With either flag set product_o and position_o mean nothing.
//
// Combinational.
module mx_lane #(
  parameter int AFormat = mx_pkg::E4M3,  // format ids of mx_pkg
  parameter int BFormat = mx_pkg::E4M3
) (
  input  logic [mx_pkg::element_bits(AFormat)-1:0]           a_code_i,
  input  logic [mx_pkg::element_bits(BFormat)-1:0]           b_code_i,
  output logic                                               negative_o,
  output logic [mx_pkg::product_bits(AFormat, BFormat)-1:0]  product_o,
  output logic [mx_pkg::position_bits(AFormat, BFormat)-1:0] position_o,
  output logic                                               is_nan_o,
  output logic                                               is_inf_o
);

  localparam int ABits = mx_pkg::significand_bits(AFormat);
  localparam int BBits = mx_pkg::significand_bits(BFormat);
  localparam int ProductBits = mx_pkg::product_bits(AFormat, BFormat);
  localparam int PositionBits = mx_pkg::position_bits(AFormat, BFormat);

  logic                                    a_negative, b_negative;
  logic [ABits-1:0]                        a_significand;
  logic [BBits-1:0]                        b_significand;
  logic [mx_pkg::offset_bits(AFormat)-1:0] a_exponent, unused_a_offset;
  logic [mx_pkg::offset_bits(BFormat)-1:0] b_exponent, unused_b_offset;
  logic                                    a_is_nan, a_is_inf, a_is_zero;
  logic                                    b_is_nan, b_is_inf, b_is_zero;

  mx_element_decode #(
    .Format(AFormat)
  ) u_decode_a (
    .code_i       (a_code_i),
    .negative_o   (a_negative),
    .significand_o(a_significand),
    .offset_o     (unused_a_offset),
    .exponent_o   (a_exponent),
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
    .exponent_o   (b_exponent),
    .is_nan_o     (b_is_nan),
    .is_inf_o     (b_is_inf),
    .is_zero_o    (b_is_zero)
  );

  logic [ABits+BBits-1:0] product;

  mx_multiply #(
    .ABits(ABits),
    .BBits(BBits)
  ) u_multiply (
    .a_i      (a_significand),
    .b_i      (b_significand),
    .product_o(product)
  );

  logic unused_top;  // zero, where the product needs fewer bits than its factors together

  assign unused_top = product[ABits+BBits-1];
  assign negative_o = a_negative ^ b_negative;
  assign product_o  = ProductBits'(product);

  mx_ripple_add #(
    .Width(PositionBits)
  ) u_position (
    .a_i  (PositionBits'(a_exponent)),
    .b_i  (PositionBits'(b_exponent)),
    .sum_o(position_o)
  );

  assign is_nan_o   = a_is_nan || b_is_nan || (a_is_inf && b_is_zero) || (a_is_zero && b_is_inf);
  assign is_inf_o   = a_is_inf || b_is_inf;

endmodule
