// mx_dot_general with AXI4-Stream ports: a packet of block pairs in, a packet of one result out.
//
// s_axis: one transfer is one block pair. tlast marks the last pair of a dot product; the transfer
// after it, and the first after reset, begin the next one. tdata, all fields whole bytes, with A and
// B bits for 32 elements of each:
//
//   bits                  field
//   31:0                  c, Float32: the initial value; read in the first transfer, else ignored
//   39:32                 scale of A
//   47:40                 scale of B
//   48 +: A               elements of A, element 0 in the LSBs, no gaps: 256, 192 or 128 bits
//   48 + A +: B           elements of B, likewise
//
// m_axis: one transfer is one result in ResultFormat, and a packet: tlast is always 1.
//
// There is no tkeep or tstrb: every byte of every transfer is data, as AXI4-Stream has it where they
// are absent. Neither is there tuser, tid or tdest; results come in the order of their packets.
//
// Rules, special values, parameters: see mx_dot_general, which works on whole blocks here.
//
// Latency: that of mx_dot_general and 1 cycle. Throughput: one block pair a cycle.
// Handshake: that of AXI4-Stream. m_axis comes from registers of mx_skid_buffer, and there is no
// combinational path from m_axis_tready to s_axis_tready, nor from any input to any output.
// Reset: aresetn, synchronous to aclk; drops all blocks in flight and the unfinished dot product.
// m_axis_tvalid is low after the first clock edge in reset.
module mx_axis_dot_general #(
  parameter int AFormat = 1,       // element format ids of mx_pkg
  parameter int BFormat = 1,
  parameter int Accumulate = 1,    // see mx_pkg
  parameter int ResultFormat = 8,  // 8 Float32, 9 BF16, 10 FP16
  parameter int Depth = 4          // registers of mx_dot_general, at least 1
) (
  input  logic                                                                  aclk,
  input  logic                                                                  aresetn,

  input  logic                                                                  s_axis_tvalid,
  output logic                                                                  s_axis_tready,
  input  logic [48+mx_pkg::block_bits(AFormat)+mx_pkg::block_bits(BFormat)-1:0] s_axis_tdata,
  input  logic                                                                  s_axis_tlast,

  output logic                                                                  m_axis_tvalid,
  input  logic                                                                  m_axis_tready,
  output logic [mx_pkg::number_bits(ResultFormat)-1:0]                          m_axis_tdata,
  output logic                                                                  m_axis_tlast
);

  localparam int ABits = mx_pkg::block_bits(AFormat);
  localparam int BBits = mx_pkg::block_bits(BFormat);
  localparam int ResultBits = mx_pkg::number_bits(ResultFormat);

  logic first;

  mx_axis_first u_first (
    .clk_i  (aclk),
    .rst_ni (aresetn),
    .valid_i(s_axis_tvalid),
    .ready_i(s_axis_tready),
    .last_i (s_axis_tlast),
    .first_o(first)
  );

  logic                  result_valid, result_ready;
  logic [ResultBits-1:0] result;

  mx_dot_general #(
    .AFormat     (AFormat),
    .BFormat     (BFormat),
    .Accumulate  (Accumulate),
    .ResultFormat(ResultFormat),
    .Depth       (Depth)
  ) u_dot (
    .clk_i       (aclk),
    .rst_ni      (aresetn),
    .valid_i     (s_axis_tvalid),
    .ready_o     (s_axis_tready),
    .first_i     (first),
    .last_i      (s_axis_tlast),
    .a_elements_i(s_axis_tdata[48 +: ABits]),
    .a_scale_i   (s_axis_tdata[39:32]),
    .b_elements_i(s_axis_tdata[48+ABits +: BBits]),
    .b_scale_i   (s_axis_tdata[47:40]),
    .c_i         (s_axis_tdata[31:0]),
    .valid_o     (result_valid),
    .ready_i     (result_ready),
    .result_o    (result)
  );

  mx_skid_buffer #(
    .Width(ResultBits)
  ) u_skid (
    .clk_i  (aclk),
    .rst_ni (aresetn),
    .valid_i(result_valid),
    .ready_o(result_ready),
    .data_i (result),
    .valid_o(m_axis_tvalid),
    .ready_i(m_axis_tready),
    .data_o (m_axis_tdata)
  );

  assign m_axis_tlast = 1'b1;

endmodule
