// Dot product of two vectors of blocks, MX-6.2: rule block32_fp32_add.
//
//   running value = +0, then for every block in order: Float32 add of the rounded block dot
//
// A vector is the run of blocks from one with first_i to one with last_i; a single block has both.
// The block with last_i yields result_o. A block with first_i starts from +0 whatever came before;
// the first block after reset must have it. Since the running value starts at +0, a result is never
// -0. Element formats, block arithmetic and special values: see mx_block_dot.
//
//   stage   1                    2                    3                    4
//           decode, multiply  |  place, adder tree  |  magnitude, round  |  Float32 add  |
//
// Latency: 4 cycles from the accepted last block to valid_o. Throughput: one block pair a cycle,
// also within one vector and from one vector to the next: the Float32 add takes one cycle.
// Handshake: a transfer happens on a rising clock edge with valid and ready high; valid_o does not
// wait for ready_i, and result_o holds until it is taken. ready_o depends on ready_i
// combinationally (four gates), on no other input.
// Reset: rst_ni, synchronous, active low; drops all blocks in flight, any offered while it is
// low, and the unfinished vector. Data registers, the running value among them, are not reset.
module mx_dot_general #(
  parameter int AFormat = 1,       // element format ids of mx_pkg
  parameter int BFormat = 1,
  parameter int Accumulate = 1,    // see mx_pkg
  parameter int ResultFormat = 8,  // 8 Float32, 9 BF16, 10 FP16
  parameter int Lanes = 32,        // elements of a block that come at a time: 1, 2, 4, 8, 16, 32
  parameter int Depth = 4          // registers from the last beat of a block to its result
) (
  input  logic                                            clk_i,
  input  logic                                            rst_ni,

  // Block pair, element 0 in the LSBs.
  input  logic                                            valid_i,
  output logic                                            ready_o,
  input  logic                                            first_i,
  input  logic                                            last_i,
  input  logic [Lanes*mx_pkg::element_bits(AFormat)-1:0]  a_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]                    a_scale_i,
  input  logic [Lanes*mx_pkg::element_bits(BFormat)-1:0]  b_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]                    b_scale_i,
  input  logic [31:0]                                     c_i,  // Float32

  // Float32 result, one a vector.
  output logic                                            valid_o,
  input  logic                                            ready_i,
  output logic [mx_pkg::number_bits(ResultFormat)-1:0]    result_o
);

  logic        block_valid, block_ready;
  logic        block_first, block_last;
  logic [31:0] block_result;

  mx_block_dot #(
    .AFormat(AFormat),
    .BFormat(BFormat),
    .TagBits(2)
  ) u_block_dot (
    .clk_i,
    .rst_ni,
    .valid_i,
    .ready_o,
    .a_elements_i,
    .a_scale_i,
    .b_elements_i,
    .b_scale_i,
    .tag_i   ({first_i, last_i}),
    .valid_o (block_valid),
    .ready_i (block_ready),
    .result_o(block_result),
    .tag_o   ({block_first, block_last})
  );

  //////////////////////////
  // Stage 4: Float32 add //
  //////////////////////////

  logic        valid_q;
  logic [31:0] running_q;
  logic [31:0] addend;
  logic [31:0] sum;

  assign addend = block_first ? 32'd0 : running_q;

  mx_fp32_add u_add (
    .a_i     (addend),
    .b_i     (block_result),
    .result_o(sum)
  );

  // The running value is the result register: after the last block it waits there until it is
  // taken, and blocks of the next vector wait with it.
  assign block_ready = !valid_q || ready_i;
  assign valid_o     = valid_q;
  assign result_o    = running_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q <= 1'b0;
    end else if (block_ready) begin
      valid_q <= block_valid && block_last;
    end
  end

  always_ff @(posedge clk_i) begin
    if (block_valid && block_ready) begin
      running_q <= sum;
    end
  end

  logic unused_c;

  assign unused_c = |c_i;

`ifndef SYNTHESIS
  initial begin
    if (Accumulate != 1 || ResultFormat != mx_pkg::Fp32 || Lanes != mx_pkg::BlockSize || Depth != 4) begin
      $fatal(1, "mx_dot_general: parameter values other than the defaults are not there yet.");
    end
  end
`endif

endmodule
