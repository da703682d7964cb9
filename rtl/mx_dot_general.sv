// Dot product of two vectors of blocks and an accumulator, MX-6.2.
//
//   result_o = c_i + sum over blocks of 2^(a_scale - 127) * 2^(b_scale - 127) * sum of a[i] * b[i]
//
// A vector is the run of blocks from one with first_i to one with last_i; a single block has both.
// c_i is taken with the first block. The block with last_i yields result_o. The first block after
// reset must have first_i; a block with first_i starts anew whatever came before.
//
// Element formats (AFormat, BFormat): 0 E5M2, 1 E4M3, 2 E3M2, 3 E2M3, 4 E2M1, 5 INT8; any pair. The
// sum of a block's products is exact for every pair. ResultFormat: 8 Float32, 9 BF16, 10 FP16.
//
//   Accumulate  rule of the model    what is rounded, to nearest even       an exact zero is
//   0           exact_fp32           all at once, to ResultFormat           +0
//   1           block32_fp32_add     each block's sum to Float32; its sum   -0 if both are -0
//                                    with the running value to Float32;
//                                    the last to ResultFormat
//   2           block32_exact_fused  each block's sum with the running      -0 if running value and
//                                    value, once, to Float32; the last to   all products are
//                                    ResultFormat
//   3           align and truncate   see mx_aligned: the largest exponent and AlignBits below it are kept;
//               (nv_mxf8f6f4, ...)   its parameters, Depth, latency, special values and zeros are there
//
// Special values, first match first:
//   scale 0xFF, NaN element, NaN c, Inf * 0, infinities of both signs    NaN: 0x7FC00000 of Float32,
//                                                                       0x7FC0 of BF16, 0x7E00 of FP16
//   an Inf product, c                                                   Inf of its sign
// With Accumulate 1 and 2 a running value beyond Float32 is Inf, too.
//
// Lanes: elements that come at a time, 1, 2, 4, 8, 16 or 32. A block comes in 32 / Lanes beats, lowest
// elements first; the scales, c_i, first_i and last_i are those of the last beat, and the same on all.
//
//   Accumulate  cut 1       2           3           4             5             6
//   0           multiply | in groups | add groups | accumulate  | normalise   | round          |
//   1           multiply | in groups | add groups | place       | round block | Float32 add    |
//   2           multiply | in groups | add groups | add, round  | round to ResultFormat
//
//   Depth   registers at the cuts; the running value is one of them always
//           Accumulate 0        1                   2
//   1       4                   6                   4
//   2       3, 4                3, 6                3, 4
//   3       3, 4, 6             3, 4, 6             1, 3, 4
//   4       1, 3, 4, 6          1, 3, 4, 6          1, 2, 3, 4
//   5       1, 3, 4, 5, 6       1, 3, 4, 5, 6       1, 2, 3, 4, 5
//   6       all                 all                 not offered
//
// Latency: Depth cycles from an accepted last beat of a last block to valid_o. Throughput: a beat a
// cycle, also within one vector and from one vector to the next: the running value takes one cycle.
// Handshake: a transfer happens on a rising clock edge with valid and ready high; valid_o does not
// wait for ready_i, and result_o holds until it is taken. ready_o depends on ready_i
// combinationally (Depth gates), on no other input.
// Reset: rst_ni, synchronous, active low; drops all blocks in flight, any offered while it is low,
// and the unfinished vector. Data registers, the running value among them, are not reset.
//
// Width: see mx_block_sum; mx_exact_accumulate for Accumulate 0, whose vectors may have up to
// 2^CapacityBits - 1 blocks; mx_fused_add for Accumulate 2.
module mx_dot_general #(
  parameter int AFormat = 1,       // element format ids of mx_pkg
  parameter int BFormat = 1,
  parameter int Accumulate = 1,
  parameter int ResultFormat = 8,  // number format id of mx_pkg
  parameter int Lanes = 32,
  parameter int Depth = 4,
  parameter int CapacityBits = 16,
  // With Accumulate 3, fields of the model's rules: see mx_aligned.
  parameter int AlignBits = 25,
  parameter int GroupSize = 32,
  parameter int InnerGroup = 16,
  parameter int AccInAlign = 1,
  parameter int HasExpFloor = 1,
  parameter int ExpFloor = -133,
  parameter int ScaleApply = 0,
  parameter int AccFormat = 8,
  parameter int AccRound = 1,
  parameter logic [31:0] NanPattern = 32'h7FC0_0000
) (
  input  logic                                            clk_i,
  input  logic                                            rst_ni,

  // Beat of a block pair, element 0 in the LSBs.
  input  logic                                            valid_i,
  output logic                                            ready_o,
  input  logic                                            first_i,
  input  logic                                            last_i,
  input  logic [Lanes*mx_pkg::element_bits(AFormat)-1:0]  a_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]                    a_scale_i,
  input  logic [Lanes*mx_pkg::element_bits(BFormat)-1:0]  b_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]                    b_scale_i,
  input  logic [31:0]                                     c_i,  // Float32

  // Result, one a vector.
  output logic                                            valid_o,
  input  logic                                            ready_i,
  output logic [mx_pkg::number_bits(ResultFormat)-1:0]    result_o
);

  if (Accumulate == mx_pkg::AccumulateAligned) begin : gen_aligned

    mx_aligned #(
      .AFormat     (AFormat),
      .BFormat     (BFormat),
      .ResultFormat(ResultFormat),
      .Lanes       (Lanes),
      .Depth       (Depth),
      .Chained     (1),
      .AlignBits   (AlignBits),
      .GroupSize   (GroupSize),
      .InnerGroup  (InnerGroup),
      .AccInAlign  (AccInAlign),
      .HasExpFloor (HasExpFloor),
      .ExpFloor    (ExpFloor),
      .ScaleApply  (ScaleApply),
      .AccFormat   (AccFormat),
      .AccRound    (AccRound),
      .NanPattern  (NanPattern)
    ) u_aligned (
      .clk_i,
      .rst_ni,
      .valid_i,
      .ready_o,
      .first_i,
      .last_i,
      .a_elements_i,
      .a_scale_i,
      .b_elements_i,
      .b_scale_i,
      .c_i,
      .valid_o,
      .ready_i,
      .result_o
    );

  end else begin : gen_exact_sums

    localparam int SumBits = mx_pkg::sum_bits(AFormat, BFormat);
    localparam int GridExponent = mx_pkg::grid_exponent(AFormat, BFormat);
    localparam int ResultBits = mx_pkg::number_bits(ResultFormat);

    // Registers at the cuts, see the table above.
    localparam int IsFused = (Accumulate == mx_pkg::AccumulateBlockFused) ? 1 : 0;
    localparam int CutLanes = (Depth >= 4 || (Depth == 3 && IsFused != 0)) ? 1 : 0;
    localparam int CutGroups = (Depth == 6 || (Depth >= 4 && IsFused != 0)) ? 1 : 0;
    localparam int CutSum = (Depth >= 2) ? 1 : 0;
    localparam int CutTotal = (Depth >= 3) ? 1 : 0;
    localparam int CutNormalised = (Depth >= 5) ? 1 : 0;
    localparam int CutResult = (Depth >= ((IsFused != 0) ? 5 : 3)) ? 1 : 0;

    ////////////////////////////
    // Exact sum, cuts 1 to 3 //
    ////////////////////////////

    logic                       sum_valid, sum_ready;
    logic [SumBits:0]           sum;
    logic                       sum_negative;
    logic [mx_pkg::ScaleBits:0] scale_sum;
    logic                       products_are_nan, products_are_inf, inf_negative, all_negative;
    logic                       sum_first, sum_last;
    logic [31:0]                sum_c;

    mx_block_sum #(
      .AFormat  (AFormat),
      .BFormat  (BFormat),
      .Lanes    (Lanes),
      .TagBits  (34),
      .CutLanes (CutLanes),
      .CutGroups(CutGroups),
      .CutSum   (CutSum)
    ) u_sum (
      .clk_i,
      .rst_ni,
      .valid_i,
      .ready_o,
      .a_elements_i,
      .a_scale_i,
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

    if (Accumulate == mx_pkg::AccumulateExact) begin : gen_exact

      //////////////////////
      // Accumulate, once //
      //////////////////////

      localparam int TotalBits = SumBits + 508 + CapacityBits;
      localparam int PartBits = mx_pkg::rounding_bits(ResultFormat);
      localparam logic [31:0] Nan = mx_pkg::number_nan(ResultFormat);
      localparam logic [31:0] Inf = mx_pkg::number_inf(ResultFormat);

      logic                 total_valid, total_ready;
      logic [TotalBits:0]   total;
      logic                 total_negative, is_nan, is_inf, total_inf_negative;
      logic                 increment, unused_all_negative;
      logic [TotalBits-1:0] magnitude;
      logic [PartBits-1:0]  parts, rounded_parts;

      assign unused_all_negative = all_negative;

      mx_exact_accumulate #(
        .SumBits     (SumBits),
        .GridExponent(GridExponent),
        .CapacityBits(CapacityBits)
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
        .c_i           (sum_c),
        .valid_o       (total_valid),
        .ready_i       (total_ready),
        .total_o       (total),
        .negative_o    (total_negative),
        .is_nan_o      (is_nan),
        .is_inf_o      (is_inf),
        .inf_negative_o(total_inf_negative)
      );

      assign increment = total[TotalBits];
      assign magnitude = total[TotalBits-1:0] ^ {TotalBits{increment}};

      mx_round_normalise #(
        .Width         (TotalBits),
        .ExponentBits  (2),
        .Result        (ResultFormat),
        .ExponentOffset(GridExponent),
        .LowestExponent(GridExponent)
      ) u_normalise (
        .magnitude_i   (magnitude),
        .increment_i   (increment),
        .lsb_exponent_i(2'sd0),
        .parts_o       (parts)
      );

      logic                  rounded_valid, rounded_ready;
      logic                  rounded_is_nan, rounded_is_inf, rounded_inf_negative, rounded_sign;
      logic                  is_zero, result_sign, unused_overflow;
      logic [ResultBits-1:0] rounded, result;

      mx_pipe_stage #(
        .Width (4 + PartBits),
        .Bypass(1 - CutNormalised)
      ) u_cut_normalised (
        .clk_i,
        .rst_ni,
        .valid_i(total_valid),
        .ready_o(total_ready),
        .data_i ({is_nan, is_inf, total_inf_negative, total_negative ^ increment, parts}),
        .valid_o(rounded_valid),
        .ready_i(rounded_ready),
        .data_o ({rounded_is_nan, rounded_is_inf, rounded_inf_negative, rounded_sign, rounded_parts})
      );

      mx_round_result #(
        .Result(ResultFormat),
        .Mode  (mx_pkg::NearestEven)
      ) u_round (
        .sign_i    (result_sign),
        .parts_i   (rounded_parts),
        .result_o  (rounded),
        .is_zero_o (is_zero),
        .overflow_o(unused_overflow)
      );

      assign result_sign = rounded_is_inf ? rounded_inf_negative : !is_zero && rounded_sign;
      assign result      = rounded_is_nan ? Nan[ResultBits-1:0]
          : {rounded[ResultBits-1],
             rounded_is_inf ? Inf[ResultBits-2:0] : rounded[ResultBits-2:0]};

      mx_pipe_stage #(
        .Width (ResultBits),
        .Bypass(1 - CutResult)
      ) u_cut_result (
        .clk_i,
        .rst_ni,
        .valid_i(rounded_valid),
        .ready_o(rounded_ready),
        .data_i (result),
        .valid_o,
        .ready_i,
        .data_o (result_o)
      );

    end else begin : gen_running

      mx_block_accumulate #(
        .SumBits      (SumBits),
        .GridExponent (GridExponent),
        .Accumulate   (Accumulate),
        .ResultFormat (ResultFormat),
        .CutTotal     (CutTotal),
        .CutNormalised(CutNormalised),
        .CutResult    (CutResult)
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

    end

  end

`ifndef SYNTHESIS
  initial begin
    if (AFormat < 0 || AFormat >= mx_pkg::FormatCount) begin
      $fatal(1, "mx_dot_general: AFormat is %0d; it must be an element format id of mx_pkg, 0 to 5.",
             AFormat);
    end
    if (BFormat < 0 || BFormat >= mx_pkg::FormatCount) begin
      $fatal(1, "mx_dot_general: BFormat is %0d; it must be an element format id of mx_pkg, 0 to 5.",
             BFormat);
    end
    if (Accumulate < mx_pkg::AccumulateExact || Accumulate > mx_pkg::AccumulateAligned) begin
      $fatal(1, "mx_dot_general: Accumulate is %0d; it must be 0 (exact), 1 (block add), 2 (block %0s",
             Accumulate, "fused) or 3 (aligned).");
    end
    if (ResultFormat < mx_pkg::Fp32 || ResultFormat > mx_pkg::Fp16) begin
      $fatal(1, "mx_dot_general: ResultFormat is %0d; it must be 8 (Float32), 9 (BF16) or 10 (FP16).",
             ResultFormat);
    end
    if (Lanes < 1 || Lanes > mx_pkg::BlockSize || Lanes != (1 << $clog2(Lanes))) begin
      $fatal(1, "mx_dot_general: Lanes is %0d; it must be 1, 2, 4, 8, 16 or 32.", Lanes);
    end
    if (Depth < 1 || Depth > ((Accumulate == mx_pkg::AccumulateBlockFused) ? 5 : 6)) begin
      $fatal(1, "mx_dot_general: Depth is %0d; it must be from 1 to 6, with Accumulate 2 to 5.", Depth);
    end
    if (CapacityBits < 1 || CapacityBits > 64) begin
      $fatal(1, "mx_dot_general: CapacityBits is %0d; it must be from 1 to 64.", CapacityBits);
    end
  end
`endif

endmodule
