// Dot product of one block pair, MX-6.1: rule exact_fp32 over a single block.
//
// Element formats (AFormat, BFormat): 0 E5M2, 1 E4M3, 2 E3M2, 3 E2M3, 4 E2M1, 5 INT8; any pair.
// Arithmetic, special values and widths: see mx_block_dot, which this is without the tag.
//
// Latency: 3 cycles from an accepted block to valid_o. Throughput: one block pair a cycle. Results
// come in the order of their blocks.
// Handshake: a transfer happens on a rising clock edge with valid and ready high; valid_o does not
// wait for ready_i, and result_o holds until it is taken. ready_o depends on ready_i
// combinationally (three gates), on no other input.
// Reset: rst_ni, synchronous, active low; drops all blocks in flight and any offered while it is
// low. Data registers are not reset.
module mx_dot #(
  parameter int AFormat = 1,
  parameter int BFormat = 1
) (
  input  logic                                                        clk_i,
  input  logic                                                        rst_ni,

  // Block pair, element 0 in the LSBs.
  input  logic                                                        valid_i,
  output logic                                                        ready_o,
  input  logic [mx_pkg::BlockSize*mx_pkg::element_bits(AFormat)-1:0]  a_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]                                a_scale_i,
  input  logic [mx_pkg::BlockSize*mx_pkg::element_bits(BFormat)-1:0]  b_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]                                b_scale_i,

  // Float32 result.
  output logic                                                        valid_o,
  input  logic                                                        ready_i,
  output logic [31:0]                                                 result_o
);

  logic unused_tag;

  mx_block_dot #(
    .AFormat(AFormat),
    .BFormat(BFormat),
    .TagBits(1)
  ) u_block_dot (
    .clk_i,
    .rst_ni,
    .valid_i,
    .ready_o,
    .a_elements_i,
    .a_scale_i,
    .b_elements_i,
    .b_scale_i,
    .tag_i(1'b0),
    .valid_o,
    .ready_i,
    .result_o,
    .tag_o(unused_tag)
  );

endmodule
