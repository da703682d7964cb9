// mx_quantize with AXI4-Stream ports: a packet of numbers in, the same packet in blocks out.
//
// s_axis: one transfer is the 32 numbers of a block in InputFormat (Float32 or BF16), number 0 in the
// LSBs: 1024 or 512 bits.
// m_axis: one transfer is one block: the scale in tdata[7:0], the elements above it, element 0 in the
// LSBs, no gaps: 8 + 256, 192 or 128 bits, always whole bytes.
// tlast of a transfer of numbers comes out with their block; it has no other meaning here.
//
// There is no tkeep or tstrb: every byte of every transfer is data, as AXI4-Stream has it where they
// are absent. Neither is there tuser, tid or tdest.
//
// Scale rules, overflow, special values, parameters: see mx_quantize.
//
// Latency: that of mx_quantize and 1 cycle. Throughput: one block a cycle.
// Handshake: that of AXI4-Stream. m_axis comes from registers of mx_skid_buffer, and there is no
// combinational path from m_axis_tready to s_axis_tready, nor from any input to any output.
// Reset: aresetn, synchronous to aclk; drops all blocks in flight. m_axis_tvalid is low after the
// first clock edge in reset.
module mx_axis_quantize #(
  parameter int Format = 1,        // element format id of mx_pkg
  parameter int InputFormat = 8,   // 8 Float32, 9 BF16
  parameter int ScaleRule = 0,     // see mx_quantize
  parameter int Overflow = 0,
  parameter int Depth = 2          // registers of mx_quantize
) (
  input  logic                                                          aclk,
  input  logic                                                          aresetn,

  input  logic                                                          s_axis_tvalid,
  output logic                                                          s_axis_tready,
  input  logic [mx_pkg::BlockSize*mx_pkg::number_bits(InputFormat)-1:0] s_axis_tdata,
  input  logic                                                          s_axis_tlast,

  output logic                                                          m_axis_tvalid,
  input  logic                                                          m_axis_tready,
  output logic [8+mx_pkg::BlockSize*mx_pkg::element_bits(Format)-1:0]   m_axis_tdata,
  output logic                                                          m_axis_tlast
);

  localparam int BlockBits = 8 + mx_pkg::BlockSize * mx_pkg::element_bits(Format);

  logic                 block_valid, block_ready;
  logic [BlockBits-1:0] block;

  mx_quantize #(
    .Format     (Format),
    .InputFormat(InputFormat),
    .ScaleRule  (ScaleRule),
    .Overflow   (Overflow),
    .Depth      (Depth)
  ) u_quantize (
    .clk_i     (aclk),
    .rst_ni    (aresetn),
    .valid_i   (s_axis_tvalid),
    .ready_o   (s_axis_tready),
    .values_i  (s_axis_tdata),
    .valid_o   (block_valid),
    .ready_i   (block_ready),
    .elements_o(block[BlockBits-1:8]),
    .scale_o   (block[7:0])
  );

  // tlast goes beside the numbers, through as many stages as mx_quantize has: given the same valid
  // and ready they move in lockstep with those.
  logic [Depth:0] valid, ready, last;

  assign valid[0]     = s_axis_tvalid;
  assign last[0]      = s_axis_tlast;
  assign ready[Depth] = block_ready;

  for (genvar stage = 0; stage < Depth; stage++) begin : gen_last
    mx_pipe_stage #(
      .Width(1)
    ) u_stage (
      .clk_i  (aclk),
      .rst_ni (aresetn),
      .valid_i(valid[stage]),
      .ready_o(ready[stage]),
      .data_i (last[stage]),
      .valid_o(valid[stage+1]),
      .ready_i(ready[stage+1]),
      .data_o (last[stage+1])
    );
  end

  mx_skid_buffer #(
    .Width(BlockBits + 1)
  ) u_skid (
    .clk_i  (aclk),
    .rst_ni (aresetn),
    .valid_i(block_valid),
    .ready_o(block_ready),
    .data_i ({last[Depth], block}),
    .valid_o(m_axis_tvalid),
    .ready_i(m_axis_tready),
    .data_o ({m_axis_tlast, m_axis_tdata})
  );

`ifndef SYNTHESIS
  always_ff @(posedge aclk) begin
    if (aresetn) begin
      if (!(ready[0] == s_axis_tready && valid[Depth] == block_valid)) begin
        $error("mx_axis_quantize: tlast has left lockstep with its block.");
      end
    end
  end
`endif

endmodule
