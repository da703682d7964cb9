// Dot product of two vectors of blocks whose element formats are chosen at run time, MX-6.2.
//
// Function: that of mx_dot_general, for all 36 pairs of element formats on one datapath.
//
//   running value = c, then for every block in order, by parameter Accumulate:
//   1  block32_fp32_add     Float32 add of the rounded block dot
//
// The formats are those of the block pair they come with: they may change from one block to the
// next within a vector, as the scales do. Ids of mx_pkg: 0 E5M2, 1 E4M3, 2 E3M2, 3 E2M3, 4 E2M1,
// 5 INT8. A block pair with an id of 6 or 7 has the dot product NaN.
//
// A vector is the run of blocks from one with first_i to one with last_i; a single block has both.
// The block with last_i yields result_o. A block with first_i starts from c_i whatever came before;
// the first block after reset must have it. c_i is ignored in all others.
//
// Special values of a block dot, first match first:
//   format id above 5, scale 0xFF on either side, NaN element, Inf * 0,
//   Inf and -Inf products                                                    NaN
//   an Inf product                                                           Inf of its sign
//   an exact zero sum, also of negative zeros                                +0
//   any other sum                                                            rounded to nearest
// NaN is 0x7FC00000. The Float32 add is that of IEEE 754: -0 only from c = -0 and no block, so never.
//
// How one datapath serves all: see mx_multi_lane (signed bytes, shifts by 4) and mx_relative_sum.
//
//   stage   1                       2                        3                    4
//           widen, decode,       |  place, sum of        |  magnitude, round  |  Float32 add  |
//           multiply             |  relative signs       |                    |               |
//   Depth   3 and 4                 2, 3 and 4                4                    1 to 4
//
// Latency: Depth cycles from the accepted last block to valid_o; the last line above says which
// stages end in a register. Throughput: one block pair a cycle, also within one vector and from one
// vector to the next.
// Handshake: a transfer happens on a rising clock edge with valid and ready high; valid_o does not
// wait for ready_i, and result_o holds until it is taken. ready_o depends on ready_i
// combinationally (a gate a register), on no other input.
// Reset: rst_ni, synchronous, active low; drops all blocks in flight, any offered while it is
// low, and the unfinished vector. Data registers, the running value among them, are not reset.
//
// Width: a placed product is below 784 * 2^56 < 2^66 (E5M2 x E5M2: significand 14 in E5M3, offset
// 29 = 28 + 1, so 28^2 shifted by 2 * 28); 32 of them are below 2^71. The exponent of the grid unit is
// from 0 + 0 - 254 - 17 - 17 = -288 to 255 + 255 - 254 - 3 - 3 = 250, in 10 signed bits.
module mx_dot_multi #(
  parameter int Accumulate = 1,  // see above
  parameter int Depth = 4        // registers from a block to its result, 1 to 4
) (
  input  logic                               clk_i,
  input  logic                               rst_ni,

  // Block pair, element 0 in the LSBs, every code right-aligned in a byte; the bits above a code are
  // ignored.
  input  logic                               valid_i,
  output logic                               ready_o,
  input  logic                               first_i,
  input  logic                               last_i,
  input  logic [2:0]                         a_format_i,
  input  logic [mx_pkg::BlockSize*8-1:0]     a_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]       a_scale_i,
  input  logic [2:0]                         b_format_i,
  input  logic [mx_pkg::BlockSize*8-1:0]     b_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]       b_scale_i,
  input  logic [31:0]                        c_i,  // Float32

  // Float32 result, one a vector.
  output logic                               valid_o,
  input  logic                               ready_i,
  output logic [31:0]                        result_o
);

  localparam int Lanes = mx_pkg::BlockSize;
  localparam int ProductBits = 15;
  localparam int ShiftBits = 4;
  localparam int PlacedBits = 66;
  localparam int MagnitudeBits = PlacedBits + $clog2(Lanes);
  localparam int SumBits = MagnitudeBits + 1;
  localparam int ExponentBits = mx_pkg::ExponentBits;
  // What goes with a block: first, last, c, is_nan, is_inf, sign of Inf, exponent.
  localparam int SideBits = 2 + 32 + 3 + ExponentBits;

  // Exponent of a unit of a widened element.
  localparam int E5M2Unit = mx_pkg::wide_quantum_exponent(mx_pkg::E5M2);
  localparam int E4M3Unit = mx_pkg::wide_quantum_exponent(mx_pkg::E4M3);
  localparam int E3M2Unit = mx_pkg::wide_quantum_exponent(mx_pkg::E3M2);
  localparam int E2M3Unit = mx_pkg::wide_quantum_exponent(mx_pkg::E2M3);
  localparam int E2M1Unit = mx_pkg::wide_quantum_exponent(mx_pkg::E2M1);
  localparam int INT8Unit = mx_pkg::wide_quantum_exponent(mx_pkg::INT8);

  function automatic logic signed [ExponentBits-1:0] unit_exponent(input logic [2:0] format);
    case (format)
      3'(mx_pkg::E5M2): unit_exponent = ExponentBits'(E5M2Unit);
      3'(mx_pkg::E4M3): unit_exponent = ExponentBits'(E4M3Unit);
      3'(mx_pkg::E3M2): unit_exponent = ExponentBits'(E3M2Unit);
      3'(mx_pkg::E2M3): unit_exponent = ExponentBits'(E2M3Unit);
      3'(mx_pkg::E2M1): unit_exponent = ExponentBits'(E2M1Unit);
      default:          unit_exponent = ExponentBits'(INT8Unit);
    endcase
  endfunction

  ///////////////////////////////////////
  // Stage 1: widen, decode, multiply  //
  ///////////////////////////////////////

  logic [Lanes*ProductBits-1:0] products;
  logic [Lanes*ShiftBits-1:0]   shifts;
  logic [Lanes-1:0]             negatives, lane_is_nan, lane_is_inf;

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_lanes
    mx_multi_lane u_lane (
      .a_code_i  (a_elements_i[lane*8 +: 8]),
      .b_code_i  (b_elements_i[lane*8 +: 8]),
      .a_format_i,
      .b_format_i,
      .negative_o(negatives[lane]),
      .product_o (products[lane*ProductBits +: ProductBits]),
      .shift_o   (shifts[lane*ShiftBits +: ShiftBits]),
      .is_nan_o  (lane_is_nan[lane]),
      .is_inf_o  (lane_is_inf[lane])
    );
  end

  logic                           is_nan, is_positive_inf, is_negative_inf;
  logic signed [ExponentBits-1:0] exponent;

  always_comb begin
    is_positive_inf = |(lane_is_inf & ~negatives);
    is_negative_inf = |(lane_is_inf & negatives);
    is_nan   = a_format_i > 3'(mx_pkg::INT8) || b_format_i > 3'(mx_pkg::INT8)
        || a_scale_i == mx_pkg::ScaleNan || b_scale_i == mx_pkg::ScaleNan
        || (|lane_is_nan) || (is_positive_inf && is_negative_inf);
    exponent = ExponentBits'(a_scale_i) + ExponentBits'(b_scale_i)
        - ExponentBits'(2 * mx_pkg::ScaleBias)
        + unit_exponent(a_format_i) + unit_exponent(b_format_i);
  end

  logic                         product_valid, product_ready;
  logic [Lanes*ProductBits-1:0] stage1_products;
  logic [Lanes*ShiftBits-1:0]   stage1_shifts;
  logic [Lanes-1:0]             stage1_negatives;
  logic [SideBits-1:0]          stage1_side;

  mx_pipe_stage #(
    .Width (SideBits + Lanes * (ProductBits + ShiftBits + 1)),
    .Bypass((Depth < 3) ? 1 : 0)
  ) u_product_stage (
    .clk_i,
    .rst_ni,
    .valid_i,
    .ready_o,
    .data_i ({first_i, last_i, c_i, is_nan, is_positive_inf || is_negative_inf, is_negative_inf,
              exponent, products, shifts, negatives}),
    .valid_o(product_valid),
    .ready_i(product_ready),
    .data_o ({stage1_side, stage1_products, stage1_shifts, stage1_negatives})
  );

  /////////////////////////
  // Stage 2: place, sum //
  /////////////////////////

  logic [Lanes*PlacedBits-1:0] placed;
  logic [SumBits-1:0]          sum;
  logic                        sum_is_negated;

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_place
    assign placed[lane*PlacedBits +: PlacedBits] =
        PlacedBits'(stage1_products[lane*ProductBits +: ProductBits])
        << {stage1_shifts[lane*ShiftBits +: ShiftBits], 2'b00};
  end

  mx_relative_sum #(
    .Count(Lanes),
    .Width(PlacedBits)
  ) u_sum (
    .magnitudes_i(placed),
    .negative_i  (stage1_negatives),
    .sum_o       (sum),
    .negative_o  (sum_is_negated)
  );

  logic                           sum_valid, sum_ready;
  logic                           stage2_first, stage2_last;
  logic [31:0]                    stage2_c;
  logic                           stage2_is_nan, stage2_is_inf, stage2_inf_sign;
  logic signed [ExponentBits-1:0] stage2_exponent;
  logic [SumBits-1:0]             stage2_sum;
  logic                           stage2_is_negated;

  mx_pipe_stage #(
    .Width (SideBits + SumBits + 1),
    .Bypass((Depth < 2) ? 1 : 0)
  ) u_sum_stage (
    .clk_i,
    .rst_ni,
    .valid_i(product_valid),
    .ready_o(product_ready),
    .data_i ({stage1_side, sum, sum_is_negated}),
    .valid_o(sum_valid),
    .ready_i(sum_ready),
    .data_o ({stage2_first, stage2_last, stage2_c, stage2_is_nan, stage2_is_inf, stage2_inf_sign,
              stage2_exponent, stage2_sum, stage2_is_negated})
  );

  ////////////////////////////////
  // Stage 3: magnitude, round  //
  ////////////////////////////////

  logic                     below_zero, negative;
  logic [MagnitudeBits-1:0] magnitude;
  logic [31:0]              rounded;
  logic                     sum_is_zero, unused_overflow;
  logic [31:0]              block_dot;

  // Of a negative sum the complement, and one more unit for the rounder to count.
  assign below_zero = stage2_sum[SumBits-1];
  assign magnitude  = stage2_sum[MagnitudeBits-1:0] ^ {MagnitudeBits{below_zero}};
  assign negative   = stage2_is_negated ^ below_zero;

  mx_round #(
    .Width       (MagnitudeBits),
    .ExponentBits(ExponentBits)
  ) u_round (
    .sign_i        (negative),
    .magnitude_i   (magnitude),
    .increment_i   (below_zero),
    .lsb_exponent_i(stage2_exponent),
    .result_o      (rounded),
    .is_zero_o     (sum_is_zero),
    .overflow_o    (unused_overflow)
  );

  // A zero sum is +0 whatever the signs of its terms.
  logic [31:0] zero_sign;

  assign zero_sign = {sum_is_zero, 31'd0};

  always_comb begin
    if (stage2_is_nan) begin
      block_dot = mx_pkg::Fp32Nan;
    end else if (stage2_is_inf) begin
      block_dot = {stage2_inf_sign, mx_pkg::Fp32Inf};
    end else begin
      block_dot = rounded & ~zero_sign;
    end
  end

  logic        block_valid, block_ready;
  logic        block_first, block_last;
  logic [31:0] block_c, block_result;

  mx_pipe_stage #(
    .Width (2 + 32 + 32),
    .Bypass((Depth < 4) ? 1 : 0)
  ) u_block_stage (
    .clk_i,
    .rst_ni,
    .valid_i(sum_valid),
    .ready_o(sum_ready),
    .data_i ({stage2_first, stage2_last, stage2_c, block_dot}),
    .valid_o(block_valid),
    .ready_i(block_ready),
    .data_o ({block_first, block_last, block_c, block_result})
  );

  //////////////////////////
  // Stage 4: Float32 add //
  //////////////////////////

  logic        valid_q;
  logic [31:0] running_q;
  logic [31:0] added;

  mx_fp32_add u_add (
    .a_i     (block_first ? block_c : running_q),
    .b_i     (block_result),
    .result_o(added)
  );

  // The running value is the result register: after the last block it waits there until it is
  // taken, and blocks of the next vector wait with it.
  assign block_ready = !valid_q || ready_i;
  assign valid_o     = valid_q;
  assign result_o    = running_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q <= 1'b0;
    end else if (block_ready) begin
      valid_q <= block_valid && block_last;
    end
  end

  always_ff @(posedge clk_i) begin
    if (block_valid && block_ready) begin
      running_q <= added;
    end
  end

`ifndef SYNTHESIS
  initial begin
    if (Accumulate != mx_pkg::AccumulateBlockAdd) begin
      $fatal(1, "mx_dot_multi: Accumulate is %0d; it must be 1 (block32_fp32_add).", Accumulate);
    end
    if (Depth < 1 || Depth > 4) begin
      $fatal(1, "mx_dot_multi: Depth is %0d; it must be from 1 to 4.", Depth);
    end
  end
`endif

endmodule
