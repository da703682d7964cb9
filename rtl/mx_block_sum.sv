// Exact sum of the 32 products of a block pair.
//
//   sum_o = sum over lanes of product * 2^shift, in grid units of
//   2^(quantum_exponent(A) + quantum_exponent(B))
//
// Each product is placed on the grid by a left shift, so no bit is ever lost, and an adder tree
// sums the 32 placed products.
//
// Width: a placed finite product is below 2^(product_bits + max_shift) in magnitude, 32 of them
// below 2^sum_bits; one more bit is the sign. The one sum that reaches a power of two, INT8 x
// INT8 with 32 * 128 * 128 = 2^19, fits sum_bits = 20. Products of NaN or Inf elements may be
// cut; the caller's special flags replace the sum then.
//
// Combinational.
module mx_block_sum #(
  parameter int AFormat = mx_pkg::E4M3,  // format ids of mx_pkg
  parameter int BFormat = mx_pkg::E4M3
) (
  // Lane 0 in the LSBs; products and the sum are two's complement.
  input  logic [mx_pkg::BlockSize*(mx_pkg::product_bits(AFormat, BFormat)+1)-1:0] products_i,
  input  logic [mx_pkg::BlockSize*mx_pkg::shift_bits(AFormat, BFormat)-1:0]       shifts_i,
  output logic [mx_pkg::sum_bits(AFormat, BFormat):0]                             sum_o
);

  localparam int ProductBits = mx_pkg::product_bits(AFormat, BFormat) + 1;
  localparam int ShiftBits = mx_pkg::shift_bits(AFormat, BFormat);
  localparam int MaxShift = mx_pkg::max_shift(AFormat, BFormat);
  localparam int TermBits = ProductBits + MaxShift;

  logic [mx_pkg::BlockSize*TermBits-1:0] terms;
  logic signed [ProductBits-1:0]         product;

  always_comb begin
    for (int lane = 0; lane < mx_pkg::BlockSize; lane++) begin
      product = products_i[lane*ProductBits +: ProductBits];
      terms[lane*TermBits +: TermBits] =
          TermBits'(product) << shifts_i[lane*ShiftBits +: ShiftBits];
    end
  end

  mx_adder_tree #(
    .Count(mx_pkg::BlockSize),
    .Width(TermBits)
  ) u_tree (
    .terms_i(terms),
    .sum_o  (sum_o)
  );

endmodule
