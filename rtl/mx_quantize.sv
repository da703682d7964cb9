// Conversion of 32 numbers to one MX block, MX-6.3: a scale from the largest magnitude, and each number
// over the scale rounded to nearest, ties to even. The model's `quantize` with its default options, but
// for the two that are parameters.
//
// Format, of the elements: 0 E5M2, 1 E4M3, 2 E3M2, 3 E2M3, 4 E2M1, 5 INT8.
// InputFormat: 8 Float32, 9 BF16. Subnormal numbers are numbers like others (A-20).
// ScaleRule: 0 floor, 1 rceil, as mx_scale_select says.
// Overflow, what becomes of a number beyond the element's range after rounding (A-14): 0 saturate, the
// largest number of its sign; 1 overflow, Inf (E5M2) or NaN (E4M3) of its sign, FP8 only.
//
//   block                             scale_o                elements_o
//   with a NaN or an Inf (A-6, A-7)   0xFF                   all 0x00
//   of zeros only (A-3)               0x00                   zeros of their sign; INT8 0x00
//   any other                         clamped to 0x00-0xFE   rounded once; see mx_quantize_lane
//
//   stage   1                        2                     3
//           largest field, scale  |  align each number  |  round, pack  |
//
// Depth: 0 combinational; 1 a register after stage 3; 2 also after stage 1; 3 after all of them.
// Latency: Depth cycles from an accepted block to valid_o. Throughput: one block a cycle.
// Handshake: that of mx_pipe_stage on both sides; ready_o depends on ready_i through Depth gates, on no
// other input.
// Reset: rst_ni, synchronous, active low; drops all blocks in flight. Data registers are not reset.
//
// Width: see mx_quantize_lane; a Float32 number loses nothing before it is rounded, and a BF16 number is
// a Float32 number with 16 zeros below.
module mx_quantize #(
  parameter int Format = 1,
  parameter int InputFormat = 8,
  parameter int ScaleRule = 0,
  parameter int Overflow = 0,
  parameter int Depth = 2
) (
  input  logic                                                          clk_i,
  input  logic                                                          rst_ni,

  // Numbers, element 0 in the LSBs.
  input  logic                                                          valid_i,
  output logic                                                          ready_o,
  input  logic [mx_pkg::BlockSize*mx_pkg::number_bits(InputFormat)-1:0] values_i,

  // Block, element 0 in the LSBs.
  output logic                                                          valid_o,
  input  logic                                                          ready_i,
  output logic [mx_pkg::BlockSize*mx_pkg::element_bits(Format)-1:0]     elements_o,
  output logic [mx_pkg::ScaleBits-1:0]                                  scale_o
);

  localparam int Lanes = mx_pkg::BlockSize;
  localparam int InputBits = mx_pkg::number_bits(InputFormat);
  localparam int Bits = mx_pkg::element_bits(Format);
  localparam int AlignedBits = mx_pkg::quantize_aligned_bits(Format);

  /////////////////////
  // Stage 1: scale  //
  /////////////////////

  logic [Lanes*32-1:0]          values;
  logic [mx_pkg::ScaleBits-1:0] scale;

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_widen
    assign values[lane*32 +: 32] = 32'(values_i[lane*InputBits +: InputBits]) << (32 - InputBits);
  end

  mx_scale_select #(
    .Format   (Format),
    .ScaleRule(ScaleRule)
  ) u_scale (
    .values_i(values),
    .scale_o (scale)
  );

  logic                         scale_valid, scale_ready;
  logic [Lanes*InputBits-1:0]   stage1_values;
  logic [mx_pkg::ScaleBits-1:0] stage1_scale;

  mx_pipe_stage #(
    .Width (mx_pkg::ScaleBits + Lanes * InputBits),
    .Bypass((Depth < 2) ? 1 : 0)
  ) u_scale_stage (
    .clk_i,
    .rst_ni,
    .valid_i,
    .ready_o,
    .data_i ({scale, values_i}),
    .valid_o(scale_valid),
    .ready_i(scale_ready),
    .data_o ({stage1_scale, stage1_values})
  );

  /////////////////////
  // Stage 2: align  //
  /////////////////////

  logic [Lanes*AlignedBits-1:0] aligned;

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_align
    mx_quantize_align #(
      .Format(Format)
    ) u_align (
      .value_i  (32'(stage1_values[lane*InputBits +: InputBits]) << (32 - InputBits)),
      .scale_i  (stage1_scale),
      .aligned_o(aligned[lane*AlignedBits +: AlignedBits])
    );
  end

  logic                         aligned_valid, aligned_ready;
  logic [Lanes*AlignedBits-1:0] stage2_aligned;
  logic [mx_pkg::ScaleBits-1:0] stage2_scale;

  mx_pipe_stage #(
    .Width (mx_pkg::ScaleBits + Lanes * AlignedBits),
    .Bypass((Depth < 3) ? 1 : 0)
  ) u_align_stage (
    .clk_i,
    .rst_ni,
    .valid_i(scale_valid),
    .ready_o(scale_ready),
    .data_i ({stage1_scale, aligned}),
    .valid_o(aligned_valid),
    .ready_i(aligned_ready),
    .data_o ({stage2_scale, stage2_aligned})
  );

  /////////////////////
  // Stage 3: round  //
  /////////////////////

  logic [Lanes*Bits-1:0] codes;

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_round
    mx_quantize_round #(
      .Format  (Format),
      .Overflow(Overflow)
    ) u_round (
      .aligned_i(stage2_aligned[lane*AlignedBits +: AlignedBits]),
      .is_nan_i (stage2_scale == mx_pkg::ScaleNan),
      .code_o   (codes[lane*Bits +: Bits])
    );
  end

  mx_pipe_stage #(
    .Width (mx_pkg::ScaleBits + Lanes * Bits),
    .Bypass((Depth < 1) ? 1 : 0)
  ) u_round_stage (
    .clk_i,
    .rst_ni,
    .valid_i(aligned_valid),
    .ready_o(aligned_ready),
    .data_i ({stage2_scale, codes}),
    .valid_o,
    .ready_i,
    .data_o ({scale_o, elements_o})
  );

`ifndef SYNTHESIS
  initial begin
    if (Format < 0 || Format >= mx_pkg::FormatCount) begin
      $fatal(1, "mx_quantize: Format is %0d; it must be an element format id of mx_pkg, 0 to 5.", Format);
    end
    if (InputFormat != mx_pkg::Fp32 && InputFormat != mx_pkg::Bf16) begin
      $fatal(1, "mx_quantize: InputFormat is %0d; it must be 8 (Float32) or 9 (BF16).", InputFormat);
    end
    if (ScaleRule != mx_pkg::ScaleFloor && ScaleRule != mx_pkg::ScaleRceil) begin
      $fatal(1, "mx_quantize: ScaleRule is %0d; it must be 0 (floor) or 1 (rceil).", ScaleRule);
    end
    if (Overflow != mx_pkg::OverflowSaturate
        && !(Overflow == mx_pkg::OverflowInfNan && mx_pkg::number_nan(Format) != '0)) begin
      $fatal(1, "mx_quantize: Overflow is %0d; it must be 0 (saturate), or 1 (overflow) with Format 0 or 1.",
             Overflow);
    end
    if (Depth < 0 || Depth > 3) begin
      $fatal(1, "mx_quantize: Depth is %0d; it must be from 0 to 3.", Depth);
    end
  end
`endif

endmodule
