// Rounds an exact sign-magnitude number to a number format: the only rounder of this library.
//
//   result_o = the number of format Result nearest to, ties to even (Mode NearestEven), or next to
//              and not above in magnitude (TowardZero),
//     (-1)^sign_i * (magnitude_i + increment_i) * 2^(lsb_exponent_i + ExponentOffset)
//
// Gradual underflow: below the smallest normal number the result is a multiple of the smallest
// subnormal one, and a magnitude that rounds to nothing gives zero with sign_i. A zero magnitude
// gives zero with sign_i and sets is_zero_o. Overflow is what rounds to more than the largest finite
// number with the exponent range unbounded, whatever the Mode: it sets overflow_o and gives Inf
// where the format has one (Fp32, Bf16, Fp16, E8M13), else (elements, Ue4m3) the largest magnitude.
// A Ue4m3 has no sign.
//
// increment_i adds one unit of magnitude_i's LSB without a carry chain: a caller with a negative
// two's complement number gives its complement here, and 1; see mx_round_normalise.
//
// A caller that has jammed lost bits into bit 0 (mx_shift_right_jam) gets the rounding of the exact
// number, provided the magnitude keeps at least two bits more than the format's significand from its
// leading one down to bit 0, or bit 0 lies below half the smallest subnormal number.
//
// Two halves, so that a pipeline can put a register between them: mx_round_normalise finds the
// significand, mx_round_result rounds and packs it.
//
// Width: any. The exponent must not be below LowestExponent; a caller that knows more than its
// width says so here, and saves hardware for numbers that are subnormal however large they look.
//
// Combinational.
module mx_round #(
  parameter int Width = 69,              // bits of the magnitude
  parameter int ExponentBits = 10,       // bits of the exponent, signed
  parameter int Result = mx_pkg::Fp32,   // a number format id of mx_pkg
  parameter int Mode = mx_pkg::NearestEven,
  parameter int ExponentOffset = 0,
  parameter int LowestExponent = ExponentOffset - (1 << (ExponentBits - 1))
) (
  input  logic                                   sign_i,
  input  logic [Width-1:0]                       magnitude_i,
  input  logic                                   increment_i,  // 0 if not used
  input  logic signed [ExponentBits-1:0]         lsb_exponent_i,
  output logic [mx_pkg::number_bits(Result)-1:0] result_o,
  output logic                                   is_zero_o,
  output logic                                   overflow_o
);

  logic [mx_pkg::rounding_bits(Result)-1:0] parts;

  mx_round_normalise #(
    .Width         (Width),
    .ExponentBits  (ExponentBits),
    .Result        (Result),
    .ExponentOffset(ExponentOffset),
    .LowestExponent(LowestExponent)
  ) u_normalise (
    .magnitude_i,
    .increment_i,
    .lsb_exponent_i,
    .parts_o(parts)
  );

  mx_round_result #(
    .Result(Result),
    .Mode  (Mode)
  ) u_result (
    .sign_i,
    .parts_i(parts),
    .result_o,
    .is_zero_o,
    .overflow_o
  );

endmodule
