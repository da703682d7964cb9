// mx_dot without registers is mx_block_sum and mx_fused_round, which have properties of their own.
module dot #(
  parameter int AFormat = 4,
  parameter int BFormat = 4,
  parameter int ResultFormat = 8,
  parameter int Accumulate = 0
) (
  input  logic                                         clk_i,
  input  logic                                         rst_ni,
  input  logic                                         valid_i,
  output logic                                         ready_o,
  input  logic [mx_pkg::block_bits(AFormat)-1:0]       a_elements_i,
  input  logic [7:0]                                   a_scale_i,
  input  logic [mx_pkg::block_bits(BFormat)-1:0]       b_elements_i,
  input  logic [7:0]                                   b_scale_i,
  input  logic [31:0]                                  c_i,
  output logic                                         valid_o,
  input  logic                                         ready_i,
  output logic [mx_pkg::number_bits(ResultFormat)-1:0] result_o,
  output logic                                         holds
);

  localparam int SumBits = mx_pkg::sum_bits(AFormat, BFormat);

  mx_dot #(
    .AFormat(AFormat), .BFormat(BFormat), .ResultFormat(ResultFormat), .Accumulate(Accumulate), .Depth(0)
  ) u_dot (.*);

  logic               sum_valid, sum_ready, negative, is_nan, is_inf, inf_negative, all_negative;
  logic               expected_valid, expected_ready, unused_tag, unused_sum_tag;
  logic [SumBits:0]   sum;
  logic [8:0]         scale_sum;
  logic [mx_pkg::number_bits(ResultFormat)-1:0] expected;

  mx_block_sum #(.AFormat(AFormat), .BFormat(BFormat)) u_sum (
    .clk_i, .rst_ni, .valid_i, .ready_o(expected_ready), .a_elements_i, .a_scale_i, .b_elements_i, .b_scale_i,
    .tag_i(1'b0), .valid_o(sum_valid), .ready_i(sum_ready), .sum_o(sum), .negative_o(negative), .scale_sum_o(scale_sum),
    .is_nan_o(is_nan), .is_inf_o(is_inf), .inf_negative_o(inf_negative), .all_negative_o(all_negative),
    .tag_o(unused_sum_tag)
  );

  // Exponent of the product of the smallest elements under the smallest scales.
  mx_fused_round #(
    .SumBits(SumBits),
    .GridExponent(formal_formats::quantum_exponent(AFormat) + formal_formats::quantum_exponent(BFormat) - 254),
    .ResultFormat(ResultFormat), .IeeeZero(Accumulate == 2 ? 1 : 0)
  ) u_round (
    .clk_i, .rst_ni, .valid_i(sum_valid), .ready_o(sum_ready), .sum_i(sum), .negative_i(negative),
    .scale_sum_i(scale_sum), .is_nan_i(is_nan), .is_inf_i(is_inf), .inf_negative_i(inf_negative),
    .all_negative_i(all_negative), .c_i, .tag_i(1'b0), .valid_o(expected_valid), .ready_i, .result_o(expected),
    .tag_o(unused_tag)
  );

  assign holds = valid_o == expected_valid && ready_o == expected_ready && result_o == expected;

endmodule
