// mx_round: the code is that of the number nearest to the exact one, or next to it toward zero; also
// where bits below were jammed into bit 0, provided that there are enough above, as mx_round says.
module round #(
  parameter int Width = 24,
  parameter int ExponentBits = 10,
  parameter int Result = 8,
  parameter int Mode = 0,
  parameter int ExponentOffset = 0,
  parameter int LowestExponent = ExponentOffset - (1 << (ExponentBits - 1))
) (
  input  logic                                   sign_i,
  input  logic [Width-1:0]                       magnitude_i,
  input  logic                                   increment_i,
  input  logic signed [ExponentBits-1:0]         lsb_exponent_i,
  input  logic                                   is_jammed_i,      // the exact number is not the given one
  input  logic                                   jam_is_below_i,   // but less than a unit below it, or above
  output logic [mx_pkg::number_bits(Result)-1:0] result_o,
  output logic                                   is_zero_o,
  output logic                                   overflow_o,
  output logic                                   assumed,
  output logic                                   holds
);

  localparam int CodeBits = formal_formats::field_bits(Result) + formal_formats::mantissa_bits(Result);
  localparam int Pad = (Result == mx_pkg::E8M13) ? 10 : 0;
  // Overflow: Inf for results of a dot product, the largest number for elements and scales.
  localparam int Beyond = formal_formats::largest_code(Result)
      + ((Result >= mx_pkg::Fp32 && Result != mx_pkg::Ue4m3) ? 1 : 0);
  localparam int WideBits = ((ExponentBits > 14) ? ExponentBits : 14) + 1;

  mx_round #(
    .Width(Width), .ExponentBits(ExponentBits), .Result(Result), .Mode(Mode), .ExponentOffset(ExponentOffset),
    .LowestExponent(LowestExponent)
  ) u_round (
    .sign_i, .magnitude_i, .increment_i, .lsb_exponent_i, .result_o, .is_zero_o, .overflow_o
  );

  // A number strictly between two whole numbers of units is as good as half a unit: every bound between
  // results is a whole number of units where a jam is allowed.
  logic [Width:0]             magnitude;
  logic [Width+1:0]           halves;
  logic signed [WideBits-1:0] exponent;
  logic                       may_be_jammed;

  assign magnitude     = (Width+1)'(magnitude_i) + (Width+1)'(increment_i);
  assign halves        = {magnitude, 1'b0} + (Width+2)'(is_jammed_i && !jam_is_below_i)
      - (Width+2)'(is_jammed_i && jam_is_below_i);
  assign exponent      = WideBits'(lsb_exponent_i) + WideBits'(ExponentOffset);
  assign may_be_jammed = magnitude[0] && (magnitude >> (formal_formats::mantissa_bits(Result) + 2) != '0
      || exponent < formal_formats::quantum_exponent(Result) - 1);
  assign assumed       = (!is_jammed_i || may_be_jammed) && exponent >= LowestExponent;

  logic [CodeBits-1:0] code;
  logic                is_right, is_beyond, sign, padding_is_zero;

  if (Pad > 0) begin : gen_padded
    assign padding_is_zero = result_o[Pad-1:0] == '0;
  end else begin : gen_whole
    assign padding_is_zero = 1'b1;
  end

  assign code = result_o[Pad +: CodeBits];
  assign sign = result_o[Pad+CodeBits];

  spec_nearest #(.Width(Width + 2), .ExponentBits(WideBits), .Result(Result), .TowardZero(Mode)) u_spec (
    .halves_i(halves), .exponent_i(exponent), .code_i(code), .is_right_o(is_right), .is_beyond_o(is_beyond)
  );

  assign holds = (is_beyond ? code == CodeBits'(Beyond) : is_right)
      && padding_is_zero && sign == (sign_i && Result != mx_pkg::Ue4m3)
      && is_zero_o == (magnitude == '0) && overflow_o == is_beyond;

endmodule
