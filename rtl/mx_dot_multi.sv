// Dot product of two vectors of blocks and an accumulator, MX-6.2, with the element formats chosen at
// run time: all 36 pairs on one datapath.
//
//   result_o = c_i + sum over blocks of 2^(a_scale - 127) * 2^(b_scale - 127) * sum of a[i] * b[i]
//
// A vector is the run of blocks from one with first_i to one with last_i; a single block has both.
// c_i is taken with the first block. The block with last_i yields result_o. The first block after
// reset must have first_i; a block with first_i starts anew whatever came before.
//
// Element formats (a_format_i, b_format_i): 0 E5M2, 1 E4M3, 2 E3M2, 3 E2M3, 4 E2M1, 5 INT8, ids of
// mx_pkg. They belong to their block like its scale and may change from one block to the next, also
// within a vector. With an id of 6 or 7 the block's dot product is NaN.
//
// ResultFormat: 8 Float32, 9 BF16, 10 FP16.
//
//   Accumulate  rule of the model    what is rounded, to nearest even       an exact zero is
//   1           block32_fp32_add     each block's sum to Float32; its sum   -0 if both are -0
//                                    with the running value to Float32;
//                                    the last to ResultFormat
//   2           block32_exact_fused  each block's sum with the running      -0 if running value and
//                                    value, once, to Float32; the last to   all products are
//                                    ResultFormat
//
// Special values, first match first:
//   format id 6 or 7, scale 0xFF, NaN element, NaN c,                   NaN: 0x7FC00000 of Float32,
//   Inf * 0, infinities of both signs                                   0x7FC0 of BF16, 0x7E00 of FP16
//   an Inf product, c                                                   Inf of its sign
// A running value beyond Float32 is Inf, too.
//
// One datapath: codes are widened to one float format, E5M3, and a lane multiplies signed bytes, what
// an INT8 code is and a float significand becomes (mx_element_widen, mx_multi_lane). From the lanes
// on everything is that of mx_dot_general, as wide as E5M2 x E5M2 needs.
//
// Lanes: elements that come at a time, 1, 2, 4, 8, 16 or 32. A block comes in 32 / Lanes beats, lowest
// elements first; scales, formats, c_i, first_i and last_i are the same on all of them.
//
//   Accumulate  cut 1       2           3           4             5             6
//   1           multiply | in groups | add groups | place       | round block | Float32 add    |
//   2           multiply | in groups | add groups | add, round  | round to ResultFormat
//
//   Depth   registers at the cuts; the running value is one of them always
//           Accumulate 1        2
//   1       6                   4
//   2       3, 6                3, 4
//   3       3, 4, 6             1, 3, 4
//   4       1, 3, 4, 6          1, 2, 3, 4
//   5       1, 3, 4, 5, 6       1, 2, 3, 4, 5
//   6       all                 not offered
//
// Latency: Depth cycles from an accepted last beat of a last block to valid_o. Throughput: a beat a
// cycle, also within one vector and from one vector to the next: the running value takes one cycle.
// Handshake: a transfer happens on a rising clock edge with valid and ready high; valid_o does not
// wait for ready_i, and result_o holds until it is taken. ready_o depends on ready_i
// combinationally (Depth gates), on no other input.
// Reset: rst_ni, synchronous, active low; drops all blocks in flight, any offered while it is low,
// and the unfinished vector. Data registers, the running value among them, are not reset.
//
// Width: see mx_multi_sum; mx_fused_add.
module mx_dot_multi #(
  parameter int Accumulate = 1,
  parameter int ResultFormat = 8,  // number format id of mx_pkg
  parameter int Lanes = 32,
  parameter int Depth = 4
) (
  input  logic                                         clk_i,
  input  logic                                         rst_ni,

  // Beat of a block pair, element 0 in the LSBs, every code right-aligned in a byte of its own; the
  // bits above a code are ignored.
  input  logic                                         valid_i,
  output logic                                         ready_o,
  input  logic                                         first_i,
  input  logic                                         last_i,
  input  logic [2:0]                                   a_format_i,
  input  logic [Lanes*8-1:0]                           a_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]                 a_scale_i,
  input  logic [2:0]                                   b_format_i,
  input  logic [Lanes*8-1:0]                           b_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]                 b_scale_i,
  input  logic [31:0]                                  c_i,  // Float32

  // Result, one a vector.
  output logic                                         valid_o,
  input  logic                                         ready_i,
  output logic [mx_pkg::number_bits(ResultFormat)-1:0] result_o
);

  // Registers at the cuts, see the table above.
  localparam int IsFused = (Accumulate == mx_pkg::AccumulateBlockFused) ? 1 : 0;

  logic                         sum_valid, sum_ready;
  logic [mx_pkg::MultiSumBits:0] sum;
  logic                         sum_negative;
  logic [mx_pkg::ScaleBits:0]   scale_sum;
  logic                         products_are_nan, products_are_inf, inf_negative, all_negative;
  logic                         sum_first, sum_last;
  logic [31:0]                  sum_c;

  mx_multi_sum #(
    .Lanes    (Lanes),
    .TagBits  (34),
    .CutLanes ((Depth >= 4 || (Depth == 3 && IsFused != 0)) ? 1 : 0),
    .CutGroups((Depth == 6 || (Depth >= 4 && IsFused != 0)) ? 1 : 0),
    .CutSum   ((Depth >= 2) ? 1 : 0)
  ) u_sum (
    .clk_i,
    .rst_ni,
    .valid_i,
    .ready_o,
    .a_format_i,
    .a_elements_i,
    .a_scale_i,
    .b_format_i,
    .b_elements_i,
    .b_scale_i,
    .tag_i         ({first_i, last_i, c_i}),
    .valid_o       (sum_valid),
    .ready_i       (sum_ready),
    .sum_o         (sum),
    .negative_o    (sum_negative),
    .scale_sum_o   (scale_sum),
    .is_nan_o      (products_are_nan),
    .is_inf_o      (products_are_inf),
    .inf_negative_o(inf_negative),
    .all_negative_o(all_negative),
    .tag_o         ({sum_first, sum_last, sum_c})
  );

  mx_block_accumulate #(
    .SumBits      (mx_pkg::MultiSumBits),
    .GridExponent (mx_pkg::MultiGridExponent),
    .Accumulate   (Accumulate),
    .ResultFormat (ResultFormat),
    .CutTotal     ((Depth >= 3) ? 1 : 0),
    .CutNormalised((Depth >= 5) ? 1 : 0),
    .CutResult    ((Depth >= 5) ? 1 : 0)
  ) u_accumulate (
    .clk_i,
    .rst_ni,
    .valid_i       (sum_valid),
    .ready_o       (sum_ready),
    .first_i       (sum_first),
    .last_i        (sum_last),
    .sum_i         (sum),
    .negative_i    (sum_negative),
    .scale_sum_i   (scale_sum),
    .is_nan_i      (products_are_nan),
    .is_inf_i      (products_are_inf),
    .inf_negative_i(inf_negative),
    .all_negative_i(all_negative),
    .c_i           (sum_c),
    .valid_o,
    .ready_i,
    .result_o
  );

`ifndef SYNTHESIS
  localparam int MaxDepth = (IsFused != 0) ? 5 : 6;

  initial begin
    if (Accumulate != mx_pkg::AccumulateBlockAdd && Accumulate != mx_pkg::AccumulateBlockFused) begin
      $fatal(1, "mx_dot_multi: Accumulate is %0d; it must be 1 (block add) or 2 (block fused).",
             Accumulate);
    end
    if (ResultFormat < mx_pkg::Fp32 || ResultFormat > mx_pkg::Fp16) begin
      $fatal(1, "mx_dot_multi: ResultFormat is %0d; it must be 8 (Float32), 9 (BF16) or 10 (FP16).",
             ResultFormat);
    end
    if (Lanes < 1 || Lanes > mx_pkg::BlockSize || Lanes != (1 << $clog2(Lanes))) begin
      $fatal(1, "mx_dot_multi: Lanes is %0d; it must be 1, 2, 4, 8, 16 or 32.", Lanes);
    end
    if (Depth < 1 || Depth > MaxDepth) begin
      $fatal(1, "mx_dot_multi: Depth is %0d; with this Accumulate it must be from 1 to %0d.",
             Depth, MaxDepth);
    end
  end
`endif

endmodule
