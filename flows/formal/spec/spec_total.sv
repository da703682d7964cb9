// The exact sum of value_i * 2^(scale_sum_i + GridExponent) and a finite Float32 number c_i, as a whole
// number of units:
//
//   sum = (negative_o ? -1 : 1) * magnitude_o * 2^exponent_o
//
// The unit lies Below places under top_o, the larger exponent field of c and of bit SumBits - 1 of the
// value (unless that is 0). Of the two numbers the one with the larger field is whole there. The other is
// too, if its own unit is not below this one. If it is, then it is given the size of one that ends at the
// unit. It is so far below that its size does not count: however small it is, the sum lies on the same side
// of the other number, and is nearer to it than a quarter of the distance to any place where results or
// their bounds lie, which is at least 2^-26 of it or of the smallest Float32 number.
//
// Combinational.
module spec_total #(
  parameter int SumBits = 13,
  parameter int GridExponent = -256
) (
  input  logic signed [SumBits+1:0]                                       value_i,  // |value| <= 2^SumBits
  input  logic [8:0]                                                      scale_sum_i,
  input  logic [31:0]                                                     c_i,
  output logic                                                            negative_o,
  output logic [SumBits+28+((SumBits > 24) ? SumBits : 24)+2:0]           magnitude_o,
  output logic signed [12:0]                                              exponent_o,
  output logic signed [12:0]                                              top_o
);

  localparam int Below = SumBits + 28 + ((SumBits > 24) ? SumBits : 24);
  localparam int Bits = Below + 4;

  logic signed [12:0] c_field, value_field, c_room, value_room;

  assign c_field     = 13'($signed({1'b0, (c_i[30:23] == '0) ? 8'd1 : c_i[30:23]}));
  assign value_field = 13'($signed({1'b0, scale_sum_i})) + 13'(GridExponent + SumBits - 1 + 127);
  assign top_o       = (value_i != '0 && value_field > c_field) ? value_field : c_field;
  assign exponent_o  = top_o - 13'(127 + Below);

  // Places from the unit up to those of c and the value.
  assign c_room      = c_field - top_o + 13'(Below - 23);
  assign value_room  = value_field - top_o + 13'(Below - (SumBits - 1));

  logic [$clog2(Bits)-1:0] c_places, value_places;
  logic signed [Bits-1:0]  c, value, total;

  assign c_places     = (c_room < 0) ? '0 : $clog2(Bits)'(c_room);
  assign value_places = (value_room < 0 || value_i == '0) ? '0 : $clog2(Bits)'(value_room);
  assign c            = Bits'($signed({1'b0, c_i[30:23] != '0, c_i[22:0]})) <<< c_places;
  assign value        = Bits'(value_i) <<< value_places;
  assign total        = value + (c_i[31] ? -c : c);
  assign negative_o   = total < 0;
  assign magnitude_o  = (Bits-1)'(negative_o ? -total : total);

endmodule
