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
  parameter int AFormat = 1,       // element format ids of mx_pkg
  parameter int BFormat = 1,
  parameter int Accumulate = 0,    // see mx_pkg
  parameter int ResultFormat = 8,  // 8 Float32, 9 BF16, 10 FP16
  parameter int Lanes = 32,        // elements of a block that come at a time: 1, 2, 4, 8, 16, 32
  parameter int Depth = 3          // registers from the last beat of a block to its result
) (
  input  logic                                            clk_i,
  input  logic                                            rst_ni,

  // Block pair, element 0 in the LSBs.
  input  logic                                            valid_i,
  output logic                                            ready_o,
  input  logic [Lanes*mx_pkg::element_bits(AFormat)-1:0]  a_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]                    a_scale_i,
  input  logic [Lanes*mx_pkg::element_bits(BFormat)-1:0]  b_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]                    b_scale_i,
  input  logic [31:0]                                     c_i,  // Float32

  // Float32 result.
  output logic                                            valid_o,
  input  logic                                            ready_i,
  output logic [mx_pkg::number_bits(ResultFormat)-1:0]    result_o
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

  logic unused_c;

  assign unused_c = |c_i;

`ifndef SYNTHESIS
  initial begin
    if (Accumulate != 0 || ResultFormat != mx_pkg::Fp32 || Lanes != mx_pkg::BlockSize || Depth != 3) begin
      $fatal(1, "mx_dot: parameter values other than the defaults are not there yet.");
    end
  end
`endif

endmodule
