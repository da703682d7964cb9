// mx_booth_combine: the columns and their excess at their places, modulo 2 to the bits of the sum.
module contract_booth_combine #(
  parameter int Lanes = 32
) (
  input  logic [9+$clog2(Lanes):0]       low_i,
  input  logic [3*(9+$clog2(Lanes))-1:0] high_i,
  input  logic [2:0]                     excess_i,
  input  logic [15+$clog2(Lanes):0]      sum_o,
  output logic                           holds
);

  localparam int Bits = 16 + $clog2(Lanes);
  localparam int ColumnBits = 9 + $clog2(Lanes);

  logic [Bits-1:0] low, lower, upper;

  spec_word #(.Width(ColumnBits + 1), .Bits(Bits)) u_word (.number_i(low_i), .word_o(low));

  for (genvar k = 0; k < 3; k++) begin : gen_digit
    logic [Bits-1:0] column, sum;
    spec_word #(.Width(ColumnBits), .Bits(Bits)) u_word (
      .number_i(high_i[k*ColumnBits +: ColumnBits]), .word_o(column)
    );
    assign sum = column + Bits'(excess_i[k]);
  end

  assign lower = low + (gen_digit[0].sum << 2);
  assign upper = gen_digit[1].sum + (gen_digit[2].sum << 2);
  assign holds = sum_o == lower + (upper << 4);

endmodule
