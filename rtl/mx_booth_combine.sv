// Sums of INT8 products, last part: the columns of the four digits added at their places.
//
//   sum_o = column 0 + sum over k = 1 to 3 of 4^k * (column k + excess k)
//
// An excess at place 2^p enters as ones in all p bits below and a carry: 2^p - 1 + 1.
//
// Width: |sum| <= Lanes * 2^14, which the bits of sum_o hold; what is cut above them is sign.
//
// Combinational, two additions deep.
module mx_booth_combine #(
  parameter int Lanes = 32
) (
  input  logic [9+$clog2(Lanes):0]       low_i,
  input  logic [3*(9+$clog2(Lanes))-1:0] high_i,
  input  logic [2:0]                     excess_i,
  output logic [15+$clog2(Lanes):0]      sum_o
);

  localparam int ColumnBits = 9 + $clog2(Lanes);
  localparam int HalfBits = ColumnBits + 4;
  localparam int SumBits = 16 + $clog2(Lanes);

  // Operands at their places.
  logic [HalfBits-1:0] digit0, digit1, digit2, digit3, lower, upper;
  logic [SumBits-1:0]  half0, half1;

  assign digit0 = HalfBits'($signed(low_i));
  assign digit1 = HalfBits'($signed({high_i[0 +: ColumnBits], {2{excess_i[0]}}}));
  assign digit2 = HalfBits'($signed(high_i[ColumnBits +: ColumnBits]));
  assign digit3 = HalfBits'($signed({high_i[2*ColumnBits +: ColumnBits], {2{excess_i[2]}}}));
  assign half0  = SumBits'($signed(lower));
  assign half1  = SumBits'($signed({upper, {4{excess_i[1]}}}));

  mx_add #(
    .Width(HalfBits)
  ) u_lower (
    .a_i    (digit0),
    .b_i    (digit1),
    .carry_i(excess_i[0]),
    .sum_o  (lower)
  );

  mx_add #(
    .Width(HalfBits)
  ) u_upper (
    .a_i    (digit2),
    .b_i    (digit3),
    .carry_i(excess_i[2]),
    .sum_o  (upper)
  );

  mx_add #(
    .Width(SumBits)
  ) u_sum (
    .a_i    (half0),
    .b_i    (half1),
    .carry_i(excess_i[1]),
    .sum_o  (sum_o)
  );

endmodule
