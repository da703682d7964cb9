// Exact sum of Count terms with signs apart, as a balanced tree.
//
//   (-1)^negative_o * sum_o = sum of (-1)^negative_i[k] * term k
//
// Each term is two's complement and has a pending sign beside it. A node adds or subtracts its right
// input, as the two pending signs are equal or not, and hands on the left one's: no term is negated,
// and a sign costs one gate a node.
//
// Width: a level needs one bit more than the one before, also where the most negative number is
// subtracted; Width bits at the leaves give Width + log2(Count) at the root and nothing is dropped.
//
// Combinational, log2(Count) additions deep; with Count = 1 wires.
module mx_adder_tree #(
  parameter int Count = 32,  // number of terms, a power of two
  parameter int Width = 8    // bits of a term
) (
  input  logic [Count*Width-1:0]           terms_i,     // term 0 in the LSBs
  input  logic [Count-1:0]                 negative_i,
  output logic [Width+$clog2(Count)-1:0]   sum_o,
  output logic                             negative_o
);

  localparam int Levels = $clog2(Count);

  // gen_level[l].nodes holds Count / 2^l partial sums of Width + l bits; level 0 is the terms.
  for (genvar l = 0; l <= Levels; l++) begin : gen_level

    localparam int Nodes = Count >> l;
    localparam int Bits = Width + l;

    logic [Nodes*Bits-1:0] nodes;
    logic [Nodes-1:0]      negative;

    if (l == 0) begin : gen_terms

      assign nodes    = terms_i;
      assign negative = negative_i;

    end else begin : gen_add

      for (genvar n = 0; n < Nodes; n++) begin : gen_node

        logic [Bits-1:0] left, right;
        logic            subtract;

        assign left  = Bits'($signed(gen_level[l-1].nodes[(2*n)*(Bits-1) +: Bits-1]));
        assign right = Bits'($signed(gen_level[l-1].nodes[(2*n+1)*(Bits-1) +: Bits-1]));
        assign subtract    = gen_level[l-1].negative[2*n] ^ gen_level[l-1].negative[2*n+1];
        assign negative[n] = gen_level[l-1].negative[2*n];

        mx_add #(
          .Width(Bits)
        ) u_add (
          .a_i    (left),
          .b_i    (right ^ {Bits{subtract}}),
          .carry_i(subtract),
          .sum_o  (nodes[n*Bits +: Bits])
        );

      end

    end

  end

  assign sum_o      = gen_level[Levels].nodes;
  assign negative_o = gen_level[Levels].negative;

`ifndef SYNTHESIS
  initial begin
    if (Count < 1 || Count != (1 << $clog2(Count))) begin
      $fatal(1, "mx_adder_tree: Count is %0d; it must be a power of two.", Count);
    end
  end
`endif

endmodule
