// Exact sum of Count signed terms as a balanced tree.
//
// Width: every level adds pairs, so it needs one bit more than the level before; Width bits at the
// leaves give Width + log2(Count) at the root and nothing is ever dropped.
//
// Combinational, log2(Count) additions deep.
module mx_adder_tree #(
  parameter int Count = 32,  // number of terms, a power of two
  parameter int Width = 8    // bits of a term
) (
  input  logic [Count*Width-1:0]           terms_i,  // two's complement, term 0 in the LSBs
  output logic [Width+$clog2(Count)-1:0]   sum_o     // two's complement
);

  localparam int Levels = $clog2(Count);

  // gen_level[l].nodes holds Count / 2^l partial sums of Width + l bits; level 0 is the terms.
  for (genvar l = 0; l <= Levels; l++) begin : gen_level

    localparam int Nodes = Count >> l;
    localparam int Bits = Width + l;

    logic [Nodes*Bits-1:0] nodes;

    if (l == 0) begin : gen_terms

      assign nodes = terms_i;

    end else begin : gen_add

      logic signed [Bits-2:0] left, right;

      // Every slice is written once. A default before the loop would change nodes twice, so that an
      // event-driven simulator evaluates the levels above twice; Icarus 11 then never leaves time
      // zero while the terms are X.
      always_comb begin
        for (int n = 0; n < Nodes; n++) begin
          left  = gen_level[l-1].nodes[(2*n)*(Bits-1) +: Bits-1];
          right = gen_level[l-1].nodes[(2*n+1)*(Bits-1) +: Bits-1];
          nodes[n*Bits +: Bits] = Bits'(left) + Bits'(right);
        end
      end

    end

  end

  assign sum_o = gen_level[Levels].nodes;

`ifndef SYNTHESIS
  initial begin
    if (Count < 2 || Count != (1 << $clog2(Count))) begin
      $fatal(1, "mx_adder_tree: Count is %0d; it must be a power of two, at least 2.", Count);
    end
  end
`endif

endmodule
