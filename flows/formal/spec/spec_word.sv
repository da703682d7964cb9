// A two's complement number in more bits.
module spec_word #(
  parameter int Width = 8,
  parameter int Bits = 16
) (
  input  logic [Width-1:0] number_i,
  output logic [Bits-1:0]  word_o
);

  assign word_o = Bits'($signed(number_i));

endmodule
