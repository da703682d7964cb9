// Dot product of one NVFP4 block pair and an accumulator: rule exact_fp32 over a single block of 16.
//
//   result_o = c_i + a_scale * b_scale * sum of a[i] * b[i]                rounded once, to nearest even
//
// Elements are E2M1; scales are UE4M3 (NV-FMT-c): E4M3 without its sign, whose bit is ignored (A-N7);
// 0x7F is NaN, 0x00 zero, and there are subnormals. The Float32 scale of a tensor (NV-FMT-d) is not
// applied here: it multiplies the finished sum, once for all blocks (A-N8).
// ResultFormat: 8 Float32, 9 BF16, 10 FP16.
//
// Special values, first match first:
//   scale 0x7F or 0xFF, NaN c     NaN: 0x7FC00000 of Float32, 0x7FC0 of BF16, 0x7E00 of FP16
//   infinite c                    Inf of its sign
//   a zero result                 +0: an exact zero sum also where c is -0, and what underflows BF16 or
//                                 FP16, as the model has it where a tensor scale follows, even one of 1
//
//   cut     1                    2                    3              4              5
//           multiply, add     |  times the scales' |  align, add  |  normalise  |  round, special   |
//           the products      |  significands      |  c           |             |  values           |
//
//   Depth   registers at the cuts: 0 none; 1: 5; 2: 2, 5; 3: 2, 3, 5; 4: 2, 3, 4, 5; 5 all
//
// Latency: Depth cycles from an accepted block pair to valid_o. Throughput: one block pair a cycle.
// Handshake: that of mx_pipe_stage on both sides; ready_o depends on ready_i through Depth gates, on no
// other input. Reset: rst_ni, synchronous, active low; drops all blocks in flight. Data registers are
// not reset.
//
// Width: a product is at most 12 * 12 units of 1/4, the sum of 16 at most 2304, in 12 bits and a sign;
// the product of two significands at most 15 * 15, and 2304 * 225 = 518400 < 2^19 (D-18).
module mx_nvfp4_dot #(
  parameter int ResultFormat = 8,  // number format id of mx_pkg
  parameter int Depth = 3
) (
  input  logic                                         clk_i,
  input  logic                                         rst_ni,

  // Block pair, element 0 in the LSBs.
  input  logic                                         valid_i,
  output logic                                         ready_o,
  input  logic [63:0]                                  a_elements_i,
  input  logic [7:0]                                   a_scale_i,
  input  logic [63:0]                                  b_elements_i,
  input  logic [7:0]                                   b_scale_i,
  input  logic [31:0]                                  c_i,  // Float32

  // Result.
  output logic                                         valid_o,
  input  logic                                         ready_i,
  output logic [mx_pkg::number_bits(ResultFormat)-1:0] result_o
);

  localparam int Lanes = 16;
  localparam int TermBits = 9;  // signed
  localparam int ProductBits = mx_pkg::product_bits(mx_pkg::E2M1, mx_pkg::E2M1);
  localparam int PositionBits = mx_pkg::position_bits(mx_pkg::E2M1, mx_pkg::E2M1);
  localparam int PositionBias = mx_pkg::position_bias(mx_pkg::E2M1, mx_pkg::E2M1);
  localparam int SumBits = 19;
  // Units of both elements and both scales.
  localparam int GridExponent = 2 * mx_pkg::quantum_exponent(mx_pkg::E2M1)
      + 2 * mx_pkg::quantum_exponent(mx_pkg::E4M3);
  localparam int ResultBits = mx_pkg::number_bits(ResultFormat);

  ////////////////////////////
  // Sum of products, cut 1 //
  ////////////////////////////

  logic [Lanes*TermBits-1:0] terms;
  logic [Lanes-1:0]          negative;

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_lanes

    logic [ProductBits-1:0]  product;
    logic [PositionBits-1:0] position;
    logic                    unused_nan, unused_inf;

    mx_lane #(
      .AFormat(mx_pkg::E2M1),
      .BFormat(mx_pkg::E2M1)
    ) u_lane (
      .a_code_i  (a_elements_i[lane*4 +: 4]),
      .b_code_i  (b_elements_i[lane*4 +: 4]),
      .negative_o(negative[lane]),
      .product_o (product),
      .position_o(position),
      .is_nan_o  (unused_nan),
      .is_inf_o  (unused_inf)
    );

    assign terms[lane*TermBits +: TermBits] =
        TermBits'(product) << (position - PositionBits'(PositionBias));

  end

  logic [TermBits+3:0] sum;
  logic                sum_negative;

  mx_adder_tree #(
    .Count(Lanes),
    .Width(TermBits)
  ) u_sum (
    .terms_i   (terms),
    .negative_i(negative),
    .sum_o     (sum),
    .negative_o(sum_negative)
  );

  logic [3:0] a_significand, b_significand, a_offset, b_offset;
  logic       a_is_nan, b_is_nan;
  logic [7:0] significands;
  logic [8:0] offsets;

  mx_ue4m3_decode u_decode_a (
    .code_i       (a_scale_i),
    .significand_o(a_significand),
    .offset_o     (a_offset),
    .is_nan_o     (a_is_nan)
  );

  mx_ue4m3_decode u_decode_b (
    .code_i       (b_scale_i),
    .significand_o(b_significand),
    .offset_o     (b_offset),
    .is_nan_o     (b_is_nan)
  );

  assign significands = 8'(a_significand) * 8'(b_significand);
  assign offsets      = 9'(a_offset) + 9'(b_offset);

  logic                sum_valid, sum_ready;
  logic [TermBits+3:0] stage1_sum;
  logic                stage1_negative, stage1_is_nan;
  logic [7:0]          stage1_significands;
  logic [8:0]          stage1_offsets;
  logic [31:0]         stage1_c;

  mx_pipe_stage #(
    .Width (TermBits + 4 + 2 + 8 + 9 + 32),
    .Bypass((Depth < 5) ? 1 : 0)
  ) u_cut_sum (
    .clk_i,
    .rst_ni,
    .valid_i,
    .ready_o,
    .data_i ({sum, sum_negative, a_is_nan || b_is_nan, significands, offsets, c_i}),
    .valid_o(sum_valid),
    .ready_i(sum_ready),
    .data_o ({stage1_sum, stage1_negative, stage1_is_nan, stage1_significands, stage1_offsets,
              stage1_c})
  );

  //////////////////////////
  // Times scales, cut 2  //
  //////////////////////////

  logic signed [SumBits:0] factor, scaled;

  assign factor = $signed({12'd0, stage1_significands});
  assign scaled = (SumBits+1)'($signed(stage1_sum)) * factor;

  logic               scaled_valid, scaled_ready;
  logic [SumBits:0]   stage2_scaled;
  logic               stage2_negative, stage2_is_nan;
  logic [8:0]         stage2_offsets;
  logic [31:0]        stage2_c;

  mx_pipe_stage #(
    .Width (SumBits + 1 + 2 + 9 + 32),
    .Bypass((Depth < 2) ? 1 : 0)
  ) u_cut_scaled (
    .clk_i,
    .rst_ni,
    .valid_i(sum_valid),
    .ready_o(sum_ready),
    .data_i ({scaled, stage1_negative, stage1_is_nan, stage1_offsets, stage1_c}),
    .valid_o(scaled_valid),
    .ready_i(scaled_ready),
    .data_o ({stage2_scaled, stage2_negative, stage2_is_nan, stage2_offsets, stage2_c})
  );

  ////////////////////////////
  // Sum with c, cuts 3 to 5 //
  ////////////////////////////

  logic                  result_valid, result_ready, unused_tag;
  logic [ResultBits-1:0] rounded, result;

  mx_fused_round #(
    .SumBits      (SumBits),
    .GridExponent (GridExponent),
    .ResultFormat (ResultFormat),
    .CutTotal     ((Depth < 3) ? 0 : 1),
    .CutNormalised((Depth < 4) ? 0 : 1)
  ) u_round (
    .clk_i,
    .rst_ni,
    .valid_i       (scaled_valid),
    .ready_o       (scaled_ready),
    .sum_i         (stage2_scaled),
    .negative_i    (stage2_negative),
    .scale_sum_i   (stage2_offsets),
    .is_nan_i      (stage2_is_nan),
    .is_inf_i      (1'b0),
    .inf_negative_i(1'b0),
    .all_negative_i(1'b0),
    .c_i           (stage2_c),
    .tag_i         (1'b0),
    .valid_o       (result_valid),
    .ready_i       (result_ready),
    .result_o      (rounded),
    .tag_o         (unused_tag)
  );

  assign result = {rounded[ResultBits-1] && rounded[ResultBits-2:0] != '0, rounded[ResultBits-2:0]};

  mx_pipe_stage #(
    .Width (ResultBits),
    .Bypass((Depth < 1) ? 1 : 0)
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

`ifndef SYNTHESIS
  initial begin
    if (ResultFormat < mx_pkg::Fp32 || ResultFormat > mx_pkg::Fp16) begin
      $fatal(1, "mx_nvfp4_dot: ResultFormat is %0d; it must be 8 (Float32), 9 (BF16) or 10 (FP16).",
             ResultFormat);
    end
    if (Depth < 0 || Depth > 5) begin
      $fatal(1, "mx_nvfp4_dot: Depth is %0d; it must be from 0 to 5.", Depth);
    end
  end
`endif

endmodule
