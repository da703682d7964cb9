// mx_normalise: multiplied by a power of two until the top bit is set, by room_i places at most; if it is
// not set then, is_limited_o is.
module normalise #(
  parameter int Width = 24,
  parameter int RoomBits = 12
) (
  input  logic [Width-1:0]                         data_i,
  input  logic                                     fill_i,
  input  logic signed [RoomBits-1:0]               room_i,
  output logic [Width-1:0]                         data_o,
  output logic [mx_pkg::normalise_bits(Width)-1:0] shift_o,
  output logic                                     is_limited_o,
  output logic                                     assumed,
  output logic                                     holds
);

  mx_normalise #(.Width(Width), .RoomBits(RoomBits)) u_normalise (
    .data_i, .fill_i, .room_i, .data_o, .shift_o, .is_limited_o
  );

  // The largest number of places that loses no bit.
  logic signed [31:0] room, zeros, places;
  logic [2*Width-1:0] ones, shifted;

  always_comb begin
    room  = (room_i < 0) ? 0 : 32'($signed(room_i));
    zeros = Width;
    for (int k = 0; k < Width; k++) begin
      if (data_i[k]) begin
        zeros = Width - 1 - k;
      end
    end
  end

  assign places  = (room < zeros) ? room : zeros;
  assign ones    = {data_i, {Width{fill_i}}};
  assign shifted = ones << places;
  assign assumed = data_i != '0;
  assign holds   = 32'(shift_o) == places && data_o == shifted[2*Width-1:Width] && (room < zeros) <= is_limited_o;

endmodule
