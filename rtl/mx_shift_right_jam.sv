// Right shift that ORs every bit shifted out into the least significant bit kept ("jam").
//
// The result rounds like the exact quotient as long as the rounding position lies at least two bits
// above bit 0: the jammed bit only tells "something is below" and never reaches the rounding bit.
// A distance of Width or more gives 1 for a non-zero input and 0 for zero.
//
// Combinational.
module mx_shift_right_jam #(
  parameter int Width = 27,
  parameter int DistanceBits = 5
) (
  input  logic [Width-1:0]        data_i,
  input  logic [DistanceBits-1:0] distance_i,
  output logic [Width-1:0]        data_o
);

  logic [Width-1:0] shifted;
  logic [Width-1:0] lost;

  always_comb begin
    shifted = data_i >> distance_i;
    lost    = data_i & ~({Width{1'b1}} << distance_i);
    data_o  = shifted | Width'(lost != '0);
  end

endmodule
