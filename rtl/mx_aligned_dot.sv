// Align-and-truncate dot product whose terms are single products: mx_aligned with ScaleApply 0 or 2,
// where parameters, stages, latency, handshake and reset are described.
//
// Two grids for the products of a group. Where no product can lose a bit to another one's exponent
// (is_fixed: small formats), they stay on the grid of their exact sum, and their exponents matter to c
// only. Else each is shifted right by its distance from the largest exponent. Either way what c or
// the lower bound on the exponent cuts off beyond that is a mask, the same for all products: so c is
// met after the shifts, and from a group's result back to its successor's cut there is only the mask.
//
// Width: a product is below 2^(e + 2) with e its exponent, so an aligned one below 2^(F + 2) units of
// 2^(E - F), and a group below 2^(F + 2) * GroupSize; c adds at most as much again.
module mx_aligned_dot #(
  parameter int AFormat = mx_pkg::E4M3,  // format ids of mx_pkg
  parameter int BFormat = mx_pkg::E4M3,
  parameter int ResultFormat = mx_pkg::Fp32,
  parameter int Lanes = 32,
  parameter int Depth = 1,
  parameter int Chained = 1,
  parameter int AlignBits = 25,
  parameter int GroupSize = 32,
  parameter int AccInAlign = 1,
  parameter int HasExpFloor = 1,
  parameter int ExpFloor = -133,
  parameter int ScaleApply = mx_pkg::ScaleProductExponent,
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
  localparam int Base = mx_pkg::aligned_base(AFormat, BFormat);
  localparam int Bias = mx_pkg::aligned_bias(AFormat, BFormat);
  localparam int IsFixed = mx_pkg::aligned_is_fixed(AFormat, BFormat, AlignBits);
  localparam int HasInteger = (Bias < 2) ? 1 : 0;
  localparam int CountBits = $clog2(GroupSize);
  localparam int Beats = GroupSize / Lanes;
  localparam int BlockBeats = mx_pkg::BlockSize / Lanes;
  localparam int TreeBits = TermBits + $clog2(Lanes) + 1;
  localparam int SumBits = TermBits + CountBits + 1;
  // Zeros below the sum that bring its last bit to F below the exponent it is aligned to.
  localparam int BelowBits = (IsFixed != 0)
      ? AlignBits - mx_pkg::aligned_fraction_bits(AFormat, BFormat) : 0;
  localparam int WideBits = SumBits + BelowBits;
  localparam int DistanceBits = $clog2(TermBits + BelowBits + 1);
  localparam int TotalBits = (AccInAlign != 0)
      ? AlignBits + CountBits + 3 : mx_pkg::aligned_late_bits(WideBits);
  // A larger c or the lower bound keeps E up; exponents below come with zero totals only.
  localparam int LeastProduct = Base
      - ((ScaleApply == mx_pkg::ScaleNone) ? 0 : 2 * mx_pkg::ScaleBias);
  localparam int LeastExponent = (HasExpFloor != 0) ? ExpFloor : LeastProduct;
  localparam int LowestTotal = ((LeastExponent < -126) ? LeastExponent : -126) - AlignBits;
  localparam int LowestExponent = (AccInAlign != 0)
      ? LowestTotal : mx_pkg::aligned_lowest_late(LeastProduct - AlignBits, WideBits);
  localparam int ZeroExponent = (HasExpFloor != 0) ? ExpFloor : mx_pkg::AlignedLowest;

  // Which of the six places for a register have one.
  localparam int CutProducts = (Chained != 0) ? (Depth >= 4 ? 1 : 0) : (Depth >= 4 ? 1 : 0);
  localparam int CutLargest  = (Chained != 0) ? (Depth >= 3 ? 1 : 0) : (Depth >= 2 ? 1 : 0);
  localparam int CutTerms    = (Chained != 0) ? (Depth >= 2 ? 1 : 0) : (Depth == 1 || Depth >= 5 ? 1 : 0);
  localparam int CutSum      = (Chained == 0 && Depth >= 2) ? 1 : 0;
  localparam int CutTotal    = (Chained == 0 && Depth >= 3) ? 1 : 0;
  localparam int CutResult   = (Chained == 0 && Depth >= 6) ? 1 : 0;

  ////////////////////////////////
  // Decode, multiply           //
  ////////////////////////////////

  // What is known of a group beside its products.
  localparam int ScaleExponentBits = mx_pkg::AlignedScaleBits;
  localparam int HeadBits = 32 + 2 + 1 + ScaleExponentBits;  // c, first, last, NaN scale, scales
  localparam int FlagBits = 5;
  localparam int LaneBits = 1 + ProductBits + PositionBits;

  logic [Lanes-1:0]              negative;
  logic [Lanes*ProductBits-1:0]  magnitudes;
  logic [Lanes*PositionBits-1:0] exponents, lane_offsets, offsets;
  logic [Lanes-1:0]              lane_is_zero, lane_is_nan;
  logic [Lanes-1:0]              lane_is_positive_inf, lane_is_negative_inf;

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_lanes
    mx_aligned_lane #(
      .AFormat(AFormat),
      .BFormat(BFormat)
    ) u_lane (
      .a_code_i         (a_elements_i[lane*ABits +: ABits]),
      .b_code_i         (b_elements_i[lane*BBits +: BBits]),
      .negative_o       (negative[lane]),
      .magnitude_o      (magnitudes[lane*ProductBits +: ProductBits]),
      .offset_o         (lane_offsets[lane*PositionBits +: PositionBits]),
      .exponent_o       (exponents[lane*PositionBits +: PositionBits]),
      .is_zero_o        (lane_is_zero[lane]),
      .is_nan_o         (lane_is_nan[lane]),
      .is_positive_inf_o(lane_is_positive_inf[lane]),
      .is_negative_inf_o(lane_is_negative_inf[lane])
    );
  end

  // Of floats both are the same for all but zero products, whose offset does not matter.
  assign offsets = (HasInteger != 0) ? lane_offsets : exponents;

  logic                                scale_is_nan;
  logic signed [ScaleExponentBits-1:0] scale_exponent;
  logic                                group_first, group_last;
  logic [HeadBits-1:0]                 head;
  logic [FlagBits-1:0]                 flags;

  if (ScaleApply == mx_pkg::ScaleNone) begin : gen_no_scale
    logic unused_scales;
    assign unused_scales  = ^{a_scale_i, b_scale_i};
    assign scale_is_nan   = 1'b0;
    assign scale_exponent = '0;
  end else begin : gen_scale
    assign scale_is_nan   = (a_scale_i == mx_pkg::ScaleNan) || (b_scale_i == mx_pkg::ScaleNan);
    assign scale_exponent = ScaleExponentBits'(a_scale_i) + ScaleExponentBits'(b_scale_i)
        - ScaleExponentBits'(2 * mx_pkg::ScaleBias);
  end

  // A block of several groups: only its first group can be the first of a dot, its last the last.
  if (GroupSize < mx_pkg::BlockSize) begin : gen_groups
    localparam int BeatBits = $clog2(BlockBeats);
    logic [BeatBits-1:0] beat_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        beat_q <= '0;
      end else if (valid_i && ready_o) begin
        beat_q <= beat_q + 1'b1;
      end
    end
    assign group_first = first_i && beat_q < BeatBits'(Beats);
    assign group_last  = last_i && beat_q >= BeatBits'(BlockBeats - Beats);
  end else begin : gen_group
    assign group_first = first_i;
    assign group_last  = last_i;
  end

  assign head  = {c_i, group_first, group_last, scale_is_nan, scale_exponent};
  assign flags = {!(&lane_is_zero), |lane_is_zero, |lane_is_nan, |lane_is_positive_inf,
                  |lane_is_negative_inf};

  logic                          product_valid, product_ready;
  logic [HeadBits-1:0]           product_head;
  logic [FlagBits-1:0]           product_flags;
  logic [Lanes-1:0]              product_negative;
  logic [Lanes*ProductBits-1:0]  product_magnitudes;
  logic [Lanes*PositionBits-1:0] product_offsets, product_exponents;

  mx_pipe_stage #(
    .Width (HeadBits + FlagBits + Lanes * (LaneBits + PositionBits)),
    .Bypass(1 - CutProducts)
  ) u_product_stage (
    .clk_i,
    .rst_ni,
    .valid_i,
    .ready_o,
    .data_i ({head, flags, negative, magnitudes, offsets, exponents}),
    .valid_o(product_valid),
    .ready_i(product_ready),
    .data_o ({product_head, product_flags, product_negative, product_magnitudes, product_offsets,
              product_exponents})
  );

  ////////////////////////////////
  // Largest exponent           //
  ////////////////////////////////

  localparam int GroupBits = HeadBits + FlagBits + PositionBits;

  logic [PositionBits-1:0] beat_largest;
  logic                    known_valid, known_ready;
  logic                    known_first_beat, known_last_beat;
  logic [GroupBits-1:0]    known_group;
  logic [Lanes*LaneBits-1:0] known_lanes;

  mx_aligned_max #(
    .Count(Lanes),
    .Width(PositionBits)
  ) u_max (
    .values_i (product_exponents),
    .largest_o(beat_largest)
  );

  if (Beats == 1) begin : gen_whole_group

    assign known_valid      = product_valid;
    assign product_ready    = known_ready;
    assign known_first_beat = 1'b1;
    assign known_last_beat  = 1'b1;
    assign known_group      = {product_head, product_flags, beat_largest};
    assign known_lanes      = {product_negative, product_magnitudes, product_offsets};

  end else begin : gen_buffer

    logic                    first_beat;
    logic [FlagBits-1:0]     flags_q, group_flags;
    logic [PositionBits-1:0] largest_q, group_largest;

    always_comb begin
      group_flags   = product_flags;
      group_largest = beat_largest;
      if (!first_beat) begin
        group_flags = product_flags | flags_q;
        if (largest_q > beat_largest) begin
          group_largest = largest_q;
        end
      end
    end

    always_ff @(posedge clk_i) begin
      if (product_valid && product_ready) begin
        flags_q   <= group_flags;
        largest_q <= group_largest;
      end
    end

    mx_aligned_buffer #(
      .Beats    (Beats),
      .BeatBits (Lanes * LaneBits),
      .GroupBits(GroupBits)
    ) u_buffer (
      .clk_i,
      .rst_ni,
      .valid_i        (product_valid),
      .ready_o        (product_ready),
      .first_beat_o   (first_beat),
      .beat_i         ({product_negative, product_magnitudes, product_offsets}),
      .group_i        ({product_head, group_flags, group_largest}),
      .valid_o        (known_valid),
      .ready_i        (known_ready),
      .beat_is_first_o(known_first_beat),
      .beat_is_last_o (known_last_beat),
      .beat_o         (known_lanes),
      .group_o        (known_group)
    );

  end

  logic                      largest_valid, largest_ready;
  logic                      largest_first_beat, largest_last_beat;
  logic [HeadBits-1:0]       largest_head;
  logic [FlagBits-1:0]       largest_flags;
  logic [PositionBits-1:0]   largest;
  logic [Lanes-1:0]              largest_negative;
  logic [Lanes*ProductBits-1:0]  largest_magnitudes;
  logic [Lanes*PositionBits-1:0] largest_offsets;

  mx_pipe_stage #(
    .Width (2 + GroupBits + Lanes * LaneBits),
    .Bypass(1 - CutLargest)
  ) u_largest_stage (
    .clk_i,
    .rst_ni,
    .valid_i(known_valid),
    .ready_o(known_ready),
    .data_i ({known_first_beat, known_last_beat, known_group, known_lanes}),
    .valid_o(largest_valid),
    .ready_i(largest_ready),
    .data_o ({largest_first_beat, largest_last_beat, largest_head, largest_flags, largest,
              largest_negative, largest_magnitudes, largest_offsets})
  );

  ////////////////////////////////
  // Place on the common grid   //
  ////////////////////////////////

  // c, first, last, NaN, Inf, its sign, largest exponent, exponent the terms are aligned to.
  localparam int SideBits = 32 + 2 + 3 + 2 * ExponentBits;

  logic [Lanes*TermBits-1:0] terms;

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_place
    mx_aligned_place #(
      .AFormat  (AFormat),
      .BFormat  (BFormat),
      .AlignBits(AlignBits)
    ) u_place (
      .magnitude_i(largest_magnitudes[lane*ProductBits +: ProductBits]),
      .offset_i   (largest_offsets[lane*PositionBits +: PositionBits]),
      .largest_i  (largest),
      .term_o     (terms[lane*TermBits +: TermBits])
    );
  end

  logic [31:0]                         largest_c;
  logic                                largest_first, largest_last, largest_scale_is_nan;
  logic signed [ScaleExponentBits-1:0] largest_scale_exponent;
  logic                                any_nonzero, any_zero, any_nan, any_positive_inf;
  logic                                any_negative_inf;
  logic signed [ExponentBits-1:0]      product_exponent, bound_exponent, reference_exponent;
  logic [SideBits-1:0]                 side;

  assign {largest_c, largest_first, largest_last, largest_scale_is_nan, largest_scale_exponent} =
      largest_head;
  assign {any_nonzero, any_zero, any_nan, any_positive_inf, any_negative_inf} = largest_flags;

  always_comb begin
    product_exponent   = ExponentBits'(largest_scale_exponent) + ExponentBits'(Base - Bias)
        + $signed(ExponentBits'(largest));
    reference_exponent = (IsFixed != 0)
        ? ExponentBits'(largest_scale_exponent) + ExponentBits'(Base) : product_exponent;
    bound_exponent     = any_nonzero ? product_exponent : ExponentBits'(mx_pkg::AlignedLowest);
    if (HasExpFloor != 0 && any_zero && bound_exponent < $signed(ExponentBits'(ExpFloor))) begin
      bound_exponent = ExponentBits'(ExpFloor);
    end
  end

  assign side = {largest_c, largest_first, largest_last,
                 largest_scale_is_nan || any_nan || (any_positive_inf && any_negative_inf),
                 any_positive_inf || any_negative_inf, any_negative_inf,
                 bound_exponent, reference_exponent};

  logic                      term_valid, term_ready;
  logic                      term_first_beat, term_last_beat;
  logic [SideBits-1:0]       term_side;
  logic [Lanes-1:0]          term_negative;
  logic [Lanes*TermBits-1:0] term_magnitudes;

  mx_pipe_stage #(
    .Width (2 + SideBits + Lanes * (1 + TermBits)),
    .Bypass(1 - CutTerms)
  ) u_term_stage (
    .clk_i,
    .rst_ni,
    .valid_i(largest_valid),
    .ready_o(largest_ready),
    .data_i ({largest_first_beat, largest_last_beat, side, largest_negative, terms}),
    .valid_o(term_valid),
    .ready_i(term_ready),
    .data_o ({term_first_beat, term_last_beat, term_side, term_negative, term_magnitudes})
  );

  ////////////////////////////////
  // Largest exponent with c    //
  ////////////////////////////////

  logic [31:0]                    term_c, running, c;
  logic                           term_first, term_last, term_is_nan, term_is_inf, term_inf_sign;
  logic signed [ExponentBits-1:0] term_bound, term_reference;

  assign {term_c, term_first, term_last, term_is_nan, term_is_inf, term_inf_sign, term_bound,
          term_reference} = term_side;

  assign c = (Chained != 0 && !term_first) ? running : term_c;

  logic signed [ExponentBits-1:0] c_exponent, c_distance, exponent, distance;

  mx_aligned_exponent #(
    .ZeroExponent(ZeroExponent)
  ) u_c_exponent (
    .value_i   (c),
    .exponent_o(c_exponent)
  );

  logic c_is_larger;

  assign c_distance  = term_bound - c_exponent;
  assign c_is_larger = AccInAlign != 0 && c_distance[ExponentBits-1];
  assign exponent    = c_is_larger ? c_exponent : term_bound;
  assign distance    = c_is_larger ? c_exponent - term_reference : term_bound - term_reference;

  ////////////////////////////////
  // Cut, adder tree            //
  ////////////////////////////////

  // keep[i] tells that bit i of a term is at or above the last bit kept. A negative distance comes
  // with zero terms only.
  logic [TermBits-1:0]       keep;
  logic [Lanes*(TermBits+1)-1:0] cut_terms;  // with a sign of 0
  logic                      tree_negative, sum_negative;
  logic [TreeBits-1:0]       tree_sum;
  logic [SumBits-1:0]        sum;

  if (AccInAlign != 0 || HasExpFloor != 0) begin : gen_cut
    logic is_far;
    assign is_far = (distance >> DistanceBits) != '0;
    for (genvar i = 0; i < TermBits; i++) begin : gen_keep
      assign keep[i] = !is_far && distance[DistanceBits-1:0] <= DistanceBits'(i + BelowBits);
    end
  end else begin : gen_no_cut
    logic unused_distance;
    assign unused_distance = ^distance;
    assign keep            = '1;
  end

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_cut_terms
    assign cut_terms[lane*(TermBits+1) +: TermBits+1] =
        {1'b0, term_magnitudes[lane*TermBits +: TermBits] & keep};
  end

  mx_adder_tree #(
    .Count(Lanes),
    .Width(TermBits + 1)
  ) u_tree (
    .terms_i   (cut_terms),
    .negative_i(term_negative),
    .sum_o     (tree_sum),
    .negative_o(tree_negative)
  );

  logic                      sum_valid, sum_ready;

  if (Beats == 1) begin : gen_one_beat

    logic unused_beats;

    assign unused_beats = term_first_beat ^ term_last_beat;
    assign sum          = tree_sum;
    assign sum_negative = tree_negative;
    assign sum_valid    = term_valid;
    assign term_ready   = sum_ready;

  end else begin : gen_beats

    logic [SumBits-1:0] partial_q, partial;

    assign partial = term_first_beat ? '0 : partial_q;
    mx_add #(
      .Width(SumBits)
    ) u_add (
      .a_i    (partial),
      .b_i    (SumBits'($signed(tree_sum)) ^ {SumBits{tree_negative}}),
      .carry_i(tree_negative),
      .sum_o  (sum)
    );
    assign sum_negative = 1'b0;
    assign sum_valid    = term_valid && term_last_beat;
    assign term_ready   = !term_last_beat || sum_ready;

    always_ff @(posedge clk_i) begin
      if (term_valid && term_ready) begin
        partial_q <= sum;
      end
    end

  end

  ////////////////////////////////
  // Add c, round               //
  ////////////////////////////////

  mx_aligned_finish #(
    .AlignBits     (AlignBits),
    .SumBits       (WideBits),
    .DistanceBits  (DistanceBits),
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
    .valid_i       (sum_valid),
    .ready_o       (sum_ready),
    .last_i        (term_last),
    .is_nan_i      (term_is_nan),
    .is_inf_i      (term_is_inf),
    .inf_sign_i    (term_inf_sign),
    .sum_negative_i(sum_negative),
    .sum_i         (WideBits'(sum) << BelowBits),
    .sum_distance_i(distance[DistanceBits-1:0]),
    .c_i           (c),
    .c_distance_i  (c_distance),
    .exponent_i    ((AccInAlign != 0) ? exponent : term_reference),
    .running_o     (running),
    .valid_o,
    .ready_i,
    .result_o
  );

endmodule
