// First half of mx_round: the significand of a magnitude in a number format, and what lies below.
//
// The leading one is shifted to the top, but not past the place of the smallest normal number's
// hidden bit; if the magnitude's top lies below that place to begin with, zeros are put above it
// first (as many as LowestExponent makes necessary), so that there is only ever a left shift.
//
// increment_i: the number is magnitude_i + 1. It is read as magnitude_i followed by ones without
// end, which is the same value; mx_round_result settles what that means for the bits kept.
//
// parts_o, from the top (mx_pkg::rounding_bits):
//   vanishes     the result is zero: the magnitude is, or it lies below half the smallest number
//   base         field of the exponent less 1, signed; 0 if the hidden bit is clear, and without
//                meaning if the number vanishes
//   significand  with the hidden bit
//   guard        the bit below
//   sticky       something is below the guard bit
//   ones         increment_i, and all bits below the guard bit are ones
//
// Width: room and base lie within the largest exponent and Width, checked against
// mx_pkg::RoundingBaseBits.
//
// Combinational.
module mx_round_normalise #(
  parameter int Width = 69,
  parameter int ExponentBits = 10,
  parameter int Result = mx_pkg::Fp32,
  parameter int ExponentOffset = 0,
  parameter int LowestExponent = ExponentOffset - (1 << (ExponentBits - 1))
) (
  input  logic [Width-1:0]                         magnitude_i,
  input  logic                                     increment_i,
  input  logic signed [ExponentBits-1:0]           lsb_exponent_i,
  output logic [mx_pkg::rounding_bits(Result)-1:0] parts_o
);

  localparam int SignificandBits = mx_pkg::number_mantissa_bits(Result) + 1;
  localparam int BaseBits = mx_pkg::RoundingBaseBits;

  // Room: places from the top bit of the magnitude down to that of the smallest normal number's
  // hidden bit. Where it can be negative, Headroom zeros above make up for it; beyond
  // SignificandBits + 1 of them the leading one lies below the guard bit anyway.
  localparam int TopExponent = Width - 1 - mx_pkg::number_min_exponent(Result);
  localparam int LowestRoom = LowestExponent + TopExponent;
  localparam int Headroom = (LowestRoom >= 0) ? 0
      : (-LowestRoom > SignificandBits + 1) ? SignificandBits + 1 : -LowestRoom;
  localparam int UsedBits = Headroom + Width;
  // Significand, guard and at least one bit of rest.
  localparam int Bits = (UsedBits > SignificandBits + 2) ? UsedBits : SignificandBits + 2;
  localparam int PadBits = Bits - UsedBits;
  localparam int RestBits = Bits - SignificandBits - 1;
  localparam int ShiftBits = mx_pkg::normalise_bits(Bits);

  localparam int RoomOffset = TopExponent + Headroom + ExponentOffset;
  localparam int OffsetBound = ((RoomOffset < 0) ? -RoomOffset : RoomOffset) + 1;
  localparam int SumBits = (RoomOffset == 0)
      ? ExponentBits : 1 + $clog2((1 << (ExponentBits - 1)) + OffsetBound);
  localparam int RoomBits = (SumBits > ShiftBits) ? SumBits : ShiftBits + 1;

  logic signed [RoomBits-1:0] room, base;
  logic [Bits-1:0]            unshifted, normalised;
  logic [ShiftBits-1:0]       shift;
  logic                       is_limited;

  assign room = RoomBits'(lsb_exponent_i) + RoomBits'(RoomOffset);

  if (PadBits > 0) begin : gen_pad
    assign unshifted = {UsedBits'(magnitude_i), {PadBits{increment_i}}};
  end else begin : gen_no_pad
    assign unshifted = Bits'(magnitude_i);
  end

  mx_normalise #(
    .Width   (Bits),
    .RoomBits(RoomBits)
  ) u_normalise (
    .data_i      (unshifted),
    .fill_i      (increment_i),
    .room_i      (room),
    .data_o      (normalised),
    .shift_o     (shift),
    .is_limited_o(is_limited)
  );

  // If the hidden bit is clear then the shift was limited and is room_i, which makes base 0; or the
  // number is zero; or room is negative, and only zeros were put above.
  logic vanishes;

  assign base     = room - $signed(RoomBits'(shift));
  assign vanishes = !normalised[Bits-1] && (!is_limited || room[RoomBits-1]);

  assign parts_o = {
    vanishes, BaseBits'(base), normalised[Bits-1 -: SignificandBits], normalised[RestBits],
    increment_i || (|normalised[RestBits-1:0]), increment_i && (&normalised[RestBits-1:0])
  };

`ifndef SYNTHESIS
  initial begin
    if (mx_pkg::is_number(Result) == 0) begin
      $fatal(1, "mx_round: Result is %0d; it must be a number format id of mx_pkg, 0 to 5 or 8 to 12.",
             Result);
    end
    if (Width < 1) begin
      $fatal(1, "mx_round: Width is %0d; it must be at least 1.", Width);
    end
    if (ExponentBits < 2 || RoomBits > BaseBits) begin
      $fatal(1, "mx_round: ExponentBits is %0d; with Width %0d it must be from 2 to %0d.",
             ExponentBits, Width, ExponentBits + BaseBits - RoomBits);
    end
  end
`endif

endmodule
