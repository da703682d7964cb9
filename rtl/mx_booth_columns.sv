// Sums of INT8 products, second part: for each digit the sum over its groups; see mx_booth_groups.
//
//   column k = sum over groups of digit k of its sum, and of the excess of all groups but group 0
//
// The excess of group 0 goes on as excess_o.
//
// Width: the columns of L lanes lie within +-256 * L; a column without the excess of group 0 fits
// 9 + clog2(L) bits, see mx_booth_rows.
//
// Combinational.
module mx_booth_columns #(
  parameter int Groups = 8,
  parameter int Count = 4
) (
  input  logic [Groups*(10+$clog2(Count))-1:0]   low_i,
  input  logic [3*Groups*(9+$clog2(Count))-1:0]  high_i,
  input  logic [4*Groups-1:0]                    excess_i,
  output logic [9+$clog2(Groups*Count):0]        low_o,     // digit 0
  output logic [3*(9+$clog2(Groups*Count))-1:0]  high_o,    // digit 1 in the LSBs
  output logic [2:0]                             excess_o   // of digits 1 to 3
);

  localparam int Bits = 9 + $clog2(Count);
  localparam int ColumnBits = Bits + $clog2(Groups);

  mx_carry_tree #(
    .Count(Groups),
    .Width(Bits + 1)
  ) u_low (
    .terms_i(low_i),
    .carry_i(excess_i[Groups-1:0]),
    .sum_o  (low_o)
  );

  for (genvar k = 0; k < 3; k++) begin : gen_high
    mx_carry_tree #(
      .Count(Groups),
      .Width(Bits)
    ) u_column (
      .terms_i(high_i[k*Groups*Bits +: Groups*Bits]),
      .carry_i(excess_i[(k+1)*Groups +: Groups]),
      .sum_o  (high_o[k*ColumnBits +: ColumnBits])
    );
    assign excess_o[k] = excess_i[(k+1)*Groups];
  end

endmodule
