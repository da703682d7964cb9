// Running value of a run of blocks given by their exact sums: the end of mx_dot_general and
// mx_dot_multi for the rules that round block by block.
//
//   running value = c_i with the first block, then for every block, by Accumulate:
//   1  block32_fp32_add     Float32 add of the block's sum, rounded to Float32
//   2  block32_exact_fused  the exact sum of both, rounded to Float32 once
//
// The last block's running value, rounded once more if ResultFormat is narrower, is result_o. Sum,
// flags and special values: see mx_fused_round.
//
//   cut     CutTotal             CutNormalised   always       CutResult
//   1       add 0 to the sum   | round         | Float32 add
//   2                                            add, round | round to ResultFormat |
//
// Each Cut is a register if 1 and nothing if 0. Latency: their number and 1. Throughput: a block a
// cycle. Handshake: that of mx_pipe_stage. Reset: rst_ni, synchronous, active low; drops all blocks
// and an unfinished run; data registers, the running value among them, are not reset.
module mx_block_accumulate #(
  parameter int SumBits = 41,                 // magnitude bits of a block's sum
  parameter int GridExponent = -272,          // exponent of its LSB where scale_sum_i is 0
  parameter int Accumulate = mx_pkg::AccumulateBlockAdd,
  parameter int ResultFormat = mx_pkg::Fp32,  // a number format id of mx_pkg with Inf
  parameter int CutTotal = 0,                 // of Accumulate 1
  parameter int CutNormalised = 0,            // of Accumulate 1
  parameter int CutResult = 0                 // of Accumulate 2
) (
  input  logic                                         clk_i,
  input  logic                                         rst_ni,

  // Block.
  input  logic                                         valid_i,
  output logic                                         ready_o,
  input  logic                                         first_i,
  input  logic                                         last_i,
  input  logic [SumBits:0]                             sum_i,  // two's complement
  input  logic                                         negative_i,
  input  logic [mx_pkg::ScaleBits:0]                   scale_sum_i,
  input  logic                                         is_nan_i,
  input  logic                                         is_inf_i,
  input  logic                                         inf_negative_i,
  input  logic                                         all_negative_i,
  input  logic [31:0]                                  c_i,  // Float32

  // Result, one a run.
  output logic                                         valid_o,
  input  logic                                         ready_i,
  output logic [mx_pkg::number_bits(ResultFormat)-1:0] result_o
);

  localparam int ResultBits = mx_pkg::number_bits(ResultFormat);
  localparam int IsFused = (Accumulate == mx_pkg::AccumulateBlockFused) ? 1 : 0;

  // The running value is what is given out: after the last block it waits until it is taken, and
  // blocks of the next vector wait with it.
  logic                  block_valid, block_ready, block_first, block_last;
  logic [31:0]           block_c, so_far, running, running_q;
  logic                  valid_q, running_taken;
  logic [ResultBits-1:0] narrowed;

  assign so_far      = block_first ? block_c : running_q;
  assign block_ready = !valid_q || running_taken;

  if (IsFused != 0) begin : gen_fused

    logic unused_valid, unused_ready, unused_tag;

    assign block_valid = valid_i;
    assign ready_o     = block_ready;
    assign block_first = first_i;
    assign block_last  = last_i;
    assign block_c     = c_i;

    mx_fused_round #(
      .SumBits     (SumBits),
      .GridExponent(GridExponent),
      .IeeeZero    (1)
    ) u_round (
      .clk_i,
      .rst_ni,
      .valid_i,
      .ready_o       (unused_ready),
      .sum_i,
      .negative_i,
      .scale_sum_i,
      .is_nan_i,
      .is_inf_i,
      .inf_negative_i,
      .all_negative_i,
      .c_i           (so_far),
      .tag_i         (1'b0),
      .valid_o       (unused_valid),
      .ready_i       (1'b1),
      .result_o      (running),
      .tag_o         (unused_tag)
    );

  end else begin : gen_add

    logic [31:0] block;
    logic        rounded_valid, rounded_ready;
    logic [31:0] rounded;
    logic [33:0] rounded_tag;

    mx_fused_round #(
      .SumBits      (SumBits),
      .GridExponent (GridExponent),
      .TagBits      (34),
      .CutTotal     (CutTotal),
      .CutNormalised(0)
    ) u_round (
      .clk_i,
      .rst_ni,
      .valid_i,
      .ready_o,
      .sum_i,
      .negative_i,
      .scale_sum_i,
      .is_nan_i,
      .is_inf_i,
      .inf_negative_i,
      .all_negative_i,
      .c_i           (32'd0),
      .tag_i         ({first_i, last_i, c_i}),
      .valid_o       (rounded_valid),
      .ready_i       (rounded_ready),
      .result_o      (rounded),
      .tag_o         (rounded_tag)
    );

    mx_pipe_stage #(
      .Width (66),
      .Bypass(1 - CutNormalised)
    ) u_cut_rounded (
      .clk_i,
      .rst_ni,
      .valid_i(rounded_valid),
      .ready_o(rounded_ready),
      .data_i ({rounded, rounded_tag}),
      .valid_o(block_valid),
      .ready_i(block_ready),
      .data_o ({block, block_first, block_last, block_c})
    );

    mx_fp32_add u_add (
      .a_i     (so_far),
      .b_i     (block),
      .result_o(running)
    );

  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q <= 1'b0;
    end else if (block_ready) begin
      valid_q <= block_valid && block_last;
    end
  end

  always_ff @(posedge clk_i) begin
    if (block_valid && block_ready) begin
      running_q <= running;
    end
  end

  mx_narrow #(
    .ResultFormat(ResultFormat)
  ) u_narrow (
    .value_i (running_q),
    .result_o(narrowed)
  );

  mx_pipe_stage #(
    .Width (ResultBits),
    .Bypass((IsFused != 0) ? 1 - CutResult : 1)
  ) u_cut_result (
    .clk_i,
    .rst_ni,
    .valid_i(valid_q),
    .ready_o(running_taken),
    .data_i (narrowed),
    .valid_o,
    .ready_i,
    .data_o (result_o)
  );

endmodule
