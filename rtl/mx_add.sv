// Sum of two numbers and a carry, in one carry chain.
//
//   sum_o = a_i + b_i + carry_i   (mod 2^Width)
//
// The carry comes in through a bit below bit 0 that costs no logic, whatever the synthesis tool makes
// of a sum of three terms. On an FPGA the LUT of bit k adds a_i[k], which reaches the carry chain as
// it is, to b_i[k], whose logic it absorbs: give the operand with the logic before it as b_i. That is
// why the sum is written as a difference: of a difference Yosys leaves the operands where they are.
//
//   {a, carry} - {~b, 1} = {a, carry} + {b, 0} + 1 = {a + b + carry, !carry}
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

  assign {sum_o, unused_bit} = {a_i, carry_i} - {~b_i, 1'b1};

endmodule
