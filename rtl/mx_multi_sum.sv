// Exact sum of the 32 products of a block pair whose element formats are chosen at run time, with the
// exponent that scales and formats give it: what mx_block_sum is for formats fixed by parameters.
//
//   sum of a[i] * b[i] = (-1)^negative_o * sum_o * 2^(scale_sum_o + mx_pkg::MultiGridExponent)
//
// scale_sum_o is the sum of the two scale codes and of what the units of the two formats lie above
// that of E5M2, or 511 if that is more: a sum that is not zero is beyond Float32 either way. What is
// not a number is told by flags: is_nan_o for a NaN scale, a format id that is none, a NaN element,
// Inf * 0 and infinite products of both signs; else is_inf_o for infinite products, all of the sign
// inf_negative_o. With either flag the sum means nothing. all_negative_o: all products have a
// negative sign, zeros included.
//
// A block comes in 32 / Lanes beats, lowest elements first; scales, formats and tag_i are those of
// its last beat, and the formats are the same on all. tag_i comes out with its block.
//
//   cut     CutLanes                   CutGroups       CutSum
//           widen, decode, multiply, | place and add | add groups,  |
//           fine shift               | in groups     | then beats   |
//
// Each Cut is a register if 1 and nothing if 0. Latency: their number, from the last beat to valid_o.
// Throughput: a beat a cycle. Handshake: that of mx_pipe_stage. Reset: rst_ni, synchronous, active
// low, drops all blocks, also an unfinished one; data registers are not reset.
//
// Width: of finite elements E5M2 gives the largest placed product: significand 14 in E5M3 and field
// 30 = 28 + 2 give the byte 56, and 56^2 * 2^(28 + 28) < 2^68. 32 of them are below 2^73. The two low
// bits are only for INT8, of which no bit may be lost; a float has a field of at least 1.
module mx_multi_sum #(
  parameter int Lanes = mx_pkg::BlockSize,
  parameter int TagBits = 1,
  parameter int CutLanes = 0,
  parameter int CutGroups = 0,
  parameter int CutSum = 0
) (
  input  logic                            clk_i,
  input  logic                            rst_ni,

  // Beat, element 0 in the LSBs, each code right-aligned in a byte.
  input  logic                            valid_i,
  output logic                            ready_o,
  input  logic [2:0]                      a_format_i,
  input  logic [Lanes*8-1:0]              a_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]    a_scale_i,
  input  logic [2:0]                      b_format_i,
  input  logic [Lanes*8-1:0]              b_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]    b_scale_i,
  input  logic [TagBits-1:0]              tag_i,

  // Block.
  output logic                            valid_o,
  input  logic                            ready_i,
  output logic [mx_pkg::MultiSumBits:0]   sum_o,  // two's complement
  output logic                            negative_o,
  output logic [mx_pkg::ScaleBits:0]      scale_sum_o,
  output logic                            is_nan_o,
  output logic                            is_inf_o,
  output logic                            inf_negative_o,
  output logic                            all_negative_o,
  output logic [TagBits-1:0]              tag_o
);

  localparam int FineWidth = 27;
  localparam int Coarse = 4;
  localparam int TermBits = mx_pkg::MultiSumBits - $clog2(mx_pkg::BlockSize);
  localparam int BeatBits = TermBits + $clog2(Lanes) + 1;
  // Lanes are added one after the other in groups of up to four, and the groups in a tree.
  localparam int Count = (Lanes < 4) ? Lanes : 4;
  localparam int Groups = Lanes / Count;
  localparam int LaneBits = FineWidth + Coarse + 1;
  localparam int GroupBits = TermBits + $clog2(Count) + 1;

  // Flags of a beat: NaN, Inf, -Inf, a product with positive sign.
  localparam int FlagBits = 4;
  localparam int ScaleSumBits = mx_pkg::ScaleBits + 1;
  localparam int SideBits = TagBits + FlagBits + ScaleSumBits;

  ///////////
  // Scale //
  ///////////

  // What the unit of a format lies above that of E5M2.
  localparam int E4M3Rise = mx_pkg::multi_unit_rise(mx_pkg::E4M3);
  localparam int E3M2Rise = mx_pkg::multi_unit_rise(mx_pkg::E3M2);
  localparam int E2M3Rise = mx_pkg::multi_unit_rise(mx_pkg::E2M3);
  localparam int E2M1Rise = mx_pkg::multi_unit_rise(mx_pkg::E2M1);
  localparam int INT8Rise = mx_pkg::multi_unit_rise(mx_pkg::INT8);

  function automatic logic [3:0] unit_rise(input logic [2:0] format);
    case (format)
      3'(mx_pkg::E4M3): unit_rise = 4'(E4M3Rise);
      3'(mx_pkg::E3M2): unit_rise = 4'(E3M2Rise);
      3'(mx_pkg::E2M3): unit_rise = 4'(E2M3Rise);
      3'(mx_pkg::E2M1): unit_rise = 4'(E2M1Rise);
      3'(mx_pkg::INT8): unit_rise = 4'(INT8Rise);
      default:          unit_rise = 4'd0;
    endcase
  endfunction

  logic                    block_is_nan;
  logic [4:0]              rise;
  logic [ScaleSumBits:0]   scale_sum;
  logic [ScaleSumBits-1:0] limited_sum;

  assign block_is_nan = a_scale_i == mx_pkg::ScaleNan || b_scale_i == mx_pkg::ScaleNan
      || a_format_i > 3'(mx_pkg::INT8) || b_format_i > 3'(mx_pkg::INT8);
  assign rise         = {1'b0, unit_rise(a_format_i)} + {1'b0, unit_rise(b_format_i)};
  assign scale_sum    = (ScaleSumBits+1)'(a_scale_i) + (ScaleSumBits+1)'(b_scale_i)
      + (ScaleSumBits+1)'(rise);
  assign limited_sum  = scale_sum[ScaleSumBits-1:0] | {ScaleSumBits{scale_sum[ScaleSumBits]}};

  ///////////
  // Lanes //
  ///////////

  logic [Lanes-1:0]           negative, negative_q, lane_is_nan, lane_is_inf;
  logic [Lanes*FineWidth-1:0] fine, fine_q;
  logic [Lanes*Coarse-1:0]    place, place_q;
  logic [SideBits-1:0]        side, side_lanes, side_groups;
  logic                       lanes_valid, lanes_ready;

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_lane
    mx_multi_lane u_lane (
      .a_code_i  (a_elements_i[lane*8 +: 8]),
      .b_code_i  (b_elements_i[lane*8 +: 8]),
      .a_format_i,
      .b_format_i,
      .negative_o(negative[lane]),
      .fine_o    (fine[lane*FineWidth +: FineWidth]),
      .select_o  (place[lane*Coarse +: Coarse]),
      .is_nan_o  (lane_is_nan[lane]),
      .is_inf_o  (lane_is_inf[lane])
    );
  end

  assign side = {tag_i, block_is_nan || (|lane_is_nan), |(lane_is_inf & ~negative),
                 |(lane_is_inf & negative), !(&negative), limited_sum};

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

  ////////////
  // Groups //
  ////////////

  logic [Groups*GroupBits-1:0] group_sums, group_sums_q;
  logic [Groups-1:0]           group_negative, group_negative_q;
  logic                        groups_valid, groups_ready;

  for (genvar g = 0; g < Groups; g++) begin : gen_group
    mx_row_sum #(
      .FineWidth(FineWidth),
      .Step     (16),
      .Coarse   (Coarse),
      .Bias     (0),
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

  ////////////////////////
  // Beats, and the sum //
  ////////////////////////

  logic                       block_valid, block_ready, beat_negative, block_negative;
  logic [BeatBits-1:0]        beat_sum;
  logic [TagBits-1:0]         tag;
  logic [FlagBits-1:0]        beat_flags, flags;
  logic [ScaleSumBits-1:0]    block_scale_sum;
  logic [mx_pkg::MultiSumBits:0] block_sum;
  logic                       is_nan, has_positive_inf, has_negative_inf, has_positive;

  mx_adder_tree #(
    .Count(Groups),
    .Width(GroupBits)
  ) u_tree (
    .terms_i   (group_sums_q),
    .negative_i(group_negative_q),
    .sum_o     (beat_sum),
    .negative_o(beat_negative)
  );

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
    .sum_o     (block_sum),
    .negative_o(block_negative),
    .flags_o   (flags)
  );

  assign {is_nan, has_positive_inf, has_negative_inf, has_positive} = flags;

  mx_pipe_stage #(
    .Width (TagBits + 5 + ScaleSumBits + mx_pkg::MultiSumBits + 1),
    .Bypass(1 - CutSum)
  ) u_cut_sum (
    .clk_i,
    .rst_ni,
    .valid_i(block_valid),
    .ready_o(block_ready),
    .data_i ({tag, is_nan || (has_positive_inf && has_negative_inf),
              has_positive_inf || has_negative_inf, has_negative_inf, !has_positive,
              block_scale_sum, block_negative, block_sum}),
    .valid_o,
    .ready_i,
    .data_o ({tag_o, is_nan_o, is_inf_o, inf_negative_o, all_negative_o, scale_sum_o, negative_o,
              sum_o})
  );

endmodule
