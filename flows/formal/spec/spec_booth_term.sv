// An INT8 code a times digit Digit of the INT8 code b in base 4, after Booth: two bits of b, and the one below.
module spec_booth_term #(
  parameter int Digit = 0,
  parameter int Bits = 21
) (
  input  logic [7:0]      a_i,
  input  logic [7:0]      b_i,
  output logic [Bits-1:0] term_o
);

  logic [2:0] digit;

  if (Digit == 0) begin : gen_lowest
    assign digit = {b_i[1:0], 1'b0};
  end else begin : gen_higher
    assign digit = b_i[2*Digit-1 +: 3];
  end

  spec_digit_times #(.Bits(Bits)) u_times (.a_i, .digit_i(digit), .term_o);

endmodule
