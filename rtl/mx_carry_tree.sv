// Sum of Count terms and of Count - 1 bits, as a balanced tree: each node takes the bit of its right
// input as its carry.
//
//   sum_o = term 0 + sum over k >= 1 of (term k + carry k)
//
// carry_i[0] is not used. For the rows of mx_booth_rows, whose first lane leaves a 1 over.
//
// Width: term k + carry k fits Width bits and one value more, as does the sum of j of them without
// carry 0, at Width + log2(j) bits.
//
// Combinational, log2(Count) additions deep; with Count = 1 wires.
module mx_carry_tree #(
  parameter int Count = 8,   // a power of two
  parameter int Width = 11
) (
  input  logic [Count*Width-1:0]         terms_i,  // two's complement, term 0 in the LSBs
  input  logic [Count-1:0]               carry_i,
  output logic [Width+$clog2(Count)-1:0] sum_o
);

  localparam int Levels = $clog2(Count);

  logic unused_carry;

  assign unused_carry = gen_level[Levels].carry;

  for (genvar l = 0; l <= Levels; l++) begin : gen_level

    localparam int Nodes = Count >> l;
    localparam int Bits = Width + l;

    logic [Nodes*Bits-1:0] nodes;
    logic [Nodes-1:0]      carry;  // of a node's leftmost term: not in it yet

    if (l == 0) begin : gen_terms

      assign nodes = terms_i;
      assign carry = carry_i;

    end else begin : gen_add

      for (genvar n = 0; n < Nodes; n++) begin : gen_node

        logic [Bits-1:0] left, right;

        assign left     = Bits'($signed(gen_level[l-1].nodes[(2*n)*(Bits-1) +: Bits-1]));
        assign right    = Bits'($signed(gen_level[l-1].nodes[(2*n+1)*(Bits-1) +: Bits-1]));
        assign carry[n] = gen_level[l-1].carry[2*n];

        mx_add #(
          .Width(Bits)
        ) u_add (
          .a_i    (left),
          .b_i    (right),
          .carry_i(gen_level[l-1].carry[2*n+1]),
          .sum_o  (nodes[n*Bits +: Bits])
        );

      end

    end

  end

  assign sum_o = gen_level[Levels].nodes;

endmodule
