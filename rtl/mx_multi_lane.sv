// One lane of mx_dot_multi: two element codes of formats chosen at run time in, their product out.
//
//   |product| = product_o * 2^(4 * shift_o)  grid units,
//   grid unit 2^(wide_quantum_exponent(A) + wide_quantum_exponent(B)) of mx_pkg
//
// All formats share the lane as signed bytes: an INT8 code is one; a float element is its significand
// shifted left by the two low bits of its offset, at most 15 * 2^3 = 120, and what is left of the
// offset is a multiple of 4. The shift is the sum of these multiples, at most 7 + 7.
//
// Specials as in mx_lane: NaN times anything and Inf times zero are NaN; Inf times any other number
// is Inf with the product's sign. With a flag set product_o and shift_o mean nothing. The significand
// of Inf is not zero, so the product tells Inf times zero.
//
// Combinational.
module mx_multi_lane (
  input  logic [7:0]  a_code_i,    // right-aligned
  input  logic [7:0]  b_code_i,
  input  logic [2:0]  a_format_i,  // element format ids of mx_pkg
  input  logic [2:0]  b_format_i,
  output logic        negative_o,
  output logic [14:0] product_o,
  output logic [3:0]  shift_o,
  output logic        is_nan_o,
  output logic        is_inf_o     // of the sign negative_o; means nothing where is_nan_o is set
);

  logic [8:0] a_wide, b_wide;

  mx_element_widen u_widen_a (
    .code_i  (a_code_i),
    .format_i(a_format_i),
    .code_o  (a_wide)
  );

  mx_element_widen u_widen_b (
    .code_i  (b_code_i),
    .format_i(b_format_i),
    .code_o  (b_wide)
  );

  logic       a_negative, b_negative;
  logic [3:0] a_significand, b_significand;
  logic [4:0] a_offset, b_offset;
  logic       a_is_nan, a_is_inf, a_is_zero;
  logic       b_is_nan, b_is_inf, b_is_zero;

  mx_element_decode #(
    .Format(mx_pkg::E5M3)
  ) u_decode_a (
    .code_i       (a_wide),
    .negative_o   (a_negative),
    .significand_o(a_significand),
    .offset_o     (a_offset),
    .is_nan_o     (a_is_nan),
    .is_inf_o     (a_is_inf),
    .is_zero_o    (a_is_zero)
  );

  mx_element_decode #(
    .Format(mx_pkg::E5M3)
  ) u_decode_b (
    .code_i       (b_wide),
    .negative_o   (b_negative),
    .significand_o(b_significand),
    .offset_o     (b_offset),
    .is_nan_o     (b_is_nan),
    .is_inf_o     (b_is_inf),
    .is_zero_o    (b_is_zero)
  );

  logic [7:0] a_byte, b_byte;
  logic       unused_zeros;

  assign a_byte = (a_format_i == 3'(mx_pkg::INT8)) ? a_code_i : 8'(a_significand) << a_offset[1:0];
  assign b_byte = (b_format_i == 3'(mx_pkg::INT8)) ? b_code_i : 8'(b_significand) << b_offset[1:0];

  mx_multiply_magnitude u_multiply (
    .a_i      (a_byte),
    .b_i      (b_byte),
    .product_o(product_o)
  );

  assign negative_o   = a_negative ^ b_negative;
  assign shift_o      = {1'b0, a_offset[4:2]} + {1'b0, b_offset[4:2]};
  assign is_inf_o     = a_is_inf || b_is_inf;
  assign is_nan_o     = a_is_nan || b_is_nan || (is_inf_o && product_o == '0);
  // INT8 elements are not among those that the flags of zero know.
  assign unused_zeros = a_is_zero || b_is_zero;

endmodule
