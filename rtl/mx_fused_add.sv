// Adds a Float32 number to an exact scaled block sum; the result is ready to be rounded once.
//
//   (-1)^sign_o * (magnitude_o + increment_o) * 2^(exponent_o + mx_pkg::fused_exponent(SumBits))
//     = c + (-1)^negative_i * sum_i * 2^(scale_sum_i + GridExponent)
//
// but for bits below, jammed into bit 0, that cannot change how it rounds to Float32 or a narrower
// format. exponent_o is the field of the exponent of bit fused_bits - 2, and never below 1: nothing
// here lies below the smallest normal number that would have to be shifted right again. magnitude_o
// and increment_o are zero only for an exact zero.
//
// The number with the larger exponent, of the sum that of its top bit whatever it holds, is the
// anchor and stays; the other is shifted right. A zero sum is never the anchor. The shifted one is
// added as it is and the anchor complemented if the signs differ, so the result has the sign of the
// shifted one, and nothing is negated. A negative result is handed on as its complement and a 1.
//
// Width: the window holds the sum and FusedGuardBits = 26 bits below its grid unit.
//  - Sum as anchor. c is whole in the window if its exponent is at most that of the grid unit's half
//    less one: 2 + 24 = 26 bits. Below that |c| < 1/4 unit, so the result is at least 3/4 unit and has
//    its leading one at bit 25 or higher: 26 bits down to the jammed one, as Float32 needs.
//  - c as anchor. A normal c has its leading one at the top; a sum two places or more below leaves
//    the result's leading one at most one place lower, and a sum closer than that is whole in the
//    window. A subnormal c, zero included, has its field 1 at the top, where the result's LSB then is:
//    26 bits are above bit 0 again.
// One bit more holds the carry, and one the sign.
//
// c that is NaN or Inf gives no meaningful result; the caller looks for it.
//
// Combinational.
module mx_fused_add #(
  parameter int SumBits = 41,        // magnitude bits of the sum
  parameter int GridExponent = -272  // exponent of the sum's LSB where scale_sum_i is 0
) (
  input  logic [SumBits:0]                              sum_i,       // two's complement
  input  logic                                          negative_i,  // the sum is -sum_i
  input  logic [mx_pkg::ScaleBits:0]                    scale_sum_i,
  input  logic [31:0]                                   c_i,
  output logic                                          sign_o,
  output logic [mx_pkg::fused_bits(SumBits)-1:0]        magnitude_o,
  output logic                                          increment_o,
  output logic signed [mx_pkg::ExponentBits:0]          exponent_o
);

  localparam int Guard = mx_pkg::FusedGuardBits;
  localparam int WindowBits = SumBits + Guard + 1;  // signed
  localparam int ExponentBits = mx_pkg::ExponentBits + 1;
  localparam int DistanceBits = $clog2(WindowBits + 1);
  // Exponent field of the sum's top bit where scale_sum_i is 0, and the 1 of the complement of c_field.
  localparam logic [ExponentBits-1:0] FieldOffset =
      ExponentBits'(GridExponent + SumBits - 1 + 127 + 1);

  /////////////////////////
  // Which is the anchor //
  /////////////////////////

  logic                           c_is_normal;
  logic [23:0]                    c_significand;
  logic signed [ExponentBits-1:0] c_field;
  logic [ExponentBits-1:0]        scale_sum, not_c_field, half_sums, carries, difference;
  logic                           c_is_anchor;
  logic [ExponentBits-2:0]        distance;
  logic [DistanceBits-1:0]        limited;

  assign c_is_normal   = c_i[30:23] != 8'd0;
  assign c_significand = {c_is_normal, c_i[22:0]};
  assign c_field       = ExponentBits'({c_i[30:24], c_i[23] || !c_is_normal});

  // Exponent field of the sum's top bit less that of c: three terms, one of them constant, reduced to
  // two and added by one carry chain.
  assign scale_sum   = ExponentBits'(scale_sum_i);
  assign not_c_field = ~c_field;
  assign half_sums   = scale_sum ^ not_c_field ^ FieldOffset;
  assign carries     = (scale_sum & not_c_field) | (FieldOffset & (scale_sum ^ not_c_field));

  mx_add #(
    .Width(ExponentBits)
  ) u_difference (
    .a_i    (carries << 1),
    .b_i    (half_sums),
    .carry_i(1'b0),
    .sum_o  (difference)
  );

  assign c_is_anchor   = difference[ExponentBits-1] || sum_i == '0;
  assign exponent_o    = c_field + $signed(c_is_anchor ? {ExponentBits{1'b0}} : difference);

  // The complement of a negative difference is one less than its magnitude: the sum starts one place
  // lower for it. Beyond the window every distance is as good as the largest.
  assign distance = difference[ExponentBits-2:0] ^ {ExponentBits-1{difference[ExponentBits-1]}};
  assign limited  = distance[DistanceBits-1:0]
      | {DistanceBits{(distance >> DistanceBits) != '0}};

  ///////////////////
  // Align and add //
  ///////////////////

  logic [WindowBits-1:0] c_placed, sum_placed, shifted, aligned;
  logic                  subtract;
  logic [WindowBits:0]   anchor, addend, total;
  logic                  unused_zero;

  assign c_placed   = WindowBits'(c_significand) << (WindowBits - 25);
  assign sum_placed = {sum_i, {Guard{1'b0}}};
  assign shifted    = c_is_anchor ? {sum_i[SumBits], sum_i, {Guard - 1{1'b0}}} : c_placed;

  mx_shift_right_jam #(
    .Width       (WindowBits),
    .DistanceBits(DistanceBits),
    .Signed      (1)
  ) u_align (
    .data_i    (shifted),
    .distance_i(limited),
    .data_o    (aligned)
  );

  assign subtract = negative_i ^ c_i[31];
  assign addend   = {aligned[WindowBits-1], aligned};
  assign anchor   = c_is_anchor ? {1'b0, c_placed} : {sum_placed[WindowBits-1], sum_placed};

  // Bit 0 of the anchor is always 0, so that bit 0 of the total is that of the addend and the carry out
  // of it is subtract, whatever was jammed there: the jam, which comes last, stays out of the chain.
  logic [WindowBits-1:0] anchor_above;

  assign unused_zero  = anchor[0];
  assign anchor_above = anchor[WindowBits:1] ^ {WindowBits{subtract}};

  mx_add #(
    .Width(WindowBits)
  ) u_add (
    .a_i    (addend[WindowBits:1]),
    .b_i    (anchor_above),
    .carry_i(subtract),
    .sum_o  (total[WindowBits:1])
  );

  assign total[0] = addend[0];

  assign increment_o = total[WindowBits];
  assign magnitude_o = total[WindowBits-1:0] ^ {WindowBits{increment_o}};
  assign sign_o      = increment_o ^ (c_is_anchor ? negative_i : c_i[31]);

endmodule
