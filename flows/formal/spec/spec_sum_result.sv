// Whether a result is the right one of a block and c: their exact sum rounded once to nearest, ties to even,
// and the special values of IEEE 754.
module spec_sum_result #(
  parameter int SumBits = 13,
  parameter int GridExponent = -256,
  parameter int ResultFormat = 8,
  parameter int IeeeZero = 0
) (
  input  logic signed [SumBits+1:0]                     value_i,  // in units of 2^(scale_sum_i + GridExponent)
  input  logic [8:0]                                    scale_sum_i,
  input  logic                                          is_nan_i,
  input  logic                                          is_inf_i,
  input  logic                                          inf_negative_i,
  input  logic                                          all_negative_i,
  input  logic [31:0]                                   c_i,
  input  logic [formal_formats::bits(ResultFormat)-1:0] result_i,
  output logic                                          is_right_o
);

  localparam int Bits = formal_formats::bits(ResultFormat);
  localparam int TotalBits = SumBits + 28 + ((SumBits > 24) ? SumBits : 24) + 3;

  logic                 is_nan, is_inf, negative, is_nearest, is_beyond;
  logic [Bits-1:0]      special;
  logic [TotalBits-1:0] magnitude;
  logic signed [12:0]   exponent, unused_top;

  spec_special #(.ResultFormat(ResultFormat)) u_special (
    .is_nan_i, .is_inf_i, .inf_negative_i, .c_i, .is_nan_o(is_nan), .is_inf_o(is_inf), .special_o(special)
  );

  spec_total #(.SumBits(SumBits), .GridExponent(GridExponent)) u_total (
    .value_i, .scale_sum_i, .c_i, .negative_o(negative), .magnitude_o(magnitude), .exponent_o(exponent),
    .top_o(unused_top)
  );

  spec_nearest #(.Width(TotalBits + 1), .ExponentBits(13), .Result(ResultFormat)) u_nearest (
    .halves_i({magnitude, 1'b0}), .exponent_i(exponent), .code_i(result_i[Bits-2:0]), .is_right_o(is_nearest),
    .is_beyond_o(is_beyond)
  );

  assign is_right_o = (is_nan || is_inf) ? result_i == special
      : (magnitude == '0) ? result_i == {IeeeZero != 0 && all_negative_i && c_i[31], {Bits-1{1'b0}}}
      : result_i[Bits-1] == negative && (is_beyond
          ? result_i[Bits-2:0] == (Bits-1)'(formal_formats::largest_code(ResultFormat) + 1) : is_nearest);

endmodule
