// mx_dot without registers, from its ports to its result: c and the exact sum of all products under their
// scales, rounded once to nearest even.
module contract_dot #(
  parameter int AFormat = 1,
  parameter int BFormat = 1,
  parameter int Accumulate = 0,
  parameter int ResultFormat = 8
) (
  input  logic                                         valid_i,
  input  logic                                         ready_o,
  input  logic [mx_pkg::block_bits(AFormat)-1:0]       a_elements_i,
  input  logic [7:0]                                   a_scale_i,
  input  logic [mx_pkg::block_bits(BFormat)-1:0]       b_elements_i,
  input  logic [7:0]                                   b_scale_i,
  input  logic [31:0]                                  c_i,
  input  logic                                         valid_o,
  input  logic                                         ready_i,
  input  logic [mx_pkg::number_bits(ResultFormat)-1:0] result_o,
  output logic                                         holds
);

  localparam int SumBits = mx_pkg::sum_bits(AFormat, BFormat);

  logic signed [SumBits:0] sum;
  logic                    is_nan, is_inf, inf_negative, all_negative, is_right;

  spec_block_sum #(.AFormat(AFormat), .BFormat(BFormat)) u_sum (
    .a_elements_i, .a_scale_i, .b_elements_i, .b_scale_i, .sum_o(sum), .is_nan_o(is_nan), .is_inf_o(is_inf),
    .inf_negative_o(inf_negative), .all_negative_o(all_negative)
  );

  // Exponent of the product of the smallest elements under scale codes 0.
  spec_sum_result #(
    .SumBits(SumBits),
    .GridExponent(formal_formats::quantum_exponent(AFormat) + formal_formats::quantum_exponent(BFormat) - 254),
    .ResultFormat(ResultFormat), .IeeeZero(Accumulate == 2 ? 1 : 0)
  ) u_result (
    .value_i((SumBits+2)'(sum)), .scale_sum_i(9'(a_scale_i) + 9'(b_scale_i)), .is_nan_i(is_nan), .is_inf_i(is_inf),
    .inf_negative_i(inf_negative), .all_negative_i(all_negative), .c_i, .result_i(result_o), .is_right_o(is_right)
  );

  assign holds = valid_o == valid_i && ready_o == ready_i && is_right;

endmodule
