// Whether a code is the right rounding of an exact number, said by inequalities between integers.
//
//   number = (halves_i / 2) * 2^exponent_i            without sign
//
// A code stands for M * 2^q. To nearest even it is right for the numbers from (M - 1/2) * 2^q to
// (M + 1/2) * 2^q, and for these two themselves only if M is even; where M is the lowest of its
// binade the next number below is half as far. Toward zero it is right from M * 2^q to below
// (M + 1) * 2^q. The same inequality at the largest number says what overflows. Nothing is
// normalised or rounded here, and no number of the format comes from the RTL: see formal_formats.
//
// Combinational.
module spec_nearest #(
  parameter int Width = 8,         // bits of halves_i
  parameter int ExponentBits = 10,
  parameter int Result = 8,        // number format id
  parameter int TowardZero = 0
) (
  input  logic [Width-1:0]               halves_i,
  input  logic signed [ExponentBits-1:0] exponent_i,
  input  logic [formal_formats::field_bits(Result)+formal_formats::mantissa_bits(Result)-1:0] code_i,
  output logic                           is_right_o,    // among the finite numbers
  output logic                           is_beyond_o    // of the largest one: overflow
);

  localparam int MantissaBits = formal_formats::mantissa_bits(Result);
  localparam int FieldBits = formal_formats::field_bits(Result);
  localparam int LargestCode = formal_formats::largest_code(Result);
  localparam int Quantum = formal_formats::quantum_exponent(Result);
  localparam int LargestField = LargestCode >> MantissaBits;
  localparam logic [MantissaBits:0] LargestSignificand =
      (MantissaBits+1)'((LargestCode % (1 << MantissaBits)) + (LargestField != 0 ? 1 << MantissaBits : 0));

  // Bounds in quarters of a unit of M; a number of Bits bits holds them and halves_i, the one or
  // the other shifted as far as it can matter.
  localparam int BoundBits = MantissaBits + 4;
  localparam int Bits = Width + BoundBits + 2;
  localparam int DistanceBits = ((ExponentBits > FieldBits) ? ExponentBits : FieldBits + 1) + 4;

  logic [MantissaBits:0]          significand;
  logic [31:0]                    field;
  logic signed [DistanceBits-1:0] distance, largest_distance;
  logic                           is_even, above_lower, at_lower, below_upper, at_upper;
  logic [BoundBits-1:0]           lower, upper, limit;
  logic                           is_below_limit, is_at_limit;

  assign field       = 32'(code_i) >> MantissaBits;
  assign significand = {field != 0, code_i[MantissaBits-1:0]};
  assign is_even     = !significand[0];

  assign lower = (significand == '0) ? '0
      : TowardZero != 0 ? {1'b0, significand, 2'b00}
      : (field > 1 && code_i[MantissaBits-1:0] == '0) ? {1'b0, significand, 2'b00} - 1'b1
      : {1'b0, significand, 2'b00} - 2'd2;
  assign upper = {1'b0, significand, 2'b00} + (TowardZero != 0 ? 3'd4 : 3'd2);
  assign limit = {1'b0, LargestSignificand, 2'b00} + (TowardZero != 0 ? 3'd4 : 3'd2);

  // Exponent of a quarter of M's unit less that of a half of the magnitude's.
  assign distance         = DistanceBits'($signed((field == 0) ? 32'd1 : field)) - DistanceBits'(exponent_i)
      + DistanceBits'(Quantum - 2);
  assign largest_distance = DistanceBits'((LargestField == 0) ? 1 : LargestField) - DistanceBits'(exponent_i)
      + DistanceBits'(Quantum - 2);

  spec_compare #(.Width(Width), .BoundBits(BoundBits), .DistanceBits(DistanceBits)) u_lower (
    .number_i(halves_i), .bound_i(lower), .distance_i(distance), .is_above_o(above_lower), .is_equal_o(at_lower)
  );

  logic above_upper, above_limit;

  spec_compare #(.Width(Width), .BoundBits(BoundBits), .DistanceBits(DistanceBits)) u_upper (
    .number_i(halves_i), .bound_i(upper), .distance_i(distance), .is_above_o(above_upper), .is_equal_o(at_upper)
  );

  spec_compare #(.Width(Width), .BoundBits(BoundBits), .DistanceBits(DistanceBits)) u_limit (
    .number_i(halves_i), .bound_i(limit), .distance_i(largest_distance), .is_above_o(above_limit),
    .is_equal_o(is_at_limit)
  );

  assign is_right_o = code_i <= LargestCode
      && (above_lower || (at_lower && (is_even || TowardZero != 0)))
      && (!above_upper && !(at_upper && (!is_even || TowardZero != 0)));
  assign is_beyond_o = above_limit || (is_at_limit && (LargestSignificand[0] || TowardZero != 0));

endmodule
