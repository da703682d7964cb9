// E4M3 dot product, valid and ready, one place. Bug: the sum in two's complement is cut to one bit below the last.
module sticky_cut #(
  parameter int Bug = 1
) (
  input  logic         clk,
  input  logic         rst_n,
  input  logic         s_valid,
  output logic         s_ready,
  input  logic [527:0] s_data,
  output logic         m_valid,
  input  logic         m_ready,
  output logic [31:0]  m_data
);
  `include "number.svh"

  logic signed [63:0] sum;
  logic [63:0] magnitude;
  logic nan;
  integer exponent, top, lowest, cut;

  always_comb begin
    sum = 64'sd0;
    nan = s_data[7:0] == 8'hff || s_data[15:8] == 8'hff;
    for (int i = 0; i < 32; i++) begin
      sum = sum + e4m3_units(s_data[16+8*i+:8]) * e4m3_units(s_data[272+8*i+:8]);
      if (s_data[16+8*i+:7] == 7'h7f || s_data[272+8*i+:7] == 7'h7f) nan = 1'b1;
    end
    magnitude = sum < 0 ? -sum : sum;
    top = 0;
    for (int i = 0; i < 64; i++) if (magnitude[i]) top = i;
    exponent = {24'd0, s_data[7:0]} + {24'd0, s_data[15:8]} - 254 - 18;
    lowest = exponent + top < -126 ? -126 : exponent + top;
    cut = lowest - 24 - exponent;
    if (Bug == 0 || cut < 0) cut = 0;
    sum = sum >>> cut;
    magnitude = sum < 0 ? -sum : sum;
    exponent = exponent + cut;
  end

  assign s_ready = !m_valid || m_ready;
  always_ff @(posedge clk) begin
    if (!rst_n) m_valid <= 1'b0;
    else if (s_ready) m_valid <= s_valid;
    if (s_ready) m_data <= nan ? 32'h7fc00000 : to_float32(sum < 0, magnitude, exponent);
  end
endmodule
