// Sum of two short numbers out of gates, without a carry chain.
//
//   sum_o = a_i + b_i   (mod 2^Width)
//
// For a sum that is a function of few bits: a chain would stand between them and the logic before and
// after, where a LUT takes gates and that logic together. Step k gives the carries into all bits at once
// from those of step k - 1; the carry into bit k is final after k steps, and equal gates are one gate.
//
// Combinational.
module mx_ripple_add #(
  parameter int Width = 5
) (
  input  logic [Width-1:0] a_i,
  input  logic [Width-1:0] b_i,
  output logic [Width-1:0] sum_o
);

  for (genvar k = 0; k < Width; k++) begin : gen_step
    logic [Width-1:0] carry;
    if (k == 0) begin : gen_first
      assign carry = '0;
    end else begin : gen_next
      assign carry = ((a_i & b_i) | (a_i & gen_step[k-1].carry) | (b_i & gen_step[k-1].carry)) << 1;
    end
  end

  assign sum_o = a_i ^ b_i ^ gen_step[Width-1].carry;

endmodule
