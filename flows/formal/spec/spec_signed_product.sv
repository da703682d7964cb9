// Product of two elements as a two's complement number, see spec_product.
module spec_signed_product #(
  parameter int AFormat = 1,
  parameter int BFormat = 1,
  parameter int Bits = 66
) (
  input  logic [8:0]      a_code_i,
  input  logic [8:0]      b_code_i,
  output logic [Bits-1:0] product_o,
  output logic            negative_o,
  output logic            is_nan_o,
  output logic            is_inf_o
);

  logic [Bits-1:0] magnitude;

  spec_product #(.AFormat(AFormat), .BFormat(BFormat), .Bits(Bits)) u_product (
    .a_code_i, .b_code_i, .negative_o, .magnitude_o(magnitude), .is_nan_o, .is_inf_o
  );

  assign product_o = negative_o ? -magnitude : magnitude;

endmodule
