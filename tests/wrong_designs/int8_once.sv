// INT8 dot product, an element a port, three cycles, no reset. Bug: of the factors 2^-6 of both operands one only.
module int8_once #(
  parameter int Bug = 1
) (
  input  logic              clk,
  input  logic signed [8:0] a[32],
  input  logic signed [8:0] b[32],
  input  logic [7:0]        a_scale,
  input  logic [7:0]        b_scale,
  output logic [31:0]       y
);
  `include "number.svh"

  logic signed [63:0] sum, sum_q;
  logic nan_q;
  integer exponent_q;
  logic [31:0] y_q;

  always_comb begin
    sum = 64'sd0;
    for (int i = 0; i < 32; i++) sum = sum + 64'(a[i]) * 64'(b[i]);
  end

  always_ff @(posedge clk) begin
    sum_q <= sum;
    nan_q <= a_scale == 8'hff || b_scale == 8'hff;
    exponent_q <= {24'd0, a_scale} + {24'd0, b_scale} - 254 - (Bug != 0 ? 6 : 12);
    y_q <= nan_q ? 32'h7fc00000 : to_float32(sum_q < 0, sum_q < 0 ? -sum_q : sum_q, exponent_q);
    y <= y_q;
  end
endmodule
