// Adds a Float32 c to the sum of aligned products, ready for one rounding.
//
//   (-1)^sign_o * (magnitude_o + increment_o) * 2^exponent_o
//       rounds as  (-1)^sum_negative_i * sum_i * 2^sum_exponent_i + c_i
//
// The sum lies in a frame with 26 bits below its last bit; c is placed there by one left shift, with
// what falls below the frame jammed into its last bit. Where c is that small the sum, at least one
// unit, keeps 26 bits from the leading one of the result down to the jammed bit. Two cases are
// anchored at c instead, whose bits then are all there: a sum of zero; and a c whose last bit is
// more than two places above the sum, which lets the sum decide a rounding only by its sign, so that
// it does as well two places below c.
//
// Width: c reaches 2 + 24 bits above the sum, one more bit holds the carry. Inf and NaN mean nothing.
//
// Combinational.
module mx_aligned_late_add #(
  parameter int SumBits = 33  // signed
) (
  input  logic                                           sum_negative_i,
  input  logic [SumBits-1:0]                             sum_i,
  input  logic signed [mx_pkg::AlignedExponentBits-1:0] sum_exponent_i,
  input  logic [31:0]                                    c_i,
  output logic                                           sign_o,
  output logic [mx_pkg::aligned_late_bits(SumBits)-1:0]  magnitude_o,
  output logic                                           increment_o,
  output logic signed [mx_pkg::AlignedExponentBits-1:0] exponent_o
);

  localparam int ExponentBits = mx_pkg::AlignedExponentBits;
  localparam int Bits = mx_pkg::aligned_late_bits(SumBits);
  localparam int BelowBits = 26;
  localparam int LostBits = 25;  // a c shifted by nothing lies in them
  localparam int LargestShift = LostBits + BelowBits + SumBits - 1 + 2;
  localparam int ShiftBits = $clog2(LargestShift + 1);
  // Wide enough for the difference of any two exponents.
  localparam int DifferenceBits = ExponentBits + 1;

  logic                             c_is_normal;
  logic signed [ExponentBits-1:0]   c_exponent;  // of the last bit of c
  logic signed [DifferenceBits-1:0] difference;
  logic                             sum_is_zero, is_above, is_anchored_at_c;
  logic [ShiftBits-1:0]             shift;
  logic [Bits+LostBits-1:0]         shifted;
  logic [Bits:0]                    sum, c, total;
  logic                             differ;

  assign c_is_normal = c_i[30:23] != 8'd0;
  assign c_exponent  = $signed({3'd0, c_i[30:24], c_i[23] || !c_is_normal})
      - $signed(ExponentBits'(127 + 23));

  always_comb begin
    difference  = DifferenceBits'(c_exponent) - DifferenceBits'(sum_exponent_i)
        + $signed(DifferenceBits'(BelowBits + LostBits));
    sum_is_zero = sum_i == '0;
    is_above    = difference > $signed(DifferenceBits'(LargestShift));
    is_anchored_at_c = sum_is_zero || is_above;
    if (sum_is_zero) begin
      shift = ShiftBits'(LostBits);
    end else if (is_above) begin
      shift = ShiftBits'(LargestShift);
    end else if (difference[DifferenceBits-1]) begin
      shift = '0;
    end else begin
      shift = difference[ShiftBits-1:0];
    end
    exponent_o = is_anchored_at_c
        ? c_exponent + ExponentBits'(LostBits) - $signed(ExponentBits'(shift))
        : sum_exponent_i - $signed(ExponentBits'(BelowBits));
  end

  always_comb begin
    shifted = (Bits+LostBits)'({c_is_normal, c_i[22:0]}) << shift;
    c       = (Bits+1)'(shifted >> LostBits);
    c[0]    = c[0] || shifted[LostBits-1:0] != '0;
    sum     = (Bits+1)'($signed(sum_i)) << BelowBits;
    differ  = sum_negative_i ^ c_i[31];
  end

  mx_add #(
    .Width(Bits + 1)
  ) u_add (
    .a_i    (sum),
    .b_i    (c ^ {Bits+1{differ}}),
    .carry_i(differ),
    .sum_o  (total)
  );

  assign increment_o = total[Bits];
  assign sign_o      = total[Bits] ^ sum_negative_i;
  assign magnitude_o = total[Bits] ? ~total[Bits-1:0] : total[Bits-1:0];

endmodule
