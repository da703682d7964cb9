// Sum of two numbers and a carry, in one carry chain.
//
//   sum_o = a_i + b_i + carry_i   (mod 2^Width)
//
// Written so that the carry comes in through a bit below bit 0 that costs no logic, whatever the
// synthesis tool makes of a sum of three terms. On an FPGA the LUT of a bit adds a_i[k], which
// reaches the carry chain as it is, to b_i[k], whose logic it absorbs: so give the operand with the
// logic before it as b_i.
//
// Combinational.
module mx_add #(
  parameter int Width = 32
) (
  input  logic [Width-1:0] a_i,
  input  logic [Width-1:0] b_i,
  input  logic             carry_i,
  output logic [Width-1:0] sum_o
);

  logic unused_bit;

  assign {sum_o, unused_bit} = {a_i, carry_i} + {b_i, carry_i};

endmodule
