// One lane of a block dot product: two element codes in, their exact product out.
//
//   product = product_o * 2^shift_o  grid units of 2^(quantum_exponent(A) + quantum_exponent(B))
//
// Decoded significands are multiplied as unsigned numbers and the short product is negated: cheaper
// than a signed multiplication for floats, and far cheaper than negating the shifted product.
//
// Width: |product_o| <= max_significand(A) * max_significand(B) < 2^product_bits, so one more bit
// holds the sign. shift_o holds the sum of any two offsets.
//
// Specials follow IEEE 754: NaN times anything and Inf times zero are NaN; Inf times any other
// number is Inf with the product's sign. Where is_nan_o is set the two Inf flags mean nothing.
// With any flag set product_o and shift_o mean nothing.
//
// Combinational.
module mx_lane #(
  parameter int AFormat = mx_pkg::E4M3,  // format ids of mx_pkg
  parameter int BFormat = mx_pkg::E4M3
) (
  input  logic [mx_pkg::element_bits(AFormat)-1:0]          a_code_i,
  input  logic [mx_pkg::element_bits(BFormat)-1:0]          b_code_i,
  output logic [mx_pkg::product_bits(AFormat, BFormat):0]   product_o,  // two's complement
  output logic [mx_pkg::shift_bits(AFormat, BFormat)-1:0]   shift_o,
  output logic                                              is_nan_o,
  output logic                                              is_positive_inf_o,
  output logic                                              is_negative_inf_o
);

  localparam int SignedBits = mx_pkg::product_bits(AFormat, BFormat) + 1;
  localparam int ShiftBits = mx_pkg::shift_bits(AFormat, BFormat);

  logic                                         a_negative, b_negative;
  logic [mx_pkg::significand_bits(AFormat)-1:0] a_significand;
  logic [mx_pkg::significand_bits(BFormat)-1:0] b_significand;
  logic [mx_pkg::offset_bits(AFormat)-1:0]      a_offset;
  logic [mx_pkg::offset_bits(BFormat)-1:0]      b_offset;
  logic [mx_pkg::offset_bits(AFormat)-1:0]      unused_a_exponent;
  logic [mx_pkg::offset_bits(BFormat)-1:0]      unused_b_exponent;
  logic                                         a_is_nan, a_is_inf, a_is_zero;
  logic                                         b_is_nan, b_is_inf, b_is_zero;

  mx_element_decode #(
    .Format(AFormat)
  ) u_decode_a (
    .code_i       (a_code_i),
    .negative_o   (a_negative),
    .significand_o(a_significand),
    .offset_o     (a_offset),
    .exponent_o   (unused_a_exponent),
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
    .offset_o     (b_offset),
    .exponent_o   (unused_b_exponent),
    .is_nan_o     (b_is_nan),
    .is_inf_o     (b_is_inf),
    .is_zero_o    (b_is_zero)
  );

  logic                  negative;
  logic [SignedBits-1:0] magnitude;

  always_comb begin
    negative          = a_negative ^ b_negative;
    magnitude         = SignedBits'(a_significand) * SignedBits'(b_significand);
    product_o         = negative ? -magnitude : magnitude;
    shift_o           = ShiftBits'(a_offset) + ShiftBits'(b_offset);
    is_nan_o          = a_is_nan || b_is_nan || (a_is_inf && b_is_zero) || (a_is_zero && b_is_inf);
    is_positive_inf_o = (a_is_inf || b_is_inf) && !negative;
    is_negative_inf_o = (a_is_inf || b_is_inf) && negative;
  end

endmodule
