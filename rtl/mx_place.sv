// First step of placing a product on the grid: the fine shift, and which coarse place it goes to.
//
//   product_i * 2^position_i = fine_o * 2^(k * 2^fine_bits)     with select_o[k] set, k a single one
//
// The coarse places are 2^fine_bits apart and fine_o is so narrow that a bit of the placed product
// comes from two of them at most (for E3M2 from three, in some bits): mx_row_sum puts it there in the
// same LUT that adds it. See mx_pkg::fine_bits.
//
// Width: fine_o has product_bits + 2^fine_bits - 1 bits. A position beyond the largest of a finite
// product (an Inf or NaN code) may have no place; nothing is selected then, and the caller's special
// flags replace the sum.
//
// Combinational.
module mx_place #(
  parameter int AFormat = mx_pkg::E4M3,  // format ids of mx_pkg
  parameter int BFormat = mx_pkg::E4M3
) (
  input  logic [mx_pkg::product_bits(AFormat, BFormat)-1:0]  product_i,
  input  logic [mx_pkg::position_bits(AFormat, BFormat)-1:0] position_i,
  output logic [mx_pkg::fine_width(AFormat, BFormat)-1:0]    fine_o,
  output logic [mx_pkg::coarse_count(AFormat, BFormat)-1:0]  select_o
);

  localparam int FineBits = mx_pkg::fine_bits(AFormat, BFormat);
  localparam int FineWidth = mx_pkg::fine_width(AFormat, BFormat);
  localparam int Coarse = mx_pkg::coarse_count(AFormat, BFormat);

  assign fine_o = FineWidth'(product_i) << position_i[FineBits-1:0];

  if (Coarse == 1) begin : gen_one
    assign select_o = 1'b1;
  end else begin : gen_select
    for (genvar k = 0; k < Coarse; k++) begin : gen_place
      assign select_o[k] = 32'(position_i >> FineBits) == k;
    end
  end

endmodule
