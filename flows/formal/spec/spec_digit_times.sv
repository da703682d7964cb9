// An INT8 code times a digit of Booth: digit_i[0] + digit_i[1] - 2 * digit_i[2].
module spec_digit_times #(
  parameter int Bits = 21
) (
  input  logic [7:0]      a_i,
  input  logic [2:0]      digit_i,
  output logic [Bits-1:0] term_o
);

  logic signed [Bits-1:0] a;

  assign a = Bits'($signed(a_i));

  always_comb begin
    case (digit_i)
      3'b001, 3'b010: term_o = a;
      3'b011:         term_o = a + a;
      3'b101, 3'b110: term_o = -a;
      3'b100:         term_o = -a - a;
      default:        term_o = '0;
    endcase
  end

endmodule
