// Dot product by the rules that align and truncate: every term is aligned to the largest exponent and
// cut off F bits below it, and the exact sum of what is left is rounded.
//
// The parameters are the fields of the model's rules (refmodel.accumulate); a dot is cut into groups
// of GroupSize elements and a running value, which starts at c_i, goes from group to group:
//
//   terms       products a[i] * b[i] * 2^(xa + xb), exact, with the exponent e(a) + e(b) + xa + xb;
//               e(x) = floor(log2 |x|), for floats not below that of their smallest normal number
//               (ScaleApply 0); 2: without scales, whose ports are then ignored.
//               1: exact sums of InnerGroup products, times 2^(xa + xb), with the exponent xa + xb
//   E           the largest exponent of the terms that are not zero, the running value among them if
//               AccInAlign; with HasExpFloor, not below ExpFloor if any term is zero. A term of
//               ScaleApply 1 is zero if all its products are, not if they cancel. An incomplete last
//               group is filled with zero products
//   group       Round(sum over terms of Cut(term)), Cut toward zero to a multiple of 2^(E - AlignBits);
//               with AccInAlign 0 the running value is added to that sum exactly, before Round
//   Round       AccRound to AccFormat; overflow is Inf, every zero is +0. The last running value is
//               rounded once more, to nearest, where ResultFormat is narrower
//
// Special values, first match first: scale 0xFF, NaN element, Inf * 0, NaN c, infinite terms of both
// signs NanPattern; an infinite term Inf of its sign.
//
//   rule of the model     parameters beside the defaults, which are nv_mxf8f6f4
//   nv_mxf8f6f4           NanPattern 7FFFFFFF, as for all that follow
//   nv_blackwell_f8f6f4   ScaleApply 2
//   nv_hopper_fp8_fast    ScaleApply 2, AlignBits 13, HasExpFloor 0, AccFormat 11 (E8M13)
//   nv_ada_fp8            the same and GroupSize 16, Lanes at most 16
//   nv_mxf4               ScaleApply 1, AlignBits 35, GroupSize 64, InnerGroup 16, ExpFloor -139
//
// Chained = 1: a dot is the run of blocks from one with first_i, whose c_i it starts from, to one with
// last_i, which yields its result. Chained = 0: every block is a dot; first_i and last_i are ignored.
// Only where GroupSize is at least a block; a group of more blocks is filled up.
//
//   decode,  |1 largest    |2 place on    |3 cut, adder tree |4 add c |5 round |6    Chained = 0
//   multiply |  exponent   |  the grid    |  and add c, round                  |     Chained = 1
//
// Latency: Depth cycles from the last beat of a dot. Depth 0 to 6 chooses, at Chained = 0, how many of
// the six places are registers; at Chained = 1 it is 1 to 4: the last, then 3, 2 and 1. With
// GroupSize > Lanes and ScaleApply 0 or 2 a group of B = GroupSize / Lanes beats must be complete
// before its largest exponent is known: a buffer of two groups adds B cycles, at any Depth.
// Throughput: a beat a cycle, so one block pair a cycle with 32 lanes, within a dot and from one to
// the next.
// Beats: a block comes in 32 / Lanes beats, lowest elements first; scales, c_i, first_i and last_i are
// the same on all of them.
// Handshake: a transfer happens on a rising clock edge with valid and ready high; valid_o does not
// wait for ready_i, and result_o holds until it is taken.
// Reset: rst_ni, synchronous, active low; drops what is under way. Data registers are not reset.
//
// Width: see mx_aligned_dot (ScaleApply 0, 2) and mx_aligned_group_dot (1).
module mx_aligned #(
  parameter int AFormat = mx_pkg::E4M3,  // element format ids of mx_pkg
  parameter int BFormat = mx_pkg::E4M3,
  parameter int ResultFormat = mx_pkg::Fp32,  // 8 Float32, 9 BF16, 10 FP16
  parameter int Lanes = 32,              // elements of a block that come at a time: 1, 2, ... 32
  parameter int Depth = 1,               // registers from the last beat of a block to its result
  parameter int Chained = 1,
  parameter int AlignBits = 25,
  parameter int GroupSize = 32,
  parameter int InnerGroup = 16,         // for ScaleApply 1 only
  parameter int AccInAlign = 1,
  parameter int HasExpFloor = 1,
  parameter int ExpFloor = -133,
  parameter int ScaleApply = mx_pkg::ScaleProductExponent,
  parameter int AccFormat = mx_pkg::Fp32,         // 8 Float32, 11 E8M13
  parameter int AccRound = mx_pkg::TowardZero,    // 0 nearest even, 1 toward zero
  parameter logic [31:0] NanPattern = 32'h7FC0_0000  // in the low bits where the result is narrower
) (
  input  logic                                              clk_i,
  input  logic                                              rst_ni,

  // Beat of a block pair, lowest element in the LSBs.
  input  logic                                              valid_i,
  output logic                                              ready_o,
  input  logic                                              first_i,
  input  logic                                              last_i,
  input  logic [Lanes*mx_pkg::element_bits(AFormat)-1:0]    a_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]                      a_scale_i,
  input  logic [Lanes*mx_pkg::element_bits(BFormat)-1:0]    b_elements_i,
  input  logic [mx_pkg::ScaleBits-1:0]                      b_scale_i,
  input  logic [31:0]                                       c_i,  // Float32

  output logic                                              valid_o,
  input  logic                                              ready_i,
  output logic [mx_pkg::number_bits(ResultFormat)-1:0]      result_o
);

  // Some values that are refused below leave nothing that could be elaborated: no group, no inner group,
  // terms not on their grid.
  localparam int HasGroup = (GroupSize >= mx_pkg::BlockSize && InnerGroup >= 1
                             && InnerGroup <= mx_pkg::BlockSize
                             && mx_pkg::aligned_is_fixed(AFormat, BFormat, AlignBits) != 0) ? 1 : 0;

  if (ScaleApply == mx_pkg::ScaleGroupExponent && HasGroup == 0) begin : gen_refused

    assign ready_o  = 1'b0;
    assign valid_o  = 1'b0;
    assign result_o = '0;

  end else if (ScaleApply == mx_pkg::ScaleGroupExponent) begin : gen_group_exponent

    mx_aligned_group_dot #(
      .AFormat     (AFormat),
      .BFormat     (BFormat),
      .ResultFormat(ResultFormat),
      .Lanes       (Lanes),
      .Depth       (Depth),
      .Chained     (Chained),
      .AlignBits   (AlignBits),
      .GroupSize   (GroupSize),
      .InnerGroup  (InnerGroup),
      .AccInAlign  (AccInAlign),
      .HasExpFloor (HasExpFloor),
      .ExpFloor    (ExpFloor),
      .AccFormat   (AccFormat),
      .AccRound    (AccRound),
      .NanPattern  (NanPattern)
    ) u_dot (
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

  end else begin : gen_product_exponent

    mx_aligned_dot #(
      .AFormat     (AFormat),
      .BFormat     (BFormat),
      .ResultFormat(ResultFormat),
      .Lanes       (Lanes),
      .Depth       (Depth),
      .Chained     (Chained),
      .AlignBits   (AlignBits),
      .GroupSize   (GroupSize),
      .AccInAlign  (AccInAlign),
      .HasExpFloor (HasExpFloor),
      .ExpFloor    (ExpFloor),
      .ScaleApply  (ScaleApply),
      .AccFormat   (AccFormat),
      .AccRound    (AccRound),
      .NanPattern  (NanPattern)
    ) u_dot (
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

  end

`ifndef SYNTHESIS
  localparam int LowestDepth = (Chained != 0) ? 1 : 0;
  localparam int HighestDepth = (Chained != 0) ? 4 : 6;
  // A NaN has exponent bits all ones and a mantissa that is not zero.
  localparam int NanBits = mx_pkg::number_bits(ResultFormat);
  localparam int NanMantissaBits = mx_pkg::number_mantissa_bits(ResultFormat);
  localparam logic [31:0] NanMagnitude = NanPattern & ((32'd1 << (NanBits - 1)) - 32'd1);

  initial begin
    if (AFormat < 0 || AFormat >= mx_pkg::FormatCount) begin
      $fatal(1, "mx_aligned: AFormat is %0d; it must be a format id of mx_pkg, 0 to 5.", AFormat);
    end
    if (BFormat < 0 || BFormat >= mx_pkg::FormatCount) begin
      $fatal(1, "mx_aligned: BFormat is %0d; it must be a format id of mx_pkg, 0 to 5.", BFormat);
    end
    if (ResultFormat != mx_pkg::Fp32 && ResultFormat != mx_pkg::Bf16
        && ResultFormat != mx_pkg::Fp16) begin
      $fatal(1, "mx_aligned: ResultFormat is %0d; it must be 8 (Float32), 9 (BF16) or 10 (FP16).",
             ResultFormat);
    end
    if (Lanes < 1 || Lanes > mx_pkg::BlockSize || Lanes != (1 << $clog2(Lanes))) begin
      $fatal(1, "mx_aligned: Lanes is %0d; it must be 1, 2, 4, 8, 16 or 32.", Lanes);
    end
    if (Chained != 0 && Chained != 1) begin
      $fatal(1, "mx_aligned: Chained is %0d; it must be 0 or 1.", Chained);
    end
    if (Depth < LowestDepth || Depth > HighestDepth) begin
      $fatal(1, "mx_aligned: Depth is %0d; with Chained %0d it must be from %0d to %0d.", Depth,
             Chained, LowestDepth, HighestDepth);
    end
    if (ScaleApply < 0 || ScaleApply > 2) begin
      $fatal(1, "mx_aligned: ScaleApply is %0d; it must be 0 (product exponent), 1 (group %0s",
             ScaleApply, "exponent) or 2 (no scales).");
    end
    if (AlignBits < 1 || AlignBits > 45) begin
      $fatal(1, "mx_aligned: AlignBits is %0d; it must be from 1 to 45.", AlignBits);
    end
    if (ScaleApply != mx_pkg::ScaleGroupExponent) begin
      if (GroupSize < Lanes || GroupSize > mx_pkg::BlockSize || GroupSize != (1 << $clog2(GroupSize)))
      begin
        $fatal(1, "mx_aligned: GroupSize is %0d; with products aligned it must be a power of two %0s",
               GroupSize, "from Lanes to 32.");
      end
      if (Chained == 0 && GroupSize < mx_pkg::BlockSize) begin
        $fatal(1, "mx_aligned: GroupSize is %0d; with Chained 0 it must be at least a block, 32.",
               GroupSize);
      end
    end else begin
      if (GroupSize < mx_pkg::BlockSize || GroupSize > 4 * mx_pkg::BlockSize
          || GroupSize != (1 << $clog2(GroupSize))) begin
        $fatal(1, "mx_aligned: GroupSize is %0d; with ScaleApply 1 it must be 32, 64 or 128.",
               GroupSize);
      end
      if (InnerGroup < 1 || InnerGroup > mx_pkg::BlockSize
          || InnerGroup != (1 << $clog2(InnerGroup))) begin
        $fatal(1, "mx_aligned: InnerGroup is %0d; it must be 1, 2, 4, 8, 16 or 32.", InnerGroup);
      end
      if (AFormat <= mx_pkg::E4M3 || BFormat <= mx_pkg::E4M3) begin
        $fatal(1, "mx_aligned: ScaleApply 1 takes elements E3M2, E2M3, E2M1 and INT8, not %0d, %0d.",
               AFormat, BFormat);
      end
      if (mx_pkg::aligned_is_fixed(AFormat, BFormat, AlignBits) == 0) begin
        $fatal(1, "mx_aligned: AlignBits is %0d; with ScaleApply 1 it must be at least 16.",
               AlignBits);
      end
    end
    if (AccInAlign != 0 && AccInAlign != 1) begin
      $fatal(1, "mx_aligned: AccInAlign is %0d; it must be 0 or 1.", AccInAlign);
    end
    if (HasExpFloor != 0 && HasExpFloor != 1) begin
      $fatal(1, "mx_aligned: HasExpFloor is %0d; it must be 0 or 1.", HasExpFloor);
    end
    if (HasExpFloor != 0 && (ExpFloor <= mx_pkg::AlignedLowest || ExpFloor > 127)) begin
      $fatal(1, "mx_aligned: ExpFloor is %0d; it must be from -499 to 127.", ExpFloor);
    end
    if (AccFormat != mx_pkg::Fp32 && AccFormat != mx_pkg::E8M13) begin
      $fatal(1, "mx_aligned: AccFormat is %0d; it must be 8 (Float32) or 11 (E8M13).", AccFormat);
    end
    if (AccRound != mx_pkg::NearestEven && AccRound != mx_pkg::TowardZero) begin
      $fatal(1, "mx_aligned: AccRound is %0d; it must be 0 (nearest even) or 1 (toward zero).",
             AccRound);
    end
    if ((NanMagnitude >> NanMantissaBits) != (32'd1 << (NanBits - 1 - NanMantissaBits)) - 32'd1
        || (NanMagnitude & ((32'd1 << NanMantissaBits) - 32'd1)) == 32'd0) begin
      $fatal(1, "mx_aligned: NanPattern is 0x%h; its low %0d bits must be a NaN of ResultFormat.",
             NanPattern, NanBits);
    end
  end
`endif

endmodule
