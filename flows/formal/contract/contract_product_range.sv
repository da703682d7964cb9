// The product of two elements lies within the bits that mx_block_sum has for it.
module contract_product_range #(
  parameter int AFormat = 1,
  parameter int BFormat = 1,
  parameter int Bits = 66
) (
  input  logic [Bits-1:0] product_o,
  input  logic            is_nan_o,
  input  logic            is_inf_o,
  output logic            holds
);

  localparam logic signed [Bits-1:0] Largest = Bits'((Bits'(1) << mx_pkg::term_bits(AFormat, BFormat)) - 1);

  logic signed [Bits-1:0] product;

  assign product = product_o;
  assign holds   = is_nan_o || is_inf_o || (product <= Largest && product >= -Largest);

endmodule
