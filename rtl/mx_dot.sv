// Dot product of one block pair and an accumulator, MX-6.1.
//
//   result_o = c_i + 2^(a_scale_i - 127) * 2^(b_scale_i - 127) * sum of a[i] * b[i]
//
// Element formats (AFormat, BFormat): 0 E5M2, 1 E4M3, 2 E3M2, 3 E2M3, 4 E2M1, 5 INT8; any pair.
// The sum of products is exact for every pair; the scales enter as an exponent (D-13).
// ResultFormat: 8 Float32, 9 BF16, 10 FP16.
//
//   Accumulate  rule of the model    roundings                              an exact zero is
//   0           exact_fp32           one, of all to the result format       +0
//   1           block32_fp32_add     the block's sum to Float32, its sum    -0 if both are -0
//                                    with c to Float32, to ResultFormat
//   2           block32_exact_fused  one, as 0                              -0 if c and all products are
//   3           align and truncate   see mx_aligned: the largest exponent and AlignBits below it are kept;
//               (nv_mxf8f6f4, ...)   its parameters, Depth, latency, special values and zeros are there
//
// Special values, first match first:
//   scale 0xFF, NaN element, NaN c, Inf * 0, infinities of both signs    NaN: 0x7FC00000 of Float32,
//                                                                       0x7FC0 of BF16, 0x7E00 of FP16
//   an Inf product, c                                                   Inf of its sign
//   an exact zero sum                                                   see above
//   any other sum                                                       rounded to nearest even
//
// Lanes: elements that come at a time, 1, 2, 4, 8, 16 or 32. A block comes in 32 / Lanes beats, lowest
// elements first; the scales and c_i are those of the last beat, and the same on all.
//
//   cut     1             2             3           4               5              6
//           decode,    |  place, add |  add       | align, add   |  normalise  |  round, special   |
//           multiply   |  in groups  |  groups    | c            |             |  values           |
//
//   Depth   registers at the cuts (Accumulate 1 has the rounding of the sum before cut 4, and both
//           normalise and round of the sum with c after it)
//   0       none                          4       1, 3, 4, 6
//   1       6                             5       1, 3, 4, 5, 6
//   2       3, 6                          6       all
//   3       2, 4, 6
//
// Latency: Depth cycles from an accepted last beat to valid_o; with Depth 0 the result is a function of
// the inputs of the same cycle, and clk_i matters only for beats. Throughput: a beat a cycle. Results
// come in the order of their blocks, and their bits do not depend on Lanes and Depth.
// Handshake: a transfer happens on a rising clock edge with valid and ready high; valid_o does not
// wait for ready_i, and result_o holds until it is taken. ready_o depends on ready_i
// combinationally (Depth gates), on no other input.
// Reset: rst_ni, synchronous, active low; drops all blocks in flight, an unfinished one, and any
// offered while it is low. Data registers are not reset.
//
// Width: see mx_block_sum for the sum, mx_fused_add for the sum with c.
module mx_dot #(
  parameter int AFormat = 1,       // element format ids of mx_pkg
  parameter int BFormat = 1,
  parameter int Accumulate = 0,
  parameter int ResultFormat = 8,  // number format id of mx_pkg
  parameter int Lanes = 32,
  parameter int Depth = 3,
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
  input  logic [Lanes*mx_pkg::element_bits(AFormat)-1:0]  a_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]                    a_scale_i,
  input  logic [Lanes*mx_pkg::element_bits(BFormat)-1:0]  b_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]                    b_scale_i,
  input  logic [31:0]                                     c_i,  // Float32

  // Result, one a block.
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
      .Chained     ((GroupSize < mx_pkg::BlockSize) ? 1 : 0),
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
      .first_i(1'b1),
      .last_i (1'b1),
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
    localparam int CutLanes = (Depth >= 4) ? 1 : 0;
    localparam int CutGroups = (Depth == 3 || Depth == 6) ? 1 : 0;
    localparam int CutSum = (Depth == 2 || Depth >= 4) ? 1 : 0;
    localparam int CutTotal = (Depth >= 3) ? 1 : 0;
    localparam int CutNormalised = (Depth >= 5) ? 1 : 0;
    localparam int CutResult = (Depth >= 1) ? 1 : 0;

    ////////////////////////////
    // Exact sum, cuts 1 to 3 //
    ////////////////////////////

    logic                         sum_valid, sum_ready;
    logic [SumBits:0]             sum;
    logic                         sum_negative;
    logic [mx_pkg::ScaleBits:0]   scale_sum;
    logic                         products_are_nan, products_are_inf, inf_negative, all_negative;
    logic [31:0]                  c;

    mx_block_sum #(
      .AFormat  (AFormat),
      .BFormat  (BFormat),
      .Lanes    (Lanes),
      .TagBits  (32),
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
      .tag_i         (c_i),
      .valid_o       (sum_valid),
      .ready_i       (sum_ready),
      .sum_o         (sum),
      .negative_o    (sum_negative),
      .scale_sum_o   (scale_sum),
      .is_nan_o      (products_are_nan),
      .is_inf_o      (products_are_inf),
      .inf_negative_o(inf_negative),
      .all_negative_o(all_negative),
      .tag_o         (c)
    );

    ///////////////////////////////
    // Sum with c, cuts 4 and 5 //
    ///////////////////////////////

    logic                  result_valid, result_ready;
    logic [ResultBits-1:0] result;

    if (Accumulate == mx_pkg::AccumulateBlockAdd) begin : gen_add

      logic        block_valid, block_ready;
      logic [31:0] block, block_c, total;

      mx_fused_round #(
        .SumBits      (SumBits),
        .GridExponent (GridExponent),
        .ResultFormat (mx_pkg::Fp32),
        .TagBits      (32),
        .CutTotal     (CutTotal),
        .CutNormalised(0)
      ) u_round (
        .clk_i,
        .rst_ni,
        .valid_i       (sum_valid),
        .ready_o       (sum_ready),
        .sum_i         (sum),
        .negative_i    (sum_negative),
        .scale_sum_i   (scale_sum),
        .is_nan_i      (products_are_nan),
        .is_inf_i      (products_are_inf),
        .inf_negative_i(inf_negative),
        .all_negative_i(all_negative),
        .c_i           (32'd0),
        .tag_i         (c),
        .valid_o       (block_valid),
        .ready_i       (block_ready),
        .result_o      (block),
        .tag_o         (block_c)
      );

      logic [31:0] added_block, added_c;

      mx_pipe_stage #(
        .Width (64),
        .Bypass(1 - CutNormalised)
      ) u_cut_rounded (
        .clk_i,
        .rst_ni,
        .valid_i(block_valid),
        .ready_o(block_ready),
        .data_i ({block, block_c}),
        .valid_o(result_valid),
        .ready_i(result_ready),
        .data_o ({added_block, added_c})
      );

      mx_fp32_add u_add (
        .a_i     (added_c),
        .b_i     (added_block),
        .result_o(total)
      );

      mx_narrow #(
        .ResultFormat(ResultFormat)
      ) u_narrow (
        .value_i (total),
        .result_o(result)
      );

    end else begin : gen_fused

      logic unused_tag;

      mx_fused_round #(
        .SumBits      (SumBits),
        .GridExponent (GridExponent),
        .ResultFormat (ResultFormat),
        .IeeeZero     ((Accumulate == mx_pkg::AccumulateBlockFused) ? 1 : 0),
        .CutTotal     (CutTotal),
        .CutNormalised(CutNormalised)
      ) u_round (
        .clk_i,
        .rst_ni,
        .valid_i       (sum_valid),
        .ready_o       (sum_ready),
        .sum_i         (sum),
        .negative_i    (sum_negative),
        .scale_sum_i   (scale_sum),
        .is_nan_i      (products_are_nan),
        .is_inf_i      (products_are_inf),
        .inf_negative_i(inf_negative),
        .all_negative_i(all_negative),
        .c_i           (c),
        .tag_i         (1'b0),
        .valid_o       (result_valid),
        .ready_i       (result_ready),
        .result_o      (result),
        .tag_o         (unused_tag)
      );

    end

    mx_pipe_stage #(
      .Width (ResultBits),
      .Bypass(1 - CutResult)
    ) u_cut_result (
      .clk_i,
      .rst_ni,
      .valid_i(result_valid),
      .ready_o(result_ready),
      .data_i (result),
      .valid_o,
      .ready_i,
      .data_o (result_o)
    );

  end

`ifndef SYNTHESIS
  initial begin
    if (AFormat < 0 || AFormat >= mx_pkg::FormatCount) begin
      $fatal(1, "mx_dot: AFormat is %0d; it must be an element format id of mx_pkg, 0 to 5.", AFormat);
    end
    if (BFormat < 0 || BFormat >= mx_pkg::FormatCount) begin
      $fatal(1, "mx_dot: BFormat is %0d; it must be an element format id of mx_pkg, 0 to 5.", BFormat);
    end
    if (Accumulate < mx_pkg::AccumulateExact || Accumulate > mx_pkg::AccumulateAligned) begin
      $fatal(1, "mx_dot: Accumulate is %0d; it must be 0 (exact), 1 (block add), 2 (block %0s",
             Accumulate, "fused) or 3 (aligned).");
    end
    if (ResultFormat < mx_pkg::Fp32 || ResultFormat > mx_pkg::Fp16) begin
      $fatal(1, "mx_dot: ResultFormat is %0d; it must be 8 (Float32), 9 (BF16) or 10 (FP16).",
             ResultFormat);
    end
    if (Lanes < 1 || Lanes > mx_pkg::BlockSize || Lanes != (1 << $clog2(Lanes))) begin
      $fatal(1, "mx_dot: Lanes is %0d; it must be 1, 2, 4, 8, 16 or 32.", Lanes);
    end
    if (Depth < 0 || Depth > 6) begin
      $fatal(1, "mx_dot: Depth is %0d; it must be from 0 to 6.", Depth);
    end
  end
`endif

endmodule
