// Align-and-truncate dot product whose terms are exact sums of InnerGroup products with the exponent
// of their scales alone: mx_aligned with ScaleApply 1, where parameters, latency, handshake and reset
// are described.
//
//   decode,  |1 exact sums,   |2 blocks of |3 align,   |4 add c |5 round |6    Chained = 0
//   multiply |  sign and      |  a group   |  add                        |
//            |  magnitude     |            |  and add c, round           |     Chained = 1
//
// A block needs no buffer with fewer lanes: its sums grow beat by beat. The terms of a group's blocks
// but the last wait in registers; where a dot ends before, those that are not there are zero.
//
// Width: a term S * 2^(xa + xb) with S below 2^InnerBits grid units is below 2^AlignedBits in units of
// 2^(E - F), for its exponent is at most E; a bit more for each doubling of the number of terms.
module mx_aligned_group_dot #(
  parameter int AFormat = mx_pkg::E2M1,  // format ids of mx_pkg
  parameter int BFormat = mx_pkg::E2M1,
  parameter int ResultFormat = mx_pkg::Fp32,
  parameter int Lanes = 32,
  parameter int Depth = 1,
  parameter int Chained = 1,
  parameter int AlignBits = 35,
  parameter int GroupSize = 64,
  parameter int InnerGroup = 16,
  parameter int AccInAlign = 1,
  parameter int HasExpFloor = 1,
  parameter int ExpFloor = -139,
  parameter int AccFormat = mx_pkg::Fp32,
  parameter int AccRound = mx_pkg::TowardZero,
  parameter logic [31:0] NanPattern = 32'h7FC0_0000
) (
  input  logic                                              clk_i,
  input  logic                                              rst_ni,

  input  logic                                              valid_i,
  output logic                                              ready_o,
  input  logic                                              first_i,
  input  logic                                              last_i,
  input  logic [Lanes*mx_pkg::element_bits(AFormat)-1:0]    a_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]                      a_scale_i,
  input  logic [Lanes*mx_pkg::element_bits(BFormat)-1:0]    b_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]                      b_scale_i,
  input  logic [31:0]                                       c_i,

  output logic                                              valid_o,
  input  logic                                              ready_i,
  output logic [mx_pkg::number_bits(ResultFormat)-1:0]      result_o
);

  localparam int ABits = mx_pkg::element_bits(AFormat);
  localparam int BBits = mx_pkg::element_bits(BFormat);
  localparam int ProductBits = mx_pkg::product_bits(AFormat, BFormat);
  localparam int PositionBits = mx_pkg::aligned_position_bits(AFormat, BFormat);
  localparam int TermBits = mx_pkg::aligned_term_bits(AFormat, BFormat, AlignBits);
  localparam int ExponentBits = mx_pkg::AlignedExponentBits;
  localparam int ScaleExponentBits = mx_pkg::AlignedScaleBits;

  localparam int BlockBeats = mx_pkg::BlockSize / Lanes;
  // Terms of a block, and those that one beat reaches.
  localparam int BlockTerms = mx_pkg::BlockSize / InnerGroup;
  localparam int BeatTerms = (Lanes > InnerGroup) ? Lanes / InnerGroup : 1;
  localparam int TermBeats = (Lanes > InnerGroup) ? 1 : InnerGroup / Lanes;
  localparam int TreeLanes = Lanes / BeatTerms;
  localparam int TreeBits = TermBits + $clog2(TreeLanes) + 1;
  // Magnitude of a term in units of the products' grid unit.
  localparam int InnerBits = TermBits + $clog2(InnerGroup);

  localparam int Blocks = GroupSize / mx_pkg::BlockSize;
  localparam int Terms = Blocks * BlockTerms;
  // The unit of a term whose scale is the largest is 2^BelowBits times the unit of the sum.
  localparam int BelowBits = AlignBits + mx_pkg::quantum_exponent(AFormat)
      + mx_pkg::quantum_exponent(BFormat);
  localparam int AlignedBits = InnerBits + BelowBits;
  localparam int DistanceBits = $clog2(AlignedBits + 1);
  localparam int SumBits = AlignedBits + $clog2(Terms) + 1;
  localparam int AddBits = ((SumBits > AlignBits + 2) ? SumBits : AlignBits + 2) + 1;
  localparam int TotalBits = (AccInAlign != 0) ? AddBits : mx_pkg::aligned_late_bits(SumBits);

  localparam int ZeroExponent = (HasExpFloor != 0) ? ExpFloor : mx_pkg::AlignedLowest;
  localparam int LeastProduct = -2 * mx_pkg::ScaleBias;
  localparam int LeastExponent = (HasExpFloor != 0) ? ExpFloor : LeastProduct;
  localparam int LowestTotal = ((LeastExponent < -126) ? LeastExponent : -126) - AlignBits;
  localparam int LowestExponent = (AccInAlign != 0)
      ? LowestTotal : mx_pkg::aligned_lowest_late(LeastProduct - AlignBits, SumBits);

  localparam int CutProducts = (Depth >= ((Chained != 0) ? 4 : 4)) ? 1 : 0;
  localparam int CutSums     = (Depth >= ((Chained != 0) ? 3 : 1)) ? 1 : 0;
  localparam int CutTerms    = (Depth >= ((Chained != 0) ? 2 : 3)) ? 1 : 0;
  localparam int CutSum      = (Chained == 0 && Depth >= 5) ? 1 : 0;
  localparam int CutTotal    = (Chained == 0 && Depth >= 2) ? 1 : 0;
  localparam int CutResult   = (Chained == 0 && Depth >= 6) ? 1 : 0;

  ////////////////////////////////
  // Decode, multiply           //
  ////////////////////////////////

  logic [Lanes-1:0]              negative;
  logic [Lanes*ProductBits-1:0]  magnitudes;
  logic [Lanes*PositionBits-1:0] offsets, unused_exponents;
  logic [Lanes-1:0]              lane_is_zero, unused_nan;
  logic [Lanes-1:0]              unused_positive_inf, unused_negative_inf;

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_lanes
    mx_aligned_lane #(
      .AFormat(AFormat),
      .BFormat(BFormat)
    ) u_lane (
      .a_code_i         (a_elements_i[lane*ABits +: ABits]),
      .b_code_i         (b_elements_i[lane*BBits +: BBits]),
      .negative_o       (negative[lane]),
      .magnitude_o      (magnitudes[lane*ProductBits +: ProductBits]),
      .offset_o         (offsets[lane*PositionBits +: PositionBits]),
      .exponent_o       (unused_exponents[lane*PositionBits +: PositionBits]),
      .is_zero_o        (lane_is_zero[lane]),
      .is_nan_o         (unused_nan[lane]),
      .is_positive_inf_o(unused_positive_inf[lane]),
      .is_negative_inf_o(unused_negative_inf[lane])
    );
  end

  // c, first, last, NaN or a NaN scale, exponent of the scales.
  localparam int HeadBits = 32 + 3 + ScaleExponentBits;
  localparam int LaneBits = 2 + ProductBits + PositionBits;

  logic                                scale_is_nan;
  logic signed [ScaleExponentBits-1:0] scale_exponent;
  logic                                product_valid, product_ready;
  logic [HeadBits-1:0]                 product_head;
  logic [Lanes-1:0]                    product_negative, product_nonzero;
  logic [Lanes*ProductBits-1:0]        product_magnitudes;
  logic [Lanes*PositionBits-1:0]       product_offsets;

  always_comb begin
    scale_is_nan   = (a_scale_i == mx_pkg::ScaleNan) || (b_scale_i == mx_pkg::ScaleNan);
    scale_exponent = ScaleExponentBits'(a_scale_i) + ScaleExponentBits'(b_scale_i)
        - ScaleExponentBits'(2 * mx_pkg::ScaleBias);
  end

  mx_pipe_stage #(
    .Width (HeadBits + Lanes * LaneBits),
    .Bypass(1 - CutProducts)
  ) u_product_stage (
    .clk_i,
    .rst_ni,
    .valid_i,
    .ready_o,
    .data_i ({c_i, first_i, last_i, scale_is_nan, scale_exponent, negative, ~lane_is_zero,
              magnitudes, offsets}),
    .valid_o(product_valid),
    .ready_i(product_ready),
    .data_o ({product_head, product_negative, product_nonzero, product_magnitudes,
              product_offsets})
  );

  ////////////////////////////////
  // Exact sums                 //
  ////////////////////////////////

  logic [Lanes*(TermBits+1)-1:0] products;  // with a sign of 0
  logic [BeatTerms-1:0]          tree_negative;
  logic [BeatTerms*TreeBits-1:0] tree_sums;

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_place
    mx_aligned_place #(
      .AFormat  (AFormat),
      .BFormat  (BFormat),
      .AlignBits(AlignBits)
    ) u_place (
      .magnitude_i(product_magnitudes[lane*ProductBits +: ProductBits]),
      .offset_i   (product_offsets[lane*PositionBits +: PositionBits]),
      .largest_i  (PositionBits'(0)),
      .term_o     (products[lane*(TermBits+1) +: TermBits])
    );
    assign products[lane*(TermBits+1)+TermBits] = 1'b0;
  end

  for (genvar t = 0; t < BeatTerms; t++) begin : gen_tree
    mx_adder_tree #(
      .Count(TreeLanes),
      .Width(TermBits + 1)
    ) u_inner_tree (
      .terms_i   (products[t*TreeLanes*(TermBits+1) +: TreeLanes*(TermBits+1)]),
      .negative_i(product_negative[t*TreeLanes +: TreeLanes]),
      .sum_o     (tree_sums[t*TreeBits +: TreeBits]),
      .negative_o(tree_negative[t])
    );
  end

  // Signed sums of a block's terms, each with a pending sign, and whether a product is not zero.
  logic [BlockTerms-1:0]               block_negative, block_nonzero;
  logic [BlockTerms*(InnerBits+1)-1:0] block_sums;
  logic                                block_valid, block_ready;

  if (BlockBeats == 1) begin : gen_whole_block

    always_comb begin
      for (int t = 0; t < BlockTerms; t++) begin
        block_nonzero[t] = |product_nonzero[t*TreeLanes +: TreeLanes];
      end
    end
    assign block_negative = tree_negative;
    assign block_sums     = tree_sums;
    assign block_valid    = product_valid;
    assign product_ready  = block_ready;

  end else begin : gen_beats

    localparam int BeatCountBits = $clog2(BlockBeats);

    logic [BeatCountBits-1:0]            beat_q;
    logic [BlockTerms-1:0]               nonzero_q;
    logic [BlockTerms*(InnerBits+1)-1:0] sums_q;
    logic                                last_beat;

    assign last_beat      = beat_q == '1;
    assign block_valid    = product_valid && last_beat;
    assign product_ready  = !last_beat || block_ready;
    assign block_negative = '0;

    // Term t is met by beat t / BeatTerms * TermBeats and the TermBeats - 1 that follow.
    for (genvar t = 0; t < BlockTerms; t++) begin : gen_term
      localparam int Tree = t % BeatTerms;
      localparam int First = t / BeatTerms * TermBeats;

      logic               is_first, is_met;
      logic [InnerBits:0] old_sum, new_sum;
      logic               old_nonzero;

      mx_add #(
        .Width(InnerBits + 1)
      ) u_add (
        .a_i    (old_sum),
        .b_i    ((InnerBits+1)'($signed(tree_sums[Tree*TreeBits +: TreeBits]))
                 ^ {InnerBits+1{tree_negative[Tree]}}),
        .carry_i(tree_negative[Tree]),
        .sum_o  (new_sum)
      );

      always_comb begin
        is_first    = beat_q == BeatCountBits'(First);
        is_met      = (beat_q >> $clog2(TermBeats)) == BeatCountBits'(t / BeatTerms);
        old_sum     = is_first ? '0 : sums_q[t*(InnerBits+1) +: InnerBits+1];
        old_nonzero = !is_first && nonzero_q[t];
        if (is_met) begin
          block_sums[t*(InnerBits+1) +: InnerBits+1] = new_sum;
          block_nonzero[t] = old_nonzero || (|product_nonzero[Tree*TreeLanes +: TreeLanes]);
        end else begin
          block_sums[t*(InnerBits+1) +: InnerBits+1] = sums_q[t*(InnerBits+1) +: InnerBits+1];
          block_nonzero[t] = nonzero_q[t];
        end
      end
    end

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        beat_q <= '0;
      end else if (product_valid && product_ready) begin
        beat_q <= beat_q + 1'b1;
      end
    end

    always_ff @(posedge clk_i) begin
      if (product_valid && product_ready) begin
        sums_q    <= block_sums;
        nonzero_q <= block_nonzero;
      end
    end

  end

  ////////////////////////////////
  // Sign and magnitude         //
  ////////////////////////////////

  localparam int TermsBits = BlockTerms * (2 + InnerBits);  // sign, not zero, magnitude of each

  logic [BlockTerms-1:0]           block_signs;
  logic [BlockTerms*InnerBits-1:0] block_magnitudes;
  logic                            is_minus;

  always_comb begin
    for (int t = 0; t < BlockTerms; t++) begin
      is_minus       = block_sums[t*(InnerBits+1)+InnerBits];
      block_signs[t] = is_minus ^ block_negative[t];
      block_magnitudes[t*InnerBits +: InnerBits] =
          (block_sums[t*(InnerBits+1) +: InnerBits] ^ {InnerBits{is_minus}})
          + InnerBits'(is_minus);
    end
  end

  logic                                sums_valid, sums_ready;
  logic [31:0]                         sums_c;
  logic                                sums_first, sums_last, sums_is_nan;
  logic signed [ScaleExponentBits-1:0] sums_exponent;
  logic [TermsBits-1:0]                sums_terms;

  mx_pipe_stage #(
    .Width (HeadBits + TermsBits),
    .Bypass(1 - CutSums)
  ) u_sums_stage (
    .clk_i,
    .rst_ni,
    .valid_i(block_valid),
    .ready_o(block_ready),
    .data_i ({product_head, block_signs, block_nonzero, block_magnitudes}),
    .valid_o(sums_valid),
    .ready_i(sums_ready),
    .data_o ({sums_c, sums_first, sums_last, sums_is_nan, sums_exponent, sums_terms})
  );

  ////////////////////////////////
  // Blocks of a group          //
  ////////////////////////////////

  // Terms of a block, exponent of its scales.
  localparam int BlockBits = TermsBits + ScaleExponentBits;

  logic                       group_valid, group_ready;
  logic [31:0]                group_c;
  logic                       group_first, group_last, group_is_nan;
  logic [Blocks*BlockBits-1:0] group_blocks;

  if (Blocks == 1) begin : gen_one_block

    assign group_valid  = sums_valid;
    assign sums_ready   = group_ready;
    assign group_c      = sums_c;
    assign group_first  = sums_first;
    assign group_last   = sums_last;
    assign group_is_nan = sums_is_nan;
    assign group_blocks = {sums_terms, sums_exponent};

  end else if (Chained == 0) begin : gen_filled

    assign group_valid  = sums_valid;
    assign sums_ready   = group_ready;
    assign group_c      = sums_c;
    assign group_first  = sums_first;
    assign group_last   = sums_last;
    assign group_is_nan = sums_is_nan;
    assign group_blocks = (Blocks*BlockBits)'({sums_terms, sums_exponent});

  end else begin : gen_blocks

    localparam int BlockCountBits = $clog2(Blocks);

    logic [BlockCountBits-1:0]       count_q, count;
    logic                            complete;
    logic [31:0]                     c_q;
    logic                            first_q, is_nan_q;
    logic [(Blocks-1)*BlockBits-1:0] blocks_q, blocks;

    // A block with first begins a group whatever came before.
    assign count       = sums_first ? '0 : count_q;
    assign complete    = sums_last || count == BlockCountBits'(Blocks - 1);
    assign group_valid = sums_valid && complete;
    assign sums_ready  = !complete || group_ready;

    assign blocks       = (count == '0) ? '0 : blocks_q;
    assign group_c      = (count == '0) ? sums_c : c_q;
    assign group_first  = (count == '0) ? sums_first : first_q;
    assign group_last   = sums_last;
    assign group_is_nan = sums_is_nan || (count != '0 && is_nan_q);
    assign group_blocks = {blocks, sums_terms, sums_exponent};

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        count_q <= '0;
      end else if (sums_valid && sums_ready) begin
        count_q <= complete ? '0 : count + 1'b1;
      end
    end

    always_ff @(posedge clk_i) begin
      if (sums_valid && sums_ready) begin
        c_q      <= group_c;
        first_q  <= group_first;
        is_nan_q <= group_is_nan;
        blocks_q <= group_blocks[(Blocks-1)*BlockBits-1:0];
      end
    end

  end

  logic signed [ScaleExponentBits-1:0] block_exponent;
  logic [BlockTerms-1:0]               nonzero;
  logic                                any_zero;
  logic signed [ExponentBits-1:0]      bound;

  always_comb begin
    bound    = ExponentBits'(mx_pkg::AlignedLowest);
    any_zero = 1'b0;
    for (int k = 0; k < Blocks; k++) begin
      block_exponent = group_blocks[k*BlockBits +: ScaleExponentBits];
      nonzero        = group_blocks[k*BlockBits+ScaleExponentBits+BlockTerms*InnerBits +: BlockTerms];
      if (nonzero != '0 && ExponentBits'(block_exponent) > bound) begin
        bound = ExponentBits'(block_exponent);
      end
      if (nonzero != '1) begin
        any_zero = 1'b1;
      end
    end
    if (HasExpFloor != 0 && any_zero && bound < $signed(ExponentBits'(ExpFloor))) begin
      bound = ExponentBits'(ExpFloor);
    end
  end

  localparam int SideBits = 32 + 3 + ExponentBits;

  logic                           term_valid, term_ready;
  logic [31:0]                    term_c;
  logic                           term_first, term_last, term_is_nan;
  logic signed [ExponentBits-1:0] term_bound;
  logic [Blocks*BlockBits-1:0]    term_blocks;

  mx_pipe_stage #(
    .Width (SideBits + Blocks * BlockBits),
    .Bypass(1 - CutTerms)
  ) u_term_stage (
    .clk_i,
    .rst_ni,
    .valid_i(group_valid),
    .ready_o(group_ready),
    .data_i ({group_c, group_first, group_last, group_is_nan, bound, group_blocks}),
    .valid_o(term_valid),
    .ready_i(term_ready),
    .data_o ({term_c, term_first, term_last, term_is_nan, term_bound, term_blocks})
  );

  ////////////////////////////////
  // Align, add                 //
  ////////////////////////////////

  logic [31:0]                         running, c;
  logic signed [ExponentBits-1:0]      c_exponent, c_distance, exponent;
  logic [Terms-1:0]                    signs;
  logic [Terms*(AlignedBits+1)-1:0]    aligned_terms;  // with a sign of 0
  logic                                sum_negative;
  logic [SumBits-1:0]                  sum;

  assign c = (Chained != 0 && !term_first) ? running : term_c;

  mx_aligned_exponent #(
    .ZeroExponent(ZeroExponent)
  ) u_c_exponent (
    .value_i   (c),
    .exponent_o(c_exponent)
  );

  assign c_distance = term_bound - c_exponent;
  assign exponent   = (AccInAlign != 0 && c_distance[ExponentBits-1]) ? c_exponent : term_bound;

  // A negative distance comes with zero terms only.
  for (genvar k = 0; k < Blocks; k++) begin : gen_block

    localparam int Low = k * BlockBits;

    logic signed [ScaleExponentBits-1:0] term_exponent;
    logic [ExponentBits-1:0]             distance;
    logic                                is_gone;

    assign term_exponent = term_blocks[Low +: ScaleExponentBits];
    assign distance       = exponent - ExponentBits'(term_exponent);
    assign is_gone        = (distance >> DistanceBits) != '0;

    for (genvar t = 0; t < BlockTerms; t++) begin : gen_term

      logic [InnerBits-1:0]   magnitude;
      logic [AlignedBits-1:0] wide;

      assign magnitude = term_blocks[Low+ScaleExponentBits+t*InnerBits +: InnerBits];
      assign wide      = AlignedBits'(magnitude) << BelowBits;
      assign aligned_terms[(k*BlockTerms+t)*(AlignedBits+1) +: AlignedBits+1] =
          {1'b0, is_gone ? AlignedBits'(0) : wide >> distance[DistanceBits-1:0]};
      assign signs[k*BlockTerms+t] =
          term_blocks[Low+ScaleExponentBits+BlockTerms*(InnerBits+1)+t];

    end

  end

  mx_adder_tree #(
    .Count(Terms),
    .Width(AlignedBits + 1)
  ) u_tree (
    .terms_i   (aligned_terms),
    .negative_i(signs),
    .sum_o     (sum),
    .negative_o(sum_negative)
  );

  mx_aligned_finish #(
    .AlignBits     (AlignBits),
    .SumBits       (SumBits),
    .DistanceBits  (1),
    .TotalBits     (TotalBits),
    .LowestExponent(LowestExponent),
    .AccInAlign    (AccInAlign),
    .AccFormat     (AccFormat),
    .AccRound      (AccRound),
    .ResultFormat  (ResultFormat),
    .NanPattern    (NanPattern),
    .Chained       (Chained),
    .CutSum        (CutSum),
    .CutTotal      (CutTotal),
    .CutResult     (CutResult)
  ) u_finish (
    .clk_i,
    .rst_ni,
    .valid_i       (term_valid),
    .ready_o       (term_ready),
    .last_i        (term_last),
    .is_nan_i      (term_is_nan),
    .is_inf_i      (1'b0),
    .inf_sign_i    (1'b0),
    .sum_negative_i(sum_negative),
    .sum_i         (sum),
    .sum_distance_i(1'b0),
    .c_i           (c),
    .c_distance_i  (c_distance),
    .exponent_i    (exponent),
    .running_o     (running),
    .valid_o,
    .ready_i,
    .result_o
  );

endmodule
