// Exact sum of the 32 products of a block pair, with the exponent that its scales give it.
//
//   sum of a[i] * b[i] = (-1)^negative_o * sum_o * 2^(scale_sum_o + mx_pkg::grid_exponent)
//
// scale_sum_o is the sum of the two scale codes. What is not a number is told by flags: is_nan_o for
// a NaN scale, a NaN element, Inf * 0 and infinite products of both signs; else is_inf_o for infinite
// products, all of the sign inf_negative_o. With either flag the sum means nothing. all_negative_o:
// all products have a negative sign, zeros included.
//
// A block comes in 32 / Lanes beats, lowest elements first; the scales and tag_i that count are those
// of its last beat. tag_i comes out with its block.
//
//   cut     CutLanes                  CutGroups       CutSum
//           decode, multiply, fine  | place and add | add groups,  |
//           shift                   | in groups     | then beats   |
//   INT8 x INT8, four radix-4 digits of Booth:
//           add in groups           | add groups    | add digits,  |
//                                   |               | then beats   |
//
// Each Cut is a register if 1 and nothing if 0. Latency: their number, from the last beat to valid_o.
// Throughput: a beat a cycle. Handshake: that of mx_pipe_stage. Reset: rst_ni, synchronous, active
// low, drops all blocks, also an unfinished one; data registers are not reset.
//
// Width: a placed finite product is below 2^term_bits in magnitude, 32 of them below 2^sum_bits; one
// more bit is the sign. The one sum that reaches a power of two, INT8 x INT8 with 32 * 128 * 128 =
// 2^19, fits sum_bits = 20. Products of NaN or Inf elements may be cut, the flags replace their sum.
module mx_block_sum #(
  parameter int AFormat = mx_pkg::E4M3,  // format ids of mx_pkg
  parameter int BFormat = mx_pkg::E4M3,
  parameter int Lanes = mx_pkg::BlockSize,
  parameter int TagBits = 1,
  parameter int CutLanes = 0,
  parameter int CutGroups = 0,
  parameter int CutSum = 0
) (
  input  logic                                           clk_i,
  input  logic                                           rst_ni,

  // Beat, element 0 in the LSBs.
  input  logic                                           valid_i,
  output logic                                           ready_o,
  input  logic [Lanes*mx_pkg::element_bits(AFormat)-1:0] a_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]                   a_scale_i,
  input  logic [Lanes*mx_pkg::element_bits(BFormat)-1:0] b_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]                   b_scale_i,
  input  logic [TagBits-1:0]                             tag_i,

  // Block.
  output logic                                           valid_o,
  input  logic                                           ready_i,
  output logic [mx_pkg::sum_bits(AFormat, BFormat):0]    sum_o,  // two's complement
  output logic                                           negative_o,
  output logic [mx_pkg::ScaleBits:0]                     scale_sum_o,
  output logic                                           is_nan_o,
  output logic                                           is_inf_o,
  output logic                                           inf_negative_o,
  output logic                                           all_negative_o,
  output logic [TagBits-1:0]                             tag_o
);

  localparam int ABits = mx_pkg::element_bits(AFormat);
  localparam int BBits = mx_pkg::element_bits(BFormat);
  localparam int TermBits = mx_pkg::term_bits(AFormat, BFormat);
  localparam int BeatBits = TermBits + $clog2(Lanes) + 1;
  localparam int IsInteger = mx_pkg::is_integer(AFormat) * mx_pkg::is_integer(BFormat);
  // Lanes are added one after the other in groups of up to four, and the groups in a tree.
  localparam int Count = (Lanes < 4) ? Lanes : 4;
  localparam int Groups = Lanes / Count;

  // Flags of a beat: NaN, Inf, -Inf, a product with positive sign.
  localparam int FlagBits = 4;
  localparam int SideBits = TagBits + FlagBits + mx_pkg::ScaleBits + 1;

  logic                      scale_is_nan;
  logic [mx_pkg::ScaleBits:0] scale_sum;
  logic [SideBits-1:0]       side, side_lanes, side_groups;

  logic                      lanes_valid, lanes_ready, groups_valid, groups_ready;
  logic [BeatBits-1:0]       beat_sum;
  logic                      beat_negative;

  assign scale_is_nan = a_scale_i == mx_pkg::ScaleNan || b_scale_i == mx_pkg::ScaleNan;
  assign scale_sum    = (mx_pkg::ScaleBits+1)'(a_scale_i) + (mx_pkg::ScaleBits+1)'(b_scale_i);

  if (IsInteger != 0) begin : gen_integer

    localparam int LowBits = Groups * (10 + $clog2(Count));
    localparam int HighBits = 3 * Groups * (9 + $clog2(Count));
    localparam int ColumnBits = 9 + $clog2(Lanes);

    logic [Lanes-1:0]        positive;
    logic [LowBits-1:0]      low, low_q;
    logic [HighBits-1:0]     high, high_q;
    logic [4*Groups-1:0]     excess, excess_q;
    logic [ColumnBits:0]     low_column, low_column_q;
    logic [3*ColumnBits-1:0] high_columns, high_columns_q;
    logic [2:0]              column_excess, column_excess_q;

    for (genvar lane = 0; lane < Lanes; lane++) begin : gen_sign
      assign positive[lane] = a_elements_i[lane*ABits+ABits-1] == b_elements_i[lane*BBits+BBits-1];
    end

    assign side = {tag_i, scale_is_nan, 2'b00, |positive, scale_sum};

    mx_booth_groups #(
      .Groups(Groups),
      .Count (Count)
    ) u_groups (
      .a_i     (a_elements_i),
      .b_i     (b_elements_i),
      .low_o   (low),
      .high_o  (high),
      .excess_o(excess)
    );

    mx_pipe_stage #(
      .Width (SideBits + LowBits + HighBits + 4 * Groups),
      .Bypass(1 - CutLanes)
    ) u_cut_lanes (
      .clk_i,
      .rst_ni,
      .valid_i,
      .ready_o,
      .data_i ({side, low, high, excess}),
      .valid_o(lanes_valid),
      .ready_i(lanes_ready),
      .data_o ({side_lanes, low_q, high_q, excess_q})
    );

    mx_booth_columns #(
      .Groups(Groups),
      .Count (Count)
    ) u_columns (
      .low_i   (low_q),
      .high_i  (high_q),
      .excess_i(excess_q),
      .low_o   (low_column),
      .high_o  (high_columns),
      .excess_o(column_excess)
    );

    mx_pipe_stage #(
      .Width (SideBits + 4 * ColumnBits + 1 + 3),
      .Bypass(1 - CutGroups)
    ) u_cut_groups (
      .clk_i,
      .rst_ni,
      .valid_i(lanes_valid),
      .ready_o(lanes_ready),
      .data_i ({side_lanes, low_column, high_columns, column_excess}),
      .valid_o(groups_valid),
      .ready_i(groups_ready),
      .data_o ({side_groups, low_column_q, high_columns_q, column_excess_q})
    );

    mx_booth_combine #(
      .Lanes(Lanes)
    ) u_combine (
      .low_i   (low_column_q),
      .high_i  (high_columns_q),
      .excess_i(column_excess_q),
      .sum_o   (beat_sum)
    );

    assign beat_negative = 1'b0;

  end else begin : gen_float

    localparam int ProductBits = mx_pkg::product_bits(AFormat, BFormat);
    localparam int PositionBits = mx_pkg::position_bits(AFormat, BFormat);
    localparam int FineWidth = mx_pkg::fine_width(AFormat, BFormat);
    localparam int Coarse = mx_pkg::coarse_count(AFormat, BFormat);
    localparam int LaneBits = FineWidth + Coarse + 1;
    localparam int GroupBits = TermBits + $clog2(Count) + 1;

    logic [Lanes-1:0]            negative, negative_q, lane_is_nan, lane_is_inf;
    logic [Lanes*FineWidth-1:0]  fine, fine_q;
    logic [Lanes*Coarse-1:0]     place, place_q;
    logic [Groups*GroupBits-1:0] group_sums, group_sums_q;
    logic [Groups-1:0]           group_negative, group_negative_q;

    for (genvar lane = 0; lane < Lanes; lane++) begin : gen_lane

      logic [ProductBits-1:0]  product;
      logic [PositionBits-1:0] position;

      mx_lane #(
        .AFormat(AFormat),
        .BFormat(BFormat)
      ) u_lane (
        .a_code_i  (a_elements_i[lane*ABits +: ABits]),
        .b_code_i  (b_elements_i[lane*BBits +: BBits]),
        .negative_o(negative[lane]),
        .product_o (product),
        .position_o(position),
        .is_nan_o  (lane_is_nan[lane]),
        .is_inf_o  (lane_is_inf[lane])
      );

      mx_place #(
        .AFormat(AFormat),
        .BFormat(BFormat)
      ) u_place (
        .product_i (product),
        .position_i(position),
        .fine_o    (fine[lane*FineWidth +: FineWidth]),
        .select_o  (place[lane*Coarse +: Coarse])
      );

    end

    assign side = {tag_i, scale_is_nan || (|lane_is_nan), |(lane_is_inf & ~negative),
                   |(lane_is_inf & negative), !(&negative), scale_sum};

    mx_pipe_stage #(
      .Width (SideBits + Lanes * LaneBits),
      .Bypass(1 - CutLanes)
    ) u_cut_lanes (
      .clk_i,
      .rst_ni,
      .valid_i,
      .ready_o,
      .data_i ({side, fine, place, negative}),
      .valid_o(lanes_valid),
      .ready_i(lanes_ready),
      .data_o ({side_lanes, fine_q, place_q, negative_q})
    );

    for (genvar g = 0; g < Groups; g++) begin : gen_group
      mx_row_sum #(
        .FineWidth(FineWidth),
        .Step     (1 << mx_pkg::fine_bits(AFormat, BFormat)),
        .Coarse   (Coarse),
        .Bias     (mx_pkg::position_bias(AFormat, BFormat)),
        .TermBits (TermBits),
        .Count    (Count)
      ) u_rows (
        .fine_i    (fine_q[g*Count*FineWidth +: Count*FineWidth]),
        .select_i  (place_q[g*Count*Coarse +: Count*Coarse]),
        .negative_i(negative_q[g*Count +: Count]),
        .sum_o     (group_sums[g*GroupBits +: GroupBits])
      );
      assign group_negative[g] = negative_q[g*Count];
    end

    mx_pipe_stage #(
      .Width (SideBits + Groups * (GroupBits + 1)),
      .Bypass(1 - CutGroups)
    ) u_cut_groups (
      .clk_i,
      .rst_ni,
      .valid_i(lanes_valid),
      .ready_o(lanes_ready),
      .data_i ({side_lanes, group_sums, group_negative}),
      .valid_o(groups_valid),
      .ready_i(groups_ready),
      .data_o ({side_groups, group_sums_q, group_negative_q})
    );

    mx_adder_tree #(
      .Count(Groups),
      .Width(GroupBits)
    ) u_tree (
      .terms_i   (group_sums_q),
      .negative_i(group_negative_q),
      .sum_o     (beat_sum),
      .negative_o(beat_negative)
    );

  end

  ////////////////////////
  // Beats, and the sum //
  ////////////////////////

  localparam int SumBits = mx_pkg::sum_bits(AFormat, BFormat) + 1;

  logic                       block_valid, block_ready;
  logic [TagBits-1:0]         tag;
  logic [FlagBits-1:0]        beat_flags, flags;
  logic [mx_pkg::ScaleBits:0] block_scale_sum;
  logic [SumBits-1:0]         sum;
  logic                       negative;
  logic                       is_nan, has_positive_inf, has_negative_inf, has_positive;

  assign {tag, beat_flags, block_scale_sum} = side_groups;

  mx_beat_sum #(
    .Beats   (mx_pkg::BlockSize / Lanes),
    .Width   (BeatBits),
    .FlagBits(FlagBits)
  ) u_beats (
    .clk_i,
    .rst_ni,
    .valid_i   (groups_valid),
    .ready_o   (groups_ready),
    .sum_i     (beat_sum),
    .negative_i(beat_negative),
    .flags_i   (beat_flags),
    .valid_o   (block_valid),
    .ready_i   (block_ready),
    .sum_o     (sum),
    .negative_o(negative),
    .flags_o   (flags)
  );

  assign {is_nan, has_positive_inf, has_negative_inf, has_positive} = flags;

  mx_pipe_stage #(
    .Width (TagBits + 5 + mx_pkg::ScaleBits + 1 + SumBits),
    .Bypass(1 - CutSum)
  ) u_cut_sum (
    .clk_i,
    .rst_ni,
    .valid_i(block_valid),
    .ready_o(block_ready),
    .data_i ({tag, is_nan || (has_positive_inf && has_negative_inf),
              has_positive_inf || has_negative_inf, has_negative_inf, !has_positive,
              block_scale_sum, negative, sum}),
    .valid_o,
    .ready_i,
    .data_o ({tag_o, is_nan_o, is_inf_o, inf_negative_o, all_negative_o, scale_sum_o, negative_o,
              sum_o})
  );

endmodule
