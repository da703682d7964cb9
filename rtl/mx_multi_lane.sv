// One lane of mx_dot_multi: two element codes of formats chosen at run time in, their product out,
// ready to be placed.
//
//   |product| = fine_o * 2^(16 * k)  grid units,  select_o[k] set, k a single one;
//   grid unit 2^(multi_unit_exponent(A) + multi_unit_exponent(B)) of mx_pkg
//
// All formats share the lane as signed bytes. An INT8 code is one. A float element, widened to E5M3,
// is its significand shifted left by the two low bits of its exponent field, at most 15 * 2^3 = 120;
// what is left of the field is a multiple of 4. The product of the bytes is then shifted by the sum
// of these multiples, at most 7 + 7: its two low bits go into fine_o, its two high ones to select_o.
//
// Specials as in mx_lane: NaN times anything and Inf times zero are NaN; Inf times any other number
// is Inf with the product's sign. With a flag set fine_o and select_o mean nothing. The significand
// of Inf is not zero, so the product tells Inf times zero.
//
// Width: the product of the bytes is at most 128 * 128 = 2^14, 15 bits; with up to 12 more, 27.
//
// Combinational.
module mx_multi_lane (
  input  logic [7:0]  a_code_i,    // right-aligned
  input  logic [7:0]  b_code_i,
  input  logic [2:0]  a_format_i,  // element format ids of mx_pkg
  input  logic [2:0]  b_format_i,
  output logic        negative_o,
  output logic [26:0] fine_o,
  output logic [3:0]  select_o,
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
  logic [4:0] a_exponent, b_exponent, unused_a_offset, unused_b_offset;
  logic       a_is_nan, a_is_inf, unused_a_is_zero;
  logic       b_is_nan, b_is_inf, unused_b_is_zero;

  // Zero is told by the product instead, which knows INT8 too.
  mx_element_decode #(
    .Format(mx_pkg::E5M3)
  ) u_decode_a (
    .code_i       (a_wide),
    .negative_o   (a_negative),
    .significand_o(a_significand),
    .offset_o     (unused_a_offset),
    .exponent_o   (a_exponent),
    .is_nan_o     (a_is_nan),
    .is_inf_o     (a_is_inf),
    .is_zero_o    (unused_a_is_zero)
  );

  mx_element_decode #(
    .Format(mx_pkg::E5M3)
  ) u_decode_b (
    .code_i       (b_wide),
    .negative_o   (b_negative),
    .significand_o(b_significand),
    .offset_o     (unused_b_offset),
    .exponent_o   (b_exponent),
    .is_nan_o     (b_is_nan),
    .is_inf_o     (b_is_inf),
    .is_zero_o    (unused_b_is_zero)
  );

  logic [7:0]  a_byte, b_byte;
  logic [14:0] product;
  logic [3:0]  shift;  // in units of 4; an INT8 is a widened zero, of field 1, and shifts by none

  // Multiplexers rather than shifts by a variable: some synthesis tools try at length to share those.
  function automatic logic [7:0] float_byte(input logic [3:0] significand, input logic [1:0] low);
    case (low)
      2'd0:    float_byte = {4'd0, significand};
      2'd1:    float_byte = {3'd0, significand, 1'd0};
      2'd2:    float_byte = {2'd0, significand, 2'd0};
      default: float_byte = {1'd0, significand, 3'd0};
    endcase
  endfunction

  assign a_byte = (a_format_i == 3'(mx_pkg::INT8)) ? a_code_i
      : float_byte(a_significand, a_exponent[1:0]);
  assign b_byte = (b_format_i == 3'(mx_pkg::INT8)) ? b_code_i
      : float_byte(b_significand, b_exponent[1:0]);

  mx_multiply_magnitude u_multiply (
    .a_i      (a_byte),
    .b_i      (b_byte),
    .product_o(product)
  );

  assign shift = {1'b0, a_exponent[4:2]} + {1'b0, b_exponent[4:2]};

  always_comb begin
    case (shift[1:0])
      2'd0:    fine_o = {12'd0, product};
      2'd1:    fine_o = {8'd0, product, 4'd0};
      2'd2:    fine_o = {4'd0, product, 8'd0};
      default: fine_o = {product, 12'd0};
    endcase
  end

  for (genvar k = 0; k < 4; k++) begin : gen_select
    assign select_o[k] = shift[3:2] == 2'(k);
  end

  assign negative_o = a_negative ^ b_negative;
  assign is_inf_o   = a_is_inf || b_is_inf;
  assign is_nan_o   = a_is_nan || b_is_nan || (is_inf_o && product == '0);

endmodule
