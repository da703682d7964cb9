// mx_fused_round without registers is mx_fused_add and mx_round, and its special values are those of
// IEEE 754: a NaN makes NaN, infinities of both signs too, else an infinity wins, and an exact zero is
// +0, or with IeeeZero -0 where every summand is.
module fused_round #(
  parameter int SumBits = 13,
  parameter int GridExponent = -256,
  parameter int ResultFormat = 8,
  parameter int IeeeZero = 0
) (
  input  logic                                         clk_i,
  input  logic                                         rst_ni,
  input  logic                                         valid_i,
  output logic                                         ready_o,
  input  logic [SumBits:0]                             sum_i,
  input  logic                                         negative_i,
  input  logic [8:0]                                   scale_sum_i,
  input  logic                                         is_nan_i,
  input  logic                                         is_inf_i,
  input  logic                                         inf_negative_i,
  input  logic                                         all_negative_i,
  input  logic [31:0]                                  c_i,
  input  logic [3:0]                                   tag_i,
  output logic                                         valid_o,
  input  logic                                         ready_i,
  output logic [mx_pkg::number_bits(ResultFormat)-1:0] result_o,
  output logic [3:0]                                   tag_o,
  output logic                                         holds
);

  localparam int FusedBits = mx_pkg::fused_bits(SumBits);
  localparam int Bits = mx_pkg::number_bits(ResultFormat);

  mx_fused_round #(
    .SumBits(SumBits), .GridExponent(GridExponent), .ResultFormat(ResultFormat), .IeeeZero(IeeeZero), .TagBits(4)
  ) u_unit (.*);

  logic                  sign, increment, is_zero, unused_overflow;
  logic [FusedBits-1:0]  magnitude;
  logic signed [10:0]    exponent;
  logic [Bits-1:0]       rounded;

  mx_fused_add #(.SumBits(SumBits), .GridExponent(GridExponent)) u_add (
    .sum_i, .negative_i, .scale_sum_i, .c_i, .sign_o(sign), .magnitude_o(magnitude), .increment_o(increment),
    .exponent_o(exponent)
  );

  mx_round #(
    .Width(FusedBits), .ExponentBits(11), .Result(ResultFormat), .ExponentOffset(mx_pkg::fused_exponent(SumBits)),
    .LowestExponent(mx_pkg::fused_exponent(SumBits) + 1)
  ) u_round (
    .sign_i(sign), .magnitude_i(magnitude), .increment_i(increment), .lsb_exponent_i(exponent), .result_o(rounded),
    .is_zero_o(is_zero), .overflow_o(unused_overflow)
  );

  logic            c_is_nan, c_is_inf, plus_inf, minus_inf, is_nan;
  logic [Bits-2:0] inf;

  assign c_is_nan  = c_i[30:0] > 31'h7F80_0000;
  assign c_is_inf  = c_i[30:0] == 31'h7F80_0000;
  assign plus_inf  = (is_inf_i && !inf_negative_i) || (c_is_inf && !c_i[31]);
  assign minus_inf = (is_inf_i && inf_negative_i) || (c_is_inf && c_i[31]);
  assign is_nan    = is_nan_i || c_is_nan || (plus_inf && minus_inf);
  assign inf       = (Bits-1)'(formal_formats::largest_code(ResultFormat) + 1);

  assign holds = valid_o == valid_i && ready_o == ready_i && tag_o == tag_i
      && result_o == (is_nan ? Bits'(formal_formats::quiet_nan(ResultFormat))
          : plus_inf ? {1'b0, inf} : minus_inf ? {1'b1, inf}
          : is_zero ? {IeeeZero != 0 && all_negative_i && c_i[31], {Bits-1{1'b0}}} : rounded);

endmodule
