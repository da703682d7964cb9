// Second half of mx_round: rounds and packs what mx_round_normalise found.
//
//   guard sticky | below the result's LSB             guard | with ones: one more guard unit below
//     0     0    | none: exact                          0   | exactly half a unit: to even
//     0     1    | below half a unit: down              1   | a whole unit: exact, up
//     1     0    | exactly half a unit: to even
//     1     1    | above half a unit: up
//
// Toward zero only the exact whole unit counts. A carry out of the significand moves into the
// exponent field as it should: to the next binade, from the largest subnormal to the smallest normal
// number, or beyond the largest number. With LessOne = 1 (as mx_round_normalise gives it) base is the
// exponent field less 1, 0 if the hidden bit is clear, and the hidden bit is added to it; with
// LessOne = 0 it is the exponent field itself, without meaning if the hidden bit is clear.
//
// Combinational.
module mx_round_result #(
  parameter int Result = mx_pkg::Fp32,  // a number format id of mx_pkg
  parameter int Mode = mx_pkg::NearestEven,
  parameter int LessOne = 1
) (
  input  logic                                     sign_i,
  input  logic [mx_pkg::rounding_bits(Result)-1:0] parts_i,
  output logic [mx_pkg::number_bits(Result)-1:0]   result_o,
  output logic                                     is_zero_o,   // exactly, before rounding
  output logic                                     overflow_o
);

  localparam int MantissaBits = mx_pkg::number_mantissa_bits(Result);
  localparam int FieldBits = mx_pkg::number_exponent_bits(Result);
  localparam int PadBits = mx_pkg::number_pad_bits(Result);
  localparam int Largest = mx_pkg::number_largest(Result);
  localparam int LargestField = Largest >> MantissaBits;
  localparam int BaseBits = mx_pkg::RoundingBaseBits;
  localparam int CodeBits = FieldBits + MantissaBits;

  logic                    vanishes, hidden, guard, sticky, ones;
  logic [BaseBits-1:0]     base;
  logic [MantissaBits-1:0] mantissa;

  assign {vanishes, base, hidden, mantissa, guard, sticky, ones} = parts_i;

  ///////////
  // Round //
  ///////////

  logic round_up;

  assign round_up = (Mode == mx_pkg::TowardZero) ? guard && ones
      : ones ? guard || mantissa[0] : guard && (sticky || mantissa[0]);

  // One bit more than the code, for the carry out.
  logic [CodeBits:0]   code;
  logic [BaseBits-1:0] field;
  logic                one;

  assign field = (LessOne != 0 || hidden) ? base : '0;
  assign one   = LessOne != 0 && hidden;

  mx_add #(
    .Width(CodeBits + 1)
  ) u_round (
    .a_i    ((CodeBits+1)'({field, mantissa})),
    .b_i    ((CodeBits+1)'({one, {MantissaBits{1'b0}}})),
    .carry_i(round_up),
    .sum_o  (code)
  );

  //////////
  // Pack //
  //////////

  // Too large is an exponent field above that of the largest number: base > or >= its field.
  logic is_too_large;

  always_comb begin
    is_too_large = LessOne != 0;
    for (int i = 0; i < BaseBits; i++) begin
      is_too_large = ((LargestField >> i) % 2 != 0) ? base[i] && is_too_large : base[i] || is_too_large;
    end
    is_too_large = is_too_large && hidden;
  end

  logic                sign;
  logic [CodeBits-1:0] magnitude;

  assign is_zero_o  = !hidden && mantissa == '0 && !guard && !sticky;
  assign overflow_o = is_too_large || (!vanishes && code > (CodeBits+1)'(Largest));
  assign sign       = sign_i && Result != mx_pkg::Ue4m3;

  if (mx_pkg::number_has_inf(Result) != 0) begin : gen_inf
    // What rounds up to the field of Inf has no mantissa: it is Inf already.
    assign magnitude = is_too_large ? CodeBits'(Largest + 1) : vanishes ? '0 : code[CodeBits-1:0];
  end else begin : gen_largest
    assign magnitude = overflow_o ? CodeBits'(Largest) : vanishes ? '0 : code[CodeBits-1:0];
  end

  if (PadBits > 0) begin : gen_padded
    assign result_o = {sign, magnitude, {PadBits{1'b0}}};
  end else begin : gen_whole
    assign result_o = {sign, magnitude};
  end

`ifndef SYNTHESIS
  initial begin
    if (Mode != mx_pkg::NearestEven && Mode != mx_pkg::TowardZero) begin
      $fatal(1, "mx_round: Mode is %0d; it must be 0 (to nearest even) or 1 (toward zero).", Mode);
    end
  end
`endif

endmodule
