// E2M1 dot product without a clock, element 0 in the highest bits, the result in three fields.
// Bug: the NaN code of a scale is taken for 2^128.
module nan_scale #(
  parameter int Bug = 1
) (
  input  logic [127:0] a,
  input  logic [127:0] b,
  input  logic [7:0]   a_exp,
  input  logic [7:0]   b_exp,
  output logic         sign,
  output logic [7:0]   exponent,
  output logic [23:0]  significand
);
  `include "number.svh"

  logic signed [63:0] sum;
  logic [31:0] y;

  always_comb begin
    sum = 64'sd0;
    for (int i = 0; i < 32; i++) sum = sum + e2m1_units(a[4*i+:4]) * e2m1_units(b[4*i+:4]);
    y = to_float32(sum < 0, sum < 0 ? -sum : sum, {24'd0, a_exp} + {24'd0, b_exp} - 256);
    if (Bug == 0 && (a_exp == 8'hff || b_exp == 8'hff)) y = 32'h7fc00000;
  end

  assign sign = y[31];
  assign exponent = y[30:23];
  assign significand = {y[30:23] != 8'd0, y[22:0]};
endmodule
