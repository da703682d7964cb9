// mx_lane and mx_place: the placed product is the exact product of the elements, in grid units.
module lane #(
  parameter int AFormat = 1,
  parameter int BFormat = 1
) (
  input  logic [mx_pkg::element_bits(AFormat)-1:0] a_code_i,
  input  logic [mx_pkg::element_bits(BFormat)-1:0] b_code_i,
  output logic                                     negative_o,
  output logic [79:0]                              placed_o,
  output logic                                     is_nan_o,
  output logic                                     is_inf_o,
  output logic                                     holds
);

  localparam int Step = 1 << mx_pkg::fine_bits(AFormat, BFormat);
  localparam int Coarse = mx_pkg::coarse_count(AFormat, BFormat);

  logic [mx_pkg::product_bits(AFormat, BFormat)-1:0]  product;
  logic [mx_pkg::position_bits(AFormat, BFormat)-1:0] position;
  logic [mx_pkg::fine_width(AFormat, BFormat)-1:0]    fine;
  logic [Coarse-1:0]                                  select;

  mx_lane #(.AFormat(AFormat), .BFormat(BFormat)) u_lane (
    .a_code_i, .b_code_i, .negative_o, .product_o(product), .position_o(position), .is_nan_o, .is_inf_o
  );

  mx_place #(.AFormat(AFormat), .BFormat(BFormat)) u_place (
    .product_i(product), .position_i(position), .fine_o(fine), .select_o(select)
  );

  always_comb begin
    placed_o = '0;
    for (int k = 0; k < Coarse; k++) begin
      placed_o = placed_o | (select[k] ? 80'(fine) << (k * Step) : 80'd0);
    end
  end

  logic        negative, is_nan, is_inf;
  logic [79:0] magnitude;

  spec_product #(.AFormat(AFormat), .BFormat(BFormat), .Bits(80)) u_spec (
    .a_code_i(9'(a_code_i)), .b_code_i(9'(b_code_i)), .negative_o(negative), .magnitude_o(magnitude), .is_nan_o(is_nan),
    .is_inf_o(is_inf)
  );

  // Grid units stand for position_bias, see mx_lane.
  assign holds = is_nan_o == is_nan && (is_nan || is_inf_o == is_inf) && (is_nan || negative_o == negative)
      && (is_nan || is_inf || placed_o == magnitude << mx_pkg::position_bias(AFormat, BFormat));

endmodule
