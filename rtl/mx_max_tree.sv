// Largest of Count unsigned numbers, as a balanced tree.
//
// Combinational, ceil(log2(Count)) comparisons deep.
module mx_max_tree #(
  parameter int Count = 32,  // numbers, at least 2
  parameter int Width = 8    // bits of a number
) (
  input  logic [Count*Width-1:0] numbers_i,  // number 0 in the LSBs
  output logic [Width-1:0]       max_o
);

  localparam int Levels = $clog2(Count);

  // gen_level[l].nodes holds the largest number of each 2^l, the last of them possibly of fewer.
  for (genvar l = 0; l <= Levels; l++) begin : gen_level

    localparam int Nodes = (Count + (1 << l) - 1) >> l;

    logic [Nodes*Width-1:0] nodes;

    if (l == 0) begin : gen_numbers

      assign nodes = numbers_i;

    end else begin : gen_compare

      localparam int Previous = (Count + (1 << (l - 1)) - 1) >> (l - 1);

      for (genvar n = 0; n < Nodes; n++) begin : gen_node
        if (2 * n + 1 < Previous) begin : gen_pair
          logic [Width-1:0] left, right;

          assign left  = gen_level[l-1].nodes[(2*n)*Width +: Width];
          assign right = gen_level[l-1].nodes[(2*n+1)*Width +: Width];
          assign nodes[n*Width +: Width] = (left > right) ? left : right;
        end else begin : gen_single
          assign nodes[n*Width +: Width] = gen_level[l-1].nodes[(2*n)*Width +: Width];
        end
      end

    end

  end

  assign max_o = gen_level[Levels].nodes;

endmodule
