// Sum of two short numbers as a ripple of gates instead of a carry chain.
//
//   sum_o = a_i + b_i   (mod 2^Width)
//
// Combinational.
module mx_gate_add #(
  parameter int Width = 6
) (
  input  logic [Width-1:0] a_i,
  input  logic [Width-1:0] b_i,
  output logic [Width-1:0] sum_o
);

  for (genvar i = 0; i < Width; i++) begin : gen_bit
    logic carry;  // into this bit
    if (i == 0) begin : gen_first
      assign carry = 1'b0;
    end else begin : gen_next
      assign carry = (a_i[i-1] && b_i[i-1]) || (a_i[i-1] && gen_bit[i-1].carry)
          || (b_i[i-1] && gen_bit[i-1].carry);
    end
    assign sum_o[i] = a_i[i] ^ b_i[i] ^ carry;
  end

endmodule
