// Rounds an exact sign-magnitude number to Float32: the only rounder of this library.
//
//   result_o = Float32 nearest to (-1)^sign_i * magnitude_i * 2^lsb_exponent_i, ties to even
//
// Gradual underflow: below 2^-126 the result is a multiple of 2^-149, and a magnitude that rounds
// to nothing gives zero with sign_i. Magnitudes that round to 2^128 or more give Inf. A zero
// magnitude gives zero with sign_i.
//
// A caller that has jammed lost bits into bit 0 (mx_shift_right_jam) gets the rounding of the exact
// number, provided the magnitude keeps at least 26 bits from its leading one down to bit 0.
//
// Width: any magnitude width and exponent width for which the exponent field of the normalised
// number, lsb_exponent_i + (Width - 1) + 127, fits ExponentBits + 1 signed bits.
//
// Combinational.
module mx_round_fp32 #(
  parameter int Width = 69,        // bits of the magnitude, at least 2
  parameter int ExponentBits = 10  // bits of the exponent, signed, at least 9
) (
  input  logic                           sign_i,
  input  logic [Width-1:0]               magnitude_i,
  input  logic signed [ExponentBits-1:0] lsb_exponent_i,
  output logic [31:0]                    result_o
);

  // 24 significand bits, guard and sticky.
  localparam int KeptBits = 26;
  localparam int NormalisedBits = (Width > KeptBits) ? Width : KeptBits;
  localparam int CountBits = $clog2(Width);
  localparam int FieldBits = ExponentBits + 1;
  // Exponent field of a number whose leading one is the top bit of a magnitude with LSB 2^0.
  localparam logic signed [FieldBits-1:0] TopField = FieldBits'(Width - 1 + 127);
  // From this field down the leading one is denormalised into the sticky bit.
  localparam logic signed [FieldBits-1:0] LostField = FieldBits'(2 - KeptBits);

  ///////////////
  // Normalise //
  ///////////////

  // Shifts the leading one to the top bit. Step k shifts by 2^k if that many leading bits are zero,
  // so that the steps taken spell the number of leading zeros.
  logic [NormalisedBits-1:0] shifted, normalised;
  logic [CountBits-1:0]      count, leading_zeros;

  always_comb begin
    shifted = NormalisedBits'(magnitude_i) << (NormalisedBits - Width);
    count   = '0;
    for (int k = CountBits - 1; k >= 0; k--) begin
      if ((shifted >> (NormalisedBits - (1 << k))) == '0) begin
        shifted  = shifted << (1 << k);
        count[k] = 1'b1;
      end
    end
    normalised    = shifted;
    leading_zeros = count;
  end

  /////////////////
  // Denormalise //
  /////////////////

  // Float32 exponent field of the normalised number, as if the field had no bounds. A field below 1
  // makes the result subnormal: its LSB is that of field 1, 1 - field places higher.
  logic signed [FieldBits-1:0] field;
  logic [4:0]                  distance;

  always_comb begin
    field = TopField + FieldBits'(lsb_exponent_i) - $signed(FieldBits'(leading_zeros));
    if (field >= 1) begin
      distance = 5'd0;
    end else if (field <= LostField) begin
      distance = 5'(KeptBits - 1);
    end else begin
      distance = 5'(1 - field);
    end
  end

  logic [KeptBits-1:0] kept;
  logic [KeptBits-1:0] aligned;

  assign kept = {normalised[NormalisedBits-1 -: KeptBits-1],
                 |normalised[NormalisedBits-KeptBits:0]};

  mx_shift_right_jam #(
    .Width       (KeptBits),
    .DistanceBits(5)
  ) u_denormalise (
    .data_i    (kept),
    .distance_i(distance),
    .data_o    (aligned)
  );

  ////////////////////
  // Round and pack //
  ////////////////////

  logic        hidden;  // set for a normal number, clear for a subnormal one and zero
  logic        guard, sticky, is_odd;
  logic        round_up;
  logic        is_overflow;
  logic [7:0]  exponent;
  logic [30:0] finite;

  assign hidden   = aligned[25];
  assign is_odd   = aligned[2];
  assign guard    = aligned[1];
  assign sticky   = aligned[0];
  assign exponent = hidden ? field[7:0] : 8'd0;

  // guard sticky | rest below the result's LSB
  //   0     0    | none: exact
  //   0     1    | below half a unit: down
  //   1     0    | exactly half a unit: to the even neighbour
  //   1     1    | above half a unit: up
  assign round_up = guard && (sticky || is_odd);

  // A carry out of the significand moves into the exponent field as it should: to the next binade,
  // from the largest subnormal to the smallest normal number, or to Inf.
  assign finite      = {exponent, aligned[24:2]} + 31'(round_up);
  assign is_overflow = hidden && field > 254;
  assign result_o    = {sign_i, is_overflow ? mx_pkg::Fp32Inf : finite};

`ifndef SYNTHESIS
  initial begin
    if (ExponentBits < 9) begin
      $fatal(1, "mx_round_fp32: ExponentBits is %0d; it must be at least 9.", ExponentBits);
    end
    if (Width < 2 || Width + 127 > (1 << (ExponentBits - 1))) begin
      $fatal(1, "mx_round_fp32: Width is %0d; with ExponentBits %0d it must be from 2 to %0d.",
             Width, ExponentBits, (1 << (ExponentBits - 1)) - 127);
    end
  end
`endif

endmodule
