// mx_lane: product and position are the exact product of the elements, in grid units; a finite product
// has a position that mx_place knows.
module contract_product #(
  parameter int AFormat = 1,
  parameter int BFormat = 1
) (
  input  logic [mx_pkg::element_bits(AFormat)-1:0]           a_code_i,
  input  logic [mx_pkg::element_bits(BFormat)-1:0]           b_code_i,
  input  logic                                               negative_o,
  input  logic [mx_pkg::product_bits(AFormat, BFormat)-1:0]  product_o,
  input  logic [mx_pkg::position_bits(AFormat, BFormat)-1:0] position_o,
  input  logic                                               is_nan_o,
  input  logic                                               is_inf_o,
  output logic                                               holds
);

  localparam int Bias = mx_pkg::position_bias(AFormat, BFormat);

  logic        negative, is_nan, is_inf, is_number_right;
  logic [79:0] magnitude;

  spec_product #(.AFormat(AFormat), .BFormat(BFormat), .Bits(80)) u_spec (
    .a_code_i(9'(a_code_i)), .b_code_i(9'(b_code_i)), .negative_o(negative), .magnitude_o(magnitude), .is_nan_o(is_nan),
    .is_inf_o(is_inf)
  );

  // Grid units stand for position_bias, see mx_lane.
  assign is_number_right = 80'(product_o) << position_o == magnitude << Bias
      && position_o <= mx_pkg::max_shift(AFormat, BFormat) + Bias;
  assign holds = is_nan_o == is_nan && (is_nan || is_inf_o == is_inf) && (is_nan || negative_o == negative)
      && (is_nan || is_inf || is_number_right);

endmodule
