// Rounds an aligned significand to a number format and packs it: mx_round_result, the last step of
// mx_round, for callers that align by themselves.
//
//   number = (-1)^sign_i * (significand_i + rest) * 2^(max(field_i, 1) - bias - MantissaBits)
//
// significand_i holds the bits of the result's significand. Its top bit, the hidden bit, is clear
// only for a subnormal number and zero: it stands at the place of the smallest normal number's hidden
// bit then, whatever field_i is. With the hidden bit set field_i is the exponent field, as if it had
// no upper bound.
//
// The rest, below one unit of significand_i's LSB, is given by
//
//   guard_i sticky_i | rest                            carry_i: a whole half unit lies below guard_i;
//      0       0     | none: exact                     with guard_i 0 | half a unit: to even
//      0       1     | below half a unit: down         with guard_i 1 | a whole unit: exact
//      1       0     | half a unit: to the even neighbour
//      1       1     | above half a unit: up
//
// A carry out of the significand moves into the exponent field as it should: to the next binade, from
// the largest subnormal to the smallest normal number, or beyond the largest number. Overflow is what
// rounds to more than the largest finite number: it sets overflow_o and gives Inf where the format
// has one (Fp32, Bf16, Fp16, E8M13), else (elements, Ue4m3) the largest magnitude. A Ue4m3 has no sign.
//
// Combinational.
module mx_round_pack #(
  parameter int FieldBits = 12,             // bits of field_i, more than those of the exponent field
  parameter int Result = mx_pkg::Fp32,      // a number format id of mx_pkg
  parameter int Mode = mx_pkg::NearestEven  // or TowardZero
) (
  input  logic                                            sign_i,
  input  logic [mx_pkg::number_mantissa_bits(Result):0]   significand_i,
  input  logic                                            guard_i,
  input  logic                                            sticky_i,
  input  logic                                            carry_i,  // 0 if not used
  input  logic signed [FieldBits-1:0]                     field_i,
  output logic [mx_pkg::number_bits(Result)-1:0]          result_o,
  output logic                                            overflow_o
);

  logic unused_zero;

  mx_round_result #(
    .Result (Result),
    .Mode   (Mode),
    .LessOne(0)
  ) u_result (
    .sign_i,
    .parts_i   ({1'b0, mx_pkg::RoundingBaseBits'(field_i), significand_i, guard_i, sticky_i, carry_i}),
    .result_o,
    .is_zero_o (unused_zero),
    .overflow_o
  );

endmodule
