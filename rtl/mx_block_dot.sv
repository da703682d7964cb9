// Dot product of one block pair (MX-6.1-a): exact sum of 32 products, both scales, one rounding.
//
//   result_o = Float32 nearest to 2^(a_scale_i - 127) * 2^(b_scale_i - 127) * sum of a[i] * b[i]
//
// The sum is exact for every format pair; the scales enter as an integer exponent (D-13), so there
// is one rounding in all. tag_i travels with its block and comes out as tag_o.
//
// Special values, first match first:
//   scale 0xFF on either side, NaN element, Inf * 0, Inf and -Inf products   0x7FC00000
//   an Inf product                                                           Inf of its sign
//   an exact zero sum, also of negative zeros                                +0
//   any other sum                                                            rounded to nearest
//
//   stage   1                    2                    3
//           decode, multiply  |  place, adder tree  |  magnitude, round  |
//
// Latency: 3 cycles from an accepted block to valid_o. Throughput: one block pair a cycle.
// Handshake: that of mx_pipe_stage on both sides; ready_i reaches ready_o through three gates.
// Reset: rst_ni, synchronous, active low, empties the pipeline; data registers are not reset.
//
// Width: the exponent of the grid unit is a_scale + b_scale - 254 + quantum exponents, from -286 to
// 254, in 10 signed bits; for the sum see mx_block_sum.
module mx_block_dot #(
  parameter int AFormat = mx_pkg::E4M3,  // format ids of mx_pkg
  parameter int BFormat = mx_pkg::E4M3,
  parameter int TagBits = 1
) (
  input  logic                                                        clk_i,
  input  logic                                                        rst_ni,

  // Block pair, element 0 in the LSBs.
  input  logic                                                        valid_i,
  output logic                                                        ready_o,
  input  logic [mx_pkg::BlockSize*mx_pkg::element_bits(AFormat)-1:0]  a_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]                                a_scale_i,
  input  logic [mx_pkg::BlockSize*mx_pkg::element_bits(BFormat)-1:0]  b_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]                                b_scale_i,
  input  logic [TagBits-1:0]                                          tag_i,

  // Float32 result.
  output logic                                                        valid_o,
  input  logic                                                        ready_i,
  output logic [31:0]                                                 result_o,
  output logic [TagBits-1:0]                                          tag_o
);

  localparam int Lanes = mx_pkg::BlockSize;
  localparam int ABits = mx_pkg::element_bits(AFormat);
  localparam int BBits = mx_pkg::element_bits(BFormat);
  localparam int ProductBits = mx_pkg::product_bits(AFormat, BFormat) + 1;
  localparam int ShiftBits = mx_pkg::shift_bits(AFormat, BFormat);
  localparam int MagnitudeBits = mx_pkg::sum_bits(AFormat, BFormat);
  localparam int SumBits = MagnitudeBits + 1;
  localparam int ExponentBits = mx_pkg::ExponentBits;
  // Everything a stage hands on beside its numbers: tag, is_nan, is_inf, sign of Inf, exponent.
  localparam int SideBits = TagBits + 3 + ExponentBits;

  // Exponent of the grid unit where both scale codes are 0.
  localparam int ZeroScaleExponent = mx_pkg::quantum_exponent(AFormat)
      + mx_pkg::quantum_exponent(BFormat) - 2 * mx_pkg::ScaleBias;

  ////////////////////////////////
  // Stage 1: decode, multiply  //
  ////////////////////////////////

  logic [Lanes*ProductBits-1:0] products;
  logic [Lanes*ShiftBits-1:0]   shifts;
  logic [Lanes-1:0]             lane_is_nan;
  logic [Lanes-1:0]             lane_is_positive_inf;
  logic [Lanes-1:0]             lane_is_negative_inf;

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_lanes
    mx_lane #(
      .AFormat(AFormat),
      .BFormat(BFormat)
    ) u_lane (
      .a_code_i         (a_elements_i[lane*ABits +: ABits]),
      .b_code_i         (b_elements_i[lane*BBits +: BBits]),
      .product_o        (products[lane*ProductBits +: ProductBits]),
      .shift_o          (shifts[lane*ShiftBits +: ShiftBits]),
      .is_nan_o         (lane_is_nan[lane]),
      .is_positive_inf_o(lane_is_positive_inf[lane]),
      .is_negative_inf_o(lane_is_negative_inf[lane])
    );
  end

  logic                           is_nan, is_positive_inf, is_negative_inf;
  logic signed [ExponentBits-1:0] exponent;

  always_comb begin
    is_positive_inf = |lane_is_positive_inf;
    is_negative_inf = |lane_is_negative_inf;
    is_nan   = (a_scale_i == mx_pkg::ScaleNan) || (b_scale_i == mx_pkg::ScaleNan)
        || (|lane_is_nan) || (is_positive_inf && is_negative_inf);
    exponent = ExponentBits'(a_scale_i) + ExponentBits'(b_scale_i)
        + ExponentBits'(ZeroScaleExponent);
  end

  logic                         product_valid, product_ready;
  logic [Lanes*ProductBits-1:0] stage1_products;
  logic [Lanes*ShiftBits-1:0]   stage1_shifts;
  logic [SideBits-1:0]          stage1_side;

  mx_pipe_stage #(
    .Width(SideBits + Lanes * (ShiftBits + ProductBits))
  ) u_product_stage (
    .clk_i,
    .rst_ni,
    .valid_i,
    .ready_o,
    .data_i ({tag_i, is_nan, is_positive_inf || is_negative_inf, is_negative_inf, exponent,
              shifts, products}),
    .valid_o(product_valid),
    .ready_i(product_ready),
    .data_o ({stage1_side, stage1_shifts, stage1_products})
  );

  //////////////////////////////////
  // Stage 2: place, adder tree   //
  //////////////////////////////////

  logic [SumBits-1:0] sum;

  mx_block_sum #(
    .AFormat(AFormat),
    .BFormat(BFormat)
  ) u_sum (
    .products_i(stage1_products),
    .shifts_i  (stage1_shifts),
    .sum_o     (sum)
  );

  logic                           sum_valid, sum_ready;
  logic [TagBits-1:0]             stage2_tag;
  logic                           stage2_is_nan, stage2_is_inf, stage2_inf_sign;
  logic signed [ExponentBits-1:0] stage2_exponent;
  logic [SumBits-1:0]             stage2_sum;

  mx_pipe_stage #(
    .Width(SideBits + SumBits)
  ) u_sum_stage (
    .clk_i,
    .rst_ni,
    .valid_i(product_valid),
    .ready_o(product_ready),
    .data_i ({stage1_side, sum}),
    .valid_o(sum_valid),
    .ready_i(sum_ready),
    .data_o ({stage2_tag, stage2_is_nan, stage2_is_inf, stage2_inf_sign, stage2_exponent,
              stage2_sum})
  );

  ////////////////////////////////
  // Stage 3: magnitude, round  //
  ////////////////////////////////

  logic                     negative;
  logic [MagnitudeBits-1:0] magnitude;
  logic [31:0]              rounded;
  logic                     unused_zero, unused_overflow;
  logic [31:0]              result;

  assign negative  = stage2_sum[SumBits-1];
  assign magnitude = negative ? -stage2_sum[MagnitudeBits-1:0] : stage2_sum[MagnitudeBits-1:0];

  mx_round #(
    .Width       (MagnitudeBits),
    .ExponentBits(ExponentBits)
  ) u_round (
    .sign_i        (negative),
    .magnitude_i   (magnitude),
    .increment_i   (1'b0),
    .lsb_exponent_i(stage2_exponent),
    .result_o      (rounded),
    .is_zero_o     (unused_zero),
    .overflow_o    (unused_overflow)
  );

  always_comb begin
    if (stage2_is_nan) begin
      result = mx_pkg::Fp32Nan;
    end else if (stage2_is_inf) begin
      result = {stage2_inf_sign, mx_pkg::Fp32Inf};
    end else begin
      result = rounded;
    end
  end

  mx_pipe_stage #(
    .Width(TagBits + 32)
  ) u_result_stage (
    .clk_i,
    .rst_ni,
    .valid_i(sum_valid),
    .ready_o(sum_ready),
    .data_i ({stage2_tag, result}),
    .valid_o,
    .ready_i,
    .data_o ({tag_o, result_o})
  );

`ifndef SYNTHESIS
  initial begin
    if (AFormat < 0 || AFormat >= mx_pkg::FormatCount) begin
      $fatal(1, "mx_block_dot: AFormat is %0d; it must be a format id of mx_pkg, 0 to 5.", AFormat);
    end
    if (BFormat < 0 || BFormat >= mx_pkg::FormatCount) begin
      $fatal(1, "mx_block_dot: BFormat is %0d; it must be a format id of mx_pkg, 0 to 5.", BFormat);
    end
  end
`endif

endmodule
