// Exact sum of Count terms given by sign and magnitude, as a balanced tree that negates none of them.
//
//   sum of terms = negative_o ? -sum_o : sum_o
//
// A node takes its right side relative to the sign of its left one: it adds where they agree,
// subtracts where they differ, and hands the sign of its left side on beside its sum. So signs cost a
// gate a node; the last of them meets the sum where its magnitude is taken anyway.
//
// Width: |a node| is below the sum of the magnitudes below it, so each level needs one bit more than
// the one before and the first another for its sign.
//
// Combinational, log2(Count) subtractions deep.
module mx_relative_sum #(
  parameter int Count = 32,  // number of terms, a power of two
  parameter int Width = 66   // bits of a magnitude
) (
  input  logic [Count*Width-1:0]          magnitudes_i,  // term 0 in the LSBs
  input  logic [Count-1:0]                negative_i,
  output logic [Width+$clog2(Count):0]    sum_o,         // two's complement
  output logic                            negative_o
);

  localparam int Levels = $clog2(Count);

  // gen_level[l].sums holds Count / 2^l sums of Width + l + 1 bits; level 0 is the terms.
  for (genvar l = 0; l <= Levels; l++) begin : gen_level

    localparam int Nodes = Count >> l;
    localparam int Bits = Width + l + 1;

    logic [Nodes*Bits-1:0] sums;
    logic [Nodes-1:0]      negative;

    if (l == 0) begin : gen_terms

      for (genvar n = 0; n < Nodes; n++) begin : gen_nodes
        assign sums[n*Bits +: Bits] = {1'b0, magnitudes_i[n*Width +: Width]};
      end

      assign negative = negative_i;

    end else begin : gen_subtract

      for (genvar n = 0; n < Nodes; n++) begin : gen_nodes

        logic            differ;
        logic [Bits-2:0] left, right;

        assign left        = gen_level[l-1].sums[(2*n)*(Bits-1) +: Bits-1];
        assign right       = gen_level[l-1].sums[(2*n+1)*(Bits-1) +: Bits-1];
        assign differ = gen_level[l-1].negative[2*n] != gen_level[l-1].negative[2*n+1];

        mx_add #(
          .Width(Bits)
        ) u_add (
          .a_i    ({left[Bits-2], left}),
          .b_i    ({right[Bits-2], right} ^ {Bits{differ}}),
          .carry_i(differ),
          .sum_o  (sums[n*Bits +: Bits])
        );

        assign negative[n] = gen_level[l-1].negative[2*n];

      end

    end

  end

  assign sum_o      = gen_level[Levels].sums;
  assign negative_o = gen_level[Levels].negative;

`ifndef SYNTHESIS
  initial begin
    if (Count < 1 || Count != (1 << $clog2(Count))) begin
      $fatal(1, "mx_relative_sum: Count is %0d; it must be a power of two.", Count);
    end
  end
`endif

endmodule
