// E4M3 dot product, valid only, reset active high. Bug: the bias of one scale stays in the exponent.
module bias_kept #(
  parameter int Bug = 1
) (
  input  logic         clk,
  input  logic         rst,
  input  logic         in_valid,
  input  logic [255:0] a,
  input  logic [255:0] b,
  input  logic [15:0]  scales,
  output logic         out_valid,
  output logic [31:0]  y
);
  `include "number.svh"

  logic signed [63:0] sum, sum_q;
  logic nan, nan_q, valid_q;
  integer exponent, exponent_q;

  always_comb begin
    sum = 64'sd0;
    nan = scales[7:0] == 8'hff || scales[15:8] == 8'hff;
    for (int i = 0; i < 32; i++) begin
      sum = sum + e4m3_units(a[8*i+:8]) * e4m3_units(b[8*i+:8]);
      if (a[8*i+:7] == 7'h7f || b[8*i+:7] == 7'h7f) nan = 1'b1;
    end
    exponent = {24'd0, scales[7:0]} + {24'd0, scales[15:8]} - (Bug != 0 ? 127 : 254) - 18;
  end

  always_ff @(posedge clk) begin
    if (rst) {valid_q, out_valid} <= 2'b00;
    else {valid_q, out_valid} <= {in_valid, valid_q};
    {sum_q, nan_q, exponent_q} <= {sum, nan, exponent};
    y <= nan_q ? 32'h7fc00000 : to_float32(sum_q < 0, sum_q < 0 ? -sum_q : sum_q, exponent_q);
  end
endmodule
