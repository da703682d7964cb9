// Conversion of one MX block to 32 Float32 numbers: element times scale, exactly (MX-5.1-h to MX-5.1-k).
// The model's `dequantize`.
//
// Format, of the elements: 0 E5M2, 1 E4M3, 2 E3M2, 3 E2M3, 4 E2M1, 5 INT8 (0x80 is -2.0).
// NaN, Inf, overflow and zeros: see mx_dequantize_lane. Subnormal Float32 numbers are given as such.
//
// Depth: 0 combinational; 1 a register at the output; 2 also one at the input.
// Latency: Depth cycles from an accepted block to valid_o. Throughput: one block a cycle.
// Handshake: that of mx_pipe_stage on both sides; ready_o depends on ready_i through Depth gates, on no
// other input.
// Reset: rst_ni, synchronous, active low; drops all blocks in flight. Data registers are not reset.
module mx_dequantize #(
  parameter int Format = 1,
  parameter int Depth = 1
) (
  input  logic                                                      clk_i,
  input  logic                                                      rst_ni,

  // Block, element 0 in the LSBs.
  input  logic                                                      valid_i,
  output logic                                                      ready_o,
  input  logic [mx_pkg::BlockSize*mx_pkg::element_bits(Format)-1:0] elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]                              scale_i,

  // Float32 numbers, element 0 in the LSBs.
  output logic                                                      valid_o,
  input  logic                                                      ready_i,
  output logic [mx_pkg::BlockSize*32-1:0]                           values_o
);

  localparam int Lanes = mx_pkg::BlockSize;
  localparam int Bits = mx_pkg::element_bits(Format);

  logic                         block_valid, block_ready;
  logic [Lanes*Bits-1:0]        elements;
  logic [mx_pkg::ScaleBits-1:0] scale;

  mx_pipe_stage #(
    .Width (mx_pkg::ScaleBits + Lanes * Bits),
    .Bypass((Depth < 2) ? 1 : 0)
  ) u_block_stage (
    .clk_i,
    .rst_ni,
    .valid_i,
    .ready_o,
    .data_i ({scale_i, elements_i}),
    .valid_o(block_valid),
    .ready_i(block_ready),
    .data_o ({scale, elements})
  );

  logic [Lanes*32-1:0] values;

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_lanes
    mx_dequantize_lane #(
      .Format(Format)
    ) u_lane (
      .code_i (elements[lane*Bits +: Bits]),
      .scale_i(scale),
      .value_o(values[lane*32 +: 32])
    );
  end

  mx_pipe_stage #(
    .Width (Lanes * 32),
    .Bypass((Depth < 1) ? 1 : 0)
  ) u_value_stage (
    .clk_i,
    .rst_ni,
    .valid_i(block_valid),
    .ready_o(block_ready),
    .data_i (values),
    .valid_o,
    .ready_i,
    .data_o (values_o)
  );

`ifndef SYNTHESIS
  initial begin
    if (Format < 0 || Format >= mx_pkg::FormatCount) begin
      $fatal(1, "mx_dequantize: Format is %0d; it must be an element format id of mx_pkg, 0 to 5.", Format);
    end
    if (Depth < 0 || Depth > 2) begin
      $fatal(1, "mx_dequantize: Depth is %0d; it must be from 0 to 2.", Depth);
    end
  end
`endif

endmodule
