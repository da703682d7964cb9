// The sum of the products of a block lies within the bits that mx_block_sum has for it.
module contract_sum_range #(
  parameter int AFormat = 1,
  parameter int BFormat = 1,
  parameter int Bits = 66
) (
  input  logic signed [Bits-1:0] sum_o,
  input  logic                   is_nan_o,
  input  logic                   is_inf_o,
  output logic                   holds
);

  localparam logic signed [Bits-1:0] Largest = Bits'((Bits'(1) << mx_pkg::sum_bits(AFormat, BFormat)) - 1);

  assign holds = is_nan_o || is_inf_o || (sum_o <= Largest && sum_o >= -Largest);

endmodule
