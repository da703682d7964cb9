// mx_fused_round without registers: the exact sum of block sum and c, rounded once.
module contract_fused #(
  parameter int SumBits = 41,
  parameter int GridExponent = -272,
  parameter int ResultFormat = 8,
  parameter int IeeeZero = 0
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
  input  logic                                         valid_o,
  input  logic                                         ready_i,
  input  logic [mx_pkg::number_bits(ResultFormat)-1:0] result_o,
  output logic                                         assumed,
  output logic                                         holds
);

  logic signed [SumBits+1:0] sum;
  logic                      is_right;

  assign sum = (SumBits+2)'($signed(sum_i));

  spec_sum_result #(
    .SumBits(SumBits), .GridExponent(GridExponent), .ResultFormat(ResultFormat), .IeeeZero(IeeeZero)
  ) u_result (
    .value_i(negative_i ? -sum : sum), .scale_sum_i, .is_nan_i, .is_inf_i, .inf_negative_i, .all_negative_i, .c_i,
    .result_i(result_o), .is_right_o(is_right)
  );

  // A sum has no such magnitude, see mx_block_sum.
  assign assumed = is_nan_i || is_inf_i || sum_i != {1'b1, {SumBits{1'b0}}};
  assign holds   = valid_o == valid_i && ready_o == ready_i && is_right;

endmodule
