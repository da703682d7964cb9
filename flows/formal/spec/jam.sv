// mx_shift_right_jam: the quotient by a power of two, rounded to odd; or where Signed = 0 with the OR of
// what is lost in bit 0, which is the same.
module jam #(
  parameter int Width = 27,
  parameter int DistanceBits = 5,
  parameter int Signed = 0
) (
  input  logic [Width-1:0]        data_i,
  input  logic [DistanceBits-1:0] distance_i,
  output logic [Width-1:0]        data_o,
  output logic                    holds
);

  localparam int Bits = 2 * Width + 3;

  mx_shift_right_jam #(.Width(Width), .DistanceBits(DistanceBits), .Signed(Signed)) u_shift (
    .data_i, .distance_i, .data_o
  );

  // Multiplied out: beyond Width places more of them change nothing.
  logic [31:0]            places;
  logic signed [Bits-1:0] number, result, unit, difference;

  assign places     = (32'(distance_i) > Width + 1) ? Width + 1 : 32'(distance_i);
  assign number     = (Signed != 0) ? Bits'($signed(data_i)) : Bits'({1'b0, data_i});
  assign result     = (Signed != 0) ? Bits'($signed(data_o)) : Bits'({1'b0, data_o});
  assign unit       = Bits'(1) << places;
  assign difference = number - (result <<< places);
  assign holds      = difference == 0 || (data_o[0] && difference < unit && difference > -unit);

endmodule
