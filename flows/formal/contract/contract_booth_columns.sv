// mx_booth_columns: for each digit the sum over the groups, with the excess of all groups but the first.
module contract_booth_columns #(
  parameter int Groups = 8,
  parameter int Count = 4
) (
  input  logic [Groups*(10+$clog2(Count))-1:0]  low_i,
  input  logic [3*Groups*(9+$clog2(Count))-1:0] high_i,
  input  logic [4*Groups-1:0]                   excess_i,
  input  logic [9+$clog2(Groups*Count):0]       low_o,
  input  logic [3*(9+$clog2(Groups*Count))-1:0] high_o,
  input  logic [2:0]                            excess_o,
  output logic                                  holds
);

  localparam int Bits = 16 + $clog2(Groups * Count);
  localparam int Width = 9 + $clog2(Count);
  localparam int ColumnBits = 9 + $clog2(Groups * Count);

  logic [3:0] is_right;

  for (genvar k = 0; k < 4; k++) begin : gen_digit

    logic [Bits-1:0]        column;
    logic [Groups*Bits-1:0] sums, totals;

    for (genvar g = 0; g < Groups; g++) begin : gen_group
      if (k == 0) begin : gen_low
        spec_word #(.Width(Width + 1), .Bits(Bits)) u_word (
          .number_i(low_i[g*(Width+1) +: Width+1]), .word_o(sums[g*Bits +: Bits])
        );
      end else begin : gen_high
        spec_word #(.Width(Width), .Bits(Bits)) u_word (
          .number_i(high_i[((k-1)*Groups+g)*Width +: Width]), .word_o(sums[g*Bits +: Bits])
        );
      end
      assign totals[g*Bits +: Bits] = sums[g*Bits +: Bits] + Bits'(g > 0 && excess_i[k*Groups+g]);
    end

    if (k == 0) begin : gen_low_column
      spec_word #(.Width(ColumnBits + 1), .Bits(Bits)) u_word (.number_i(low_o), .word_o(column));
    end else begin : gen_high_column
      spec_word #(.Width(ColumnBits), .Bits(Bits)) u_word (
        .number_i(high_o[(k-1)*ColumnBits +: ColumnBits]), .word_o(column)
      );
    end

    for (genvar level = 0; level <= $clog2(Groups); level++) begin : gen_level
      logic [(Groups>>level)*Bits-1:0] nodes;
      if (level == 0) begin : gen_terms
        assign nodes = totals;
      end else begin : gen_pairs
        for (genvar n = 0; n < (Groups >> level); n++) begin : gen_pair
          assign nodes[n*Bits +: Bits] = gen_level[level-1].nodes[2*n*Bits +: Bits]
              + gen_level[level-1].nodes[(2*n+1)*Bits +: Bits];
        end
      end
    end

    assign is_right[k] = column == gen_level[$clog2(Groups)].nodes;

  end

  assign holds = &is_right && excess_o[0] == excess_i[Groups] && excess_o[1] == excess_i[2*Groups]
      && excess_o[2] == excess_i[3*Groups];

endmodule
