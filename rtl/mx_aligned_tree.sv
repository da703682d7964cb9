// Exact sum of Count numbers given as sign and magnitude, as a balanced tree that never negates one.
//
//   sum of (-1)^negative_i[n] * magnitudes_i[n]  =  (-1)^negative_o * sum_o,  sum_o two's complement
//
// A node is a number whose sign is still pending. Two of them with pending signs s and t make
// v + w or v - w, pending sign s: one addition of v and of w inverted where s and t differ, with the
// difference as carry. The inversion shares the adder's LUT, and the root's sign is left to the
// caller, who needs a conditional negation anyway.
//
// Width: every level adds a bit; Width + log2(Count) + 1 bits hold the signed sum.
//
// Combinational, log2(Count) additions deep.
module mx_aligned_tree #(
  parameter int Count = 32,  // a power of two, at least 1
  parameter int Width = 8    // bits of a magnitude
) (
  input  logic [Count-1:0]                 negative_i,
  input  logic [Count*Width-1:0]           magnitudes_i,
  output logic                             negative_o,
  output logic [Width+$clog2(Count):0]     sum_o
);

  localparam int Levels = $clog2(Count);

  for (genvar l = 0; l <= Levels; l++) begin : gen_level

    localparam int Nodes = Count >> l;
    localparam int Bits = Width + l + 1;  // signed

    logic [Nodes-1:0]      signs;
    logic [Nodes*Bits-1:0] nodes;

    if (l == 0) begin : gen_terms

      always_comb begin
        for (int n = 0; n < Nodes; n++) begin
          nodes[n*Bits +: Bits] = {1'b0, magnitudes_i[n*Width +: Width]};
        end
      end
      assign signs = negative_i;

    end else begin : gen_add

      for (genvar n = 0; n < Nodes; n++) begin : gen_node

        logic [Bits-1:0] left, right;
        logic            differ;

        assign left     = Bits'($signed(gen_level[l-1].nodes[(2*n)*(Bits-1) +: Bits-1]));
        assign right    = Bits'($signed(gen_level[l-1].nodes[(2*n+1)*(Bits-1) +: Bits-1]));
        assign differ   = gen_level[l-1].signs[2*n] ^ gen_level[l-1].signs[2*n+1];
        assign signs[n] = gen_level[l-1].signs[2*n];

        mx_add #(
          .Width(Bits)
        ) u_add (
          .a_i    (left),
          .b_i    (right ^ {Bits{differ}}),
          .carry_i(differ),
          .sum_o  (nodes[n*Bits +: Bits])
        );

      end

    end

  end

  assign negative_o = gen_level[Levels].signs;
  assign sum_o      = gen_level[Levels].nodes;

endmodule
