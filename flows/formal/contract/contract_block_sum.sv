// mx_block_sum without registers: the exact sum of all products, what is not a number, and the scales. The
// sum may be the most negative number of its bits as far as this is concerned; see contract_sum_range.
module contract_block_sum #(
  parameter int AFormat = 1,
  parameter int BFormat = 1,
  parameter int TagBits = 1
) (
  input  logic                                       valid_i,
  input  logic                                       ready_o,
  input  logic [mx_pkg::block_bits(AFormat)-1:0]     a_elements_i,
  input  logic [7:0]                                 a_scale_i,
  input  logic [mx_pkg::block_bits(BFormat)-1:0]     b_elements_i,
  input  logic [7:0]                                 b_scale_i,
  input  logic [TagBits-1:0]                         tag_i,
  input  logic                                       valid_o,
  input  logic                                       ready_i,
  input  logic [mx_pkg::sum_bits(AFormat, BFormat):0] sum_o,
  input  logic                                       negative_o,
  input  logic [8:0]                                 scale_sum_o,
  input  logic                                       is_nan_o,
  input  logic                                       is_inf_o,
  input  logic                                       inf_negative_o,
  input  logic                                       all_negative_o,
  input  logic [TagBits-1:0]                         tag_o,
  output logic                                       holds
);

  localparam int SumBits = mx_pkg::sum_bits(AFormat, BFormat);

  logic [SumBits:0] total;
  logic             is_nan, is_inf, inf_negative, all_negative;

  spec_block_sum #(.AFormat(AFormat), .BFormat(BFormat)) u_spec (
    .a_elements_i, .a_scale_i, .b_elements_i, .b_scale_i, .sum_o(total), .is_nan_o(is_nan), .is_inf_o(is_inf),
    .inf_negative_o(inf_negative), .all_negative_o(all_negative)
  );

  assign holds = valid_o == valid_i && ready_o == ready_i && tag_o == tag_i
      && scale_sum_o == 9'(a_scale_i) + 9'(b_scale_i) && is_nan_o == is_nan
      && (is_nan || (is_inf_o == is_inf && all_negative_o == all_negative))
      && (!is_inf || inf_negative_o == inf_negative)
      && (is_nan || is_inf || total == (negative_o ? -sum_o : sum_o));

endmodule
