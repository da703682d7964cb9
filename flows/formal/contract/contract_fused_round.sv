// mx_fused_round without registers: mx_fused_add and mx_round, with the special values of IEEE 754. A NaN
// makes NaN, infinities of both signs too, else an infinity wins, and the sign of an exact zero is plus, or
// with IeeeZero minus where every summand is -0.
module contract_fused_round #(
  parameter int SumBits = 41,
  parameter int GridExponent = -272,
  parameter int ResultFormat = 8,
  parameter int IeeeZero = 0,
  parameter int TagBits = 1
) (
  input  logic                                         valid_i,
  input  logic                                         ready_o,
  input  logic [SumBits:0]                             sum_i,
  input  logic                                         negative_i,
  input  logic [8:0]                                   scale_sum_i,
  input  logic                                         is_nan_i,
  input  logic                                         is_inf_i,
  input  logic                                         inf_negative_i,
  input  logic                                         all_negative_i,
  input  logic [31:0]                                  c_i,
  input  logic [TagBits-1:0]                           tag_i,
  input  logic                                         valid_o,
  input  logic                                         ready_i,
  input  logic [mx_pkg::number_bits(ResultFormat)-1:0] result_o,
  input  logic [TagBits-1:0]                           tag_o,
  output logic                                         holds
);

  localparam int FusedBits = mx_pkg::fused_bits(SumBits);
  localparam int Bits = mx_pkg::number_bits(ResultFormat);

  logic                 sign, increment, is_zero, unused_overflow;
  logic [FusedBits-1:0] magnitude;
  logic signed [10:0]   exponent;
  logic [Bits-1:0]      rounded;

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

  logic            is_nan, is_inf, inf_negative;
  logic [Bits-1:0] special;

  spec_special #(.ResultFormat(ResultFormat)) u_special (
    .is_nan_i, .is_inf_i, .inf_negative_i, .c_i, .is_nan_o(is_nan), .is_inf_o(is_inf), .special_o(special)
  );

  assign holds = valid_o == valid_i && ready_o == ready_i && tag_o == tag_i
      && result_o == ((is_nan || is_inf) ? special
          : {is_zero ? IeeeZero != 0 && all_negative_i && c_i[31] : rounded[Bits-1], rounded[Bits-2:0]});

endmodule
