// mx_place: the product at its position, for every position of a finite product.
module contract_place #(
  parameter int AFormat = 1,
  parameter int BFormat = 1
) (
  input  logic [mx_pkg::product_bits(AFormat, BFormat)-1:0]  product_i,
  input  logic [mx_pkg::position_bits(AFormat, BFormat)-1:0] position_i,
  input  logic [mx_pkg::fine_width(AFormat, BFormat)-1:0]    fine_o,
  input  logic [mx_pkg::coarse_count(AFormat, BFormat)-1:0]  select_o,
  output logic                                               assumed,
  output logic                                               holds
);

  logic [79:0] placed;

  spec_placed #(
    .FineWidth(mx_pkg::fine_width(AFormat, BFormat)), .Step(1 << mx_pkg::fine_bits(AFormat, BFormat)),
    .Coarse(mx_pkg::coarse_count(AFormat, BFormat))
  ) u_placed (
    .fine_i(fine_o), .select_i(select_o), .placed_o(placed)
  );

  assign assumed = position_i <= mx_pkg::max_shift(AFormat, BFormat) + mx_pkg::position_bias(AFormat, BFormat);
  assign holds   = placed == 80'(product_i) << position_i;

endmodule
