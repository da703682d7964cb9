// Rounds an exact sign-magnitude number to a number format: the only rounder of this library, with its
// last step, mx_round_pack.
//
//   result_o = the number of format Result nearest to, ties to even (Mode NearestEven), or next to
//              and not above in magnitude (TowardZero),
//              (-1)^sign_i * (magnitude_i + increment_i) * 2^lsb_exponent_i
//
// Gradual underflow: below the smallest normal number the result is a multiple of the smallest
// subnormal one, and a magnitude that rounds to nothing gives zero with sign_i. A zero magnitude
// gives zero with sign_i. Overflow is what rounds to more than the largest finite number with the
// exponent range unbounded, whatever the Mode: it sets overflow_o and gives Inf where the format has
// one (Fp32, Bf16, Fp16, E8M13), else (elements, Ue4m3) the largest magnitude. A Ue4m3 has no sign.
//
// increment_i adds one unit of magnitude_i's LSB without a carry chain: a caller with a negative
// two's complement number gives its complement here, and 1. The number is then read as magnitude_i
// followed by ones without end, which is the same value.
//
// A caller that has jammed lost bits into bit 0 (mx_shift_right_jam) gets the rounding of the exact
// number, provided the magnitude keeps at least two bits more than the format's significand from its
// leading one down to bit 0, or bit 0 lies below half the smallest subnormal number.
//
// How: the leading one is shifted to the top, but not past the place of the smallest normal number's
// hidden bit; if the magnitude's top lies below that place to begin with, zeros are put above it
// first (as many as LowestExponent makes necessary), so that there is only ever a left shift.
//
// Width: any. lsb_exponent_i must not be below LowestExponent; a caller that knows more than its
// width says so here and saves the zeros above.
//
// Combinational.
module mx_round #(
  parameter int Width = 69,              // bits of the magnitude
  parameter int ExponentBits = 10,       // bits of the exponent, signed
  parameter int Result = mx_pkg::Fp32,   // a number format id of mx_pkg
  parameter int Mode = mx_pkg::NearestEven,
  parameter int LowestExponent = -(1 << (ExponentBits - 1))
) (
  input  logic                                   sign_i,
  input  logic [Width-1:0]                       magnitude_i,
  input  logic                                   increment_i,  // 0 if not used
  input  logic signed [ExponentBits-1:0]         lsb_exponent_i,
  output logic [mx_pkg::number_bits(Result)-1:0] result_o,
  output logic                                   overflow_o
);

  localparam int MantissaBits = mx_pkg::number_mantissa_bits(Result);
  localparam int FieldBits = mx_pkg::number_exponent_bits(Result);
  localparam int SignificandBits = MantissaBits + 1;

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
  // Room is at most 2^(ExponentBits-1) + TopBound in magnitude.
  localparam int TopBound = ((TopExponent < 0) ? -TopExponent : TopExponent) + Headroom + 2;
  localparam int SumBits = 1 + $clog2((1 << (ExponentBits - 1)) + TopBound);
  localparam int NeededBits = (ShiftBits > FieldBits) ? ShiftBits + 1 : FieldBits + 2;
  localparam int RoomBits = (SumBits > NeededBits) ? SumBits : NeededBits;

  ///////////////
  // Normalise //
  ///////////////

  logic signed [RoomBits-1:0] room;
  logic [Bits-1:0]            unshifted, normalised;
  logic [ShiftBits-1:0]       shift;

  assign room = RoomBits'(lsb_exponent_i) + RoomBits'(TopExponent + Headroom);

  if (PadBits > 0) begin : gen_pad
    assign unshifted = {UsedBits'(magnitude_i), {PadBits{increment_i}}};
  end else begin : gen_no_pad
    assign unshifted = Bits'(magnitude_i);
  end

  mx_normalise #(
    .Width   (Bits),
    .RoomBits(RoomBits)
  ) u_normalise (
    .data_i (unshifted),
    .fill_i (increment_i),
    .room_i (room),
    .data_o (normalised),
    .shift_o(shift)
  );

  ///////////
  // Round //
  ///////////

  logic [RestBits-1:0]        rest;
  logic signed [RoomBits-1:0] field;

  assign rest  = normalised[RestBits-1:0];
  assign field = room - $signed(RoomBits'(shift)) + RoomBits'(1);

  // With increment_i the rest stands for rest + 1: never zero, and a whole guard unit if all ones.
  mx_round_pack #(
    .FieldBits(RoomBits),
    .Result   (Result),
    .Mode     (Mode)
  ) u_pack (
    .sign_i,
    .significand_i(normalised[Bits-1 -: SignificandBits]),
    .guard_i      (normalised[RestBits]),
    .sticky_i     (increment_i || (|rest)),
    .carry_i      (increment_i && (&rest)),
    .field_i      (field),
    .result_o,
    .overflow_o
  );

`ifndef SYNTHESIS
  initial begin
    if (mx_pkg::is_number(Result) == 0) begin
      $fatal(1, "mx_round: Result is %0d; it must be a number format id of mx_pkg, 0 to 5 or 8 to 12.",
             Result);
    end
    if (Mode != mx_pkg::NearestEven && Mode != mx_pkg::TowardZero) begin
      $fatal(1, "mx_round: Mode is %0d; it must be 0 (to nearest even) or 1 (toward zero).", Mode);
    end
    if (Width < 1) begin
      $fatal(1, "mx_round: Width is %0d; it must be at least 1.", Width);
    end
    if (ExponentBits < 2 || ExponentBits > 20) begin
      $fatal(1, "mx_round: ExponentBits is %0d; it must be from 2 to 20.", ExponentBits);
    end
  end
`endif

endmodule
