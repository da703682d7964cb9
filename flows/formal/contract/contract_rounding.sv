// mx_round: the code is that of the number nearest to the given one, or next to it toward zero; and the
// same of every number of which bits below were jammed into bit 0, provided that there are enough above,
// as mx_round says.
module contract_rounding #(
  parameter int Width = 69,
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
  input  logic [mx_pkg::number_bits(Result)-1:0] result_o,
  input  logic                                   is_zero_o,
  input  logic                                   overflow_o,
  output logic                                   assumed,
  output logic                                   holds
);

  localparam int CodeBits = formal_formats::field_bits(Result) + formal_formats::mantissa_bits(Result);
  localparam int Pad = (Result == mx_pkg::E8M13) ? 10 : 0;
  // Overflow: Inf for results of a dot product, the largest number for elements and scales.
  localparam int Beyond = formal_formats::largest_code(Result)
      + ((Result >= mx_pkg::Fp32 && Result != mx_pkg::Ue4m3) ? 1 : 0);
  localparam int WideBits = ((ExponentBits > 14) ? ExponentBits : 14) + 1;

  logic [Width:0]             magnitude;
  logic signed [WideBits-1:0] exponent;
  logic                       may_be_jammed;
  logic [CodeBits-1:0]        code;
  logic                       padding_is_zero;

  assign magnitude     = (Width+1)'(magnitude_i) + (Width+1)'(increment_i);
  assign exponent      = WideBits'(lsb_exponent_i) + WideBits'(ExponentOffset);
  assign may_be_jammed = magnitude[0] && (magnitude >> (formal_formats::mantissa_bits(Result) + 2) != '0
      || exponent < formal_formats::quantum_exponent(Result) - 1);
  assign assumed       = exponent >= LowestExponent;
  assign code          = result_o[Pad +: CodeBits];

  if (Pad > 0) begin : gen_padded
    assign padding_is_zero = result_o[Pad-1:0] == '0;
  end else begin : gen_whole
    assign padding_is_zero = 1'b1;
  end

  // A number strictly between two whole numbers of units is as good as half a unit: every bound between
  // results is a whole number of units where a jam is allowed. So: half a unit below, exact, half above.
  logic [2:0] is_right, is_beyond;

  for (genvar k = 0; k < 3; k++) begin : gen_number
    spec_nearest #(.Width(Width + 2), .ExponentBits(WideBits), .Result(Result), .TowardZero(Mode)) u_spec (
      .halves_i({magnitude, 1'b0} + (Width+2)'(k - 1)), .exponent_i(exponent), .code_i(code), .is_right_o(is_right[k]),
      .is_beyond_o(is_beyond[k])
    );
  end

  logic [2:0] holds_for;

  assign holds_for = (is_beyond & {3{code == CodeBits'(Beyond)}}) | (~is_beyond & is_right);
  assign holds     = holds_for[1] && (!may_be_jammed || (holds_for[0] && holds_for[2]))
      && padding_is_zero && result_o[Pad+CodeBits] == (sign_i && Result != mx_pkg::Ue4m3)
      && is_zero_o == (magnitude == '0) && overflow_o == is_beyond[1];

endmodule
