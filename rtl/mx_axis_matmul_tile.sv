// mx_matmul_tile with AXI4-Stream ports: a packet of blocks in, a packet of one tile's results out.
//
// s_axis: one transfer is one block of every row of A and of every column of B. tlast marks the last
// transfer of a tile; the transfer after it, and the first after reset, begin the next tile. tdata,
// all fields whole bytes, with A and B bits for 32 elements of each:
//
//   bits, each field above the one before         field
//   Rows * Columns * 32                           c, Float32, row by row: entry [r][k] is number
//                                                 r * Columns + k; read in the first transfer only
//   Rows * 8                                      scales of A, row 0 in the LSBs
//   Columns * 8                                   scales of B, column 0 in the LSBs
//   Rows * A                                      elements of A, row 0 and element 0 in the LSBs
//   Columns * B                                   elements of B, column 0 and element 0 in the LSBs
//
// m_axis: one transfer holds all results of a tile in ResultFormat, in the order of c, and is a
// packet: tlast is always 1.
//
// There is no tkeep or tstrb: every byte of every transfer is data, as AXI4-Stream has it where they
// are absent. Neither is there tuser, tid or tdest; results come in the order of their packets.
//
// Rules, special values, parameters: see mx_matmul_tile, which works on whole blocks here.
//
// Latency: that of mx_matmul_tile and 1 cycle. Throughput: one transfer a cycle.
// Handshake: that of AXI4-Stream. m_axis comes from registers of mx_skid_buffer, and there is no
// combinational path from m_axis_tready to s_axis_tready, nor from any input to any output.
// Reset: aresetn, synchronous to aclk; drops all blocks in flight and the unfinished tile.
// m_axis_tvalid is low after the first clock edge in reset.
module mx_axis_matmul_tile #(
  parameter int Rows = 2,
  parameter int Columns = 2,
  parameter int AFormat = 1,       // element format ids of mx_pkg
  parameter int BFormat = 1,
  parameter int Accumulate = 1,    // see mx_pkg
  parameter int ResultFormat = 8,  // 8 Float32, 9 BF16, 10 FP16
  parameter int Depth = 4          // registers of mx_dot_general, at least 1
) (
  input  logic                                                          aclk,
  input  logic                                                          aresetn,

  input  logic                                                          s_axis_tvalid,
  output logic                                                          s_axis_tready,
  input  logic [mx_pkg::tile_bits(Rows, Columns, AFormat, BFormat)-1:0] s_axis_tdata,
  input  logic                                                          s_axis_tlast,

  output logic                                                          m_axis_tvalid,
  input  logic                                                          m_axis_tready,
  output logic [Rows*Columns*mx_pkg::number_bits(ResultFormat)-1:0]     m_axis_tdata,
  output logic                                                          m_axis_tlast
);

  localparam int CBits = Rows * Columns * 32;
  localparam int AScaleBits = Rows * mx_pkg::ScaleBits;
  localparam int BScaleBits = Columns * mx_pkg::ScaleBits;
  localparam int ABits = Rows * mx_pkg::block_bits(AFormat);
  localparam int BBits = Columns * mx_pkg::block_bits(BFormat);
  localparam int ResultBits = Rows * Columns * mx_pkg::number_bits(ResultFormat);

  logic first;

  mx_axis_first u_first (
    .clk_i  (aclk),
    .rst_ni (aresetn),
    .valid_i(s_axis_tvalid),
    .ready_i(s_axis_tready),
    .last_i (s_axis_tlast),
    .first_o(first)
  );

  logic [CBits-1:0]      c;
  logic [AScaleBits-1:0] a_scale;
  logic [BScaleBits-1:0] b_scale;
  logic [ABits-1:0]      a_elements;
  logic [BBits-1:0]      b_elements;
  logic                  result_valid, result_ready;
  logic [ResultBits-1:0] result;

  assign {b_elements, a_elements, b_scale, a_scale, c} = s_axis_tdata;

  mx_matmul_tile #(
    .Rows        (Rows),
    .Columns     (Columns),
    .AFormat     (AFormat),
    .BFormat     (BFormat),
    .Accumulate  (Accumulate),
    .ResultFormat(ResultFormat),
    .Depth       (Depth)
  ) u_tile (
    .clk_i       (aclk),
    .rst_ni      (aresetn),
    .valid_i     (s_axis_tvalid),
    .ready_o     (s_axis_tready),
    .first_i     (first),
    .last_i      (s_axis_tlast),
    .a_elements_i(a_elements),
    .a_scale_i   (a_scale),
    .b_elements_i(b_elements),
    .b_scale_i   (b_scale),
    .c_i         (c),
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
