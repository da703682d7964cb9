// Largest of Count unsigned numbers, as a balanced tree.
//
// Combinational, log2(Count) comparisons deep.
module mx_aligned_max #(
  parameter int Count = 32,  // a power of two, at least 1
  parameter int Width = 5
) (
  input  logic [Count*Width-1:0] values_i,
  output logic [Width-1:0]       largest_o
);

  localparam int Levels = $clog2(Count);

  // gen_level[l].nodes holds Count / 2^l numbers; level 0 is the input.
  for (genvar l = 0; l <= Levels; l++) begin : gen_level

    localparam int Nodes = Count >> l;

    logic [Nodes*Width-1:0] nodes;

    if (l == 0) begin : gen_values

      assign nodes = values_i;

    end else begin : gen_compare

      for (genvar n = 0; n < Nodes; n++) begin : gen_node

        logic [Width-1:0] left, right;

        assign left  = gen_level[l-1].nodes[(2*n)*Width +: Width];
        assign right = gen_level[l-1].nodes[(2*n+1)*Width +: Width];
        assign nodes[n*Width +: Width] = (left > right) ? left : right;

      end

    end

  end

  assign largest_o = gen_level[Levels].nodes;

endmodule
