// Rounds an aligned significand to a number format and packs it: the last step of mx_round, and the
// place in this library where numbers are rounded.
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

  localparam int MantissaBits = mx_pkg::number_mantissa_bits(Result);
  localparam int ExponentBits = mx_pkg::number_exponent_bits(Result);
  localparam int CodeBits = ExponentBits + MantissaBits;  // sign off
  localparam int Largest = mx_pkg::number_largest(Result);
  localparam logic signed [FieldBits-1:0] LargestField = FieldBits'(Largest >> MantissaBits);

  logic              is_odd, hidden, round_up;
  logic              is_too_large;
  logic [CodeBits:0] exponent, code;

  assign is_odd = significand_i[0];
  assign hidden = significand_i[MantissaBits];

  always_comb begin
    if (Mode == mx_pkg::TowardZero) begin
      round_up = guard_i && carry_i;
    end else if (carry_i) begin
      round_up = guard_i || is_odd;
    end else begin
      round_up = guard_i && (sticky_i || is_odd);
    end
  end

  assign exponent     = hidden ? (CodeBits+1)'(field_i) << MantissaBits : '0;
  assign code         = (exponent | (CodeBits+1)'(significand_i[MantissaBits-1:0]))
      + (CodeBits+1)'(round_up);
  assign is_too_large = hidden && field_i > LargestField;
  assign overflow_o   = is_too_large || code > (CodeBits+1)'(Largest);

  //////////
  // Pack //
  //////////

  logic                sign;
  logic [CodeBits-1:0] magnitude;

  assign sign = sign_i && Result != mx_pkg::Ue4m3;

  if (mx_pkg::number_has_inf(Result) != 0) begin : gen_inf
    // What rounds up to the field of Inf has no mantissa: it is Inf already.
    assign magnitude = is_too_large ? CodeBits'(Largest + 1) : code[CodeBits-1:0];
  end else begin : gen_largest
    assign magnitude = overflow_o ? CodeBits'(Largest) : code[CodeBits-1:0];
  end

  if (mx_pkg::number_pad_bits(Result) > 0) begin : gen_padded
    assign result_o = {sign, magnitude, {mx_pkg::number_pad_bits(Result){1'b0}}};
  end else begin : gen_whole
    assign result_o = {sign, magnitude};
  end

endmodule
