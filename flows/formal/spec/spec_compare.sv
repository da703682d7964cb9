// number_i against bound_i * 2^distance_i, as integers.
module spec_compare #(
  parameter int Width = 8,
  parameter int BoundBits = 8,
  parameter int DistanceBits = 10
) (
  input  logic [Width-1:0]               number_i,
  input  logic [BoundBits-1:0]           bound_i,
  input  logic signed [DistanceBits-1:0] distance_i,
  output logic                           is_above_o,
  output logic                           is_equal_o
);

  // A bound other than 0 that is shifted farther than the number is wide is above it, and a number
  // other than 0 shifted farther than the bound is wide is above that: more places change nothing.
  localparam int Bits = Width + BoundBits + 1;

  logic signed [DistanceBits-1:0] up, down;
  logic [Bits-1:0]                number, bound;

  assign up     = (distance_i < 0) ? '0 : (distance_i > Width) ? DistanceBits'(Width) : distance_i;
  assign down   = (distance_i > 0) ? '0 : (distance_i < -BoundBits) ? DistanceBits'(BoundBits) : -distance_i;
  assign number = Bits'(number_i) << down;
  assign bound  = Bits'(bound_i) << up;

  assign is_above_o = number > bound;
  assign is_equal_o = number == bound;

endmodule
